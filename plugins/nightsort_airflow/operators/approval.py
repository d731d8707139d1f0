"""The operator that asks a person before more is paid than the budget allows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator

from nightsort_airflow.exceptions import CostNotApprovedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort.comprehend.prices import Forecast, TrainingForecast

FORECAST_KEY: Final = "forecast"


def forecast_xcom(forecast: Forecast | TrainingForecast) -> dict[str, Any]:
    """
    Give a forecast as an XCom.

    :return: ``documents``, ``units`` (of a night), ``most_usd``, ``costs_more`` (whether anything is left to
        be paid) and ``text``.
    """
    return {
        "documents": forecast.documents,
        "units": getattr(forecast, "units", None),
        "most_usd": forecast.most_usd,
        "costs_more": forecast.costs_more,
        "text": str(forecast),
    }


class ApproveCostOperator(ApprovalOperator):
    """
    Wait for a person's approval if the forecast is above the budget; go on at once if it is within it, or if
    all of it was paid before.

    The question stands in Airflow's UI under *Required Actions*. *Approve* goes on; *Reject*, or no answer in
    time, fails the task at once and starts nothing. To clear the task is to ask again.

    Gives ``asked`` (whether there was a question) and ``approved_by`` (the name of the person, or None).

    :param forecast: The XCom ``forecast`` of
        :class:`~nightsort_airflow.operators.classification.PrepareBatchesOperator` or
        :class:`~nightsort_airflow.operators.training.PrepareTrainingDataOperator`. (templated)
    :param budget_usd: The budget; None: no limit.
    :param what: What is paid for, as the question names it, for instance ``"this night of tickets"``.
    :param answer_hours: How long a person has for the answer.

    Who is told that the question waits is given as ``notifiers``, as to Airflow's own operators.
    """

    template_fields: Sequence[str] = ("forecast",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"forecast": "json"}

    def __init__(
        self,
        *,
        forecast: dict[str, Any],
        budget_usd: float | None,
        what: str,
        answer_hours: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            subject=f"Approve the cost of {what}",
            fail_on_reject=True,
            response_timeout=timedelta(hours=answer_hours),
            **kwargs,
        )
        self.forecast = forecast
        self.budget_usd = budget_usd
        self.what = what
        self.answer_hours = answer_hours

    def execute(self, context: Context) -> Any:
        """Go on, or put the question and wait for its answer."""
        within = self.budget_usd is None or self.forecast["most_usd"] <= self.budget_usd
        if self.budget_usd is None or within or not self.forecast["costs_more"]:
            self.log.info(
                "%s, nobody is asked. %s",
                "Within the budget" if within else "All is paid for already",
                self.forecast["text"],
            )
            return {"asked": False, "approved_by": None}
        self.body = self._question(self.budget_usd)
        self.log.warning("Above the budget of %.2f USD, waiting for an answer.", self.budget_usd)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on after an approval; fail after anything else."""
        try:
            answer = super().execute_complete(context, event)
        except HITLRejectException as error:
            who = self._name(event)
            raise CostNotApprovedError(
                f"{who or 'A person'} rejected the cost of {self.what}; nothing was started. "
                f"{self.forecast['text']} Clear this task to ask again."
            ) from error
        except HITLTimeoutError as error:
            raise CostNotApprovedError(
                f"Nobody answered within {self.answer_hours:g} hours whether {self.what} may cost so much; "
                f"nothing was started. {self.forecast['text']} Clear this task to ask again."
            ) from error
        return {"asked": True, "approved_by": self._name(answer)}

    def _question(self, budget_usd: float) -> str:
        units = self.forecast["units"]
        rows = [
            ("documents", f"{self.forecast['documents']:,}"),
            *([("units of 100 characters", f"{units:,}")] if units is not None else []),
            ("forecast, at most", f"{self.forecast['most_usd']:,.2f} USD"),
            ("budget", f"{budget_usd:,.2f} USD"),
        ]
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        return (
            f"| {self.what} | |\n|---|---|\n{table}\n\n{self.forecast['text']}\n\n"
            "**Approve** starts it. **Reject** fails the run, and nothing is started. "
            f"So does no answer within {self.answer_hours:g} hours."
        )

    def _name(self, answer: Any) -> str | None:
        user = answer.get("responded_by_user")
        return user["name"] if user else None
