"""The operator that asks a person before more is paid than the budget allows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator

from nightsort.wording import number_of
from nightsort_airflow.exceptions import CostNotApprovedError, logged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort.comprehend.prices import Forecast, TrainingForecast

FORECAST_KEY: Final = "forecast"


def forecast_xcom(forecast: Forecast | TrainingForecast) -> dict[str, Any]:
    """
    Make the XCom of a forecast.

    :param forecast: the forecast of a night or of a training.
    :returns: ``documents``, ``units`` (of a night), ``least_usd``, ``most_usd``, ``costs_more`` (whether not
        all is paid already) and ``text``.
    """
    return {
        "documents": forecast.documents,
        "units": getattr(forecast, "units", None),
        "least_usd": forecast.least_usd,
        "most_usd": forecast.most_usd,
        "costs_more": forecast.costs_more,
        "text": str(forecast),
    }


class ApproveCostOperator(ApprovalOperator):
    """
    Ask a person for approval if the forecast is above the budget.

    The question is in Airflow's UI under *Required Actions*. *Approve* continues the run. *Reject*, or no
    answer in time, fails the task at once and starts nothing. Clear the task to ask again. Within the budget,
    and where all was paid before, the task succeeds without a question.

    The return value is a dict: ``asked`` (whether there was a question) and ``approved_by`` (the name of the
    person, or None).

    :param forecast: The XCom ``forecast`` of
        :class:`~nightsort_airflow.operators.classification.PrepareBatchesOperator` or
        :class:`~nightsort_airflow.operators.training.PrepareTrainingDataOperator`. (templated)
    :param budget_usd: The budget; None: no limit.
    :param purpose: What is paid for, as a verb, for instance ``"train tickets"``.
    :param answer_hours: How many hours a person has for the answer.
    :param notifiers: Airflow notifiers that are called when the question waits.
    """

    template_fields: Sequence[str] = ("forecast",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"forecast": "json"}

    def __init__(
        self,
        *,
        forecast: dict[str, Any],
        budget_usd: float | None,
        purpose: str,
        answer_hours: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            subject=f"Approve the cost to {purpose}?",
            fail_on_reject=True,
            response_timeout=timedelta(hours=answer_hours),
            **kwargs,
        )
        self.forecast = forecast
        self.budget_usd = budget_usd
        self.purpose = purpose
        self.answer_hours = answer_hours

    def execute(self, context: Context) -> Any:
        """Return at once if within budget; otherwise ask for approval and wait."""
        from nightsort.comprehend.prices import usd_text

        within = self.budget_usd is None or self.forecast["most_usd"] <= self.budget_usd
        if self.budget_usd is None or within or not self.forecast["costs_more"]:
            self.log.info(
                "No approval is needed: %s. %s",
                "the cost is within the budget" if within else "all is paid already",
                self.forecast["text"],
            )
            return {"asked": False, "approved_by": None}
        until = datetime.now(timezone.utc) + timedelta(hours=self.answer_hours)
        cost = f"{usd_text(self.forecast['most_usd'])} (budget {usd_text(self.budget_usd)})"
        self.subject = f"Approve {cost} to {self.purpose}? Until {until:%Y-%m-%d %H:%M} UTC"
        self.body = self._question(self.budget_usd, until)
        self.log.warning("Waiting for an answer under Required Actions: %s", self.subject)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Succeed after an approval; fail otherwise."""
        try:
            answer = super().execute_complete(context, event)
        except HITLRejectException:
            rejected = f"{self._name(event) or 'A person'} rejected the cost to {self.purpose}"
            raise self._not_approved(rejected) from None
        except HITLTimeoutError:
            within = number_of(self.answer_hours, "hour")
            raise self._not_approved(f"Nobody approved the cost to {self.purpose} within {within}") from None
        return {"asked": True, "approved_by": self._name(answer)}

    def _not_approved(self, cause: str) -> CostNotApprovedError:
        message = f"{cause}; nothing was started. Clear this task to ask again. {self.forecast['text']}"
        return logged(CostNotApprovedError(message))

    def _question(self, budget_usd: float, until: datetime) -> str:
        from nightsort.comprehend.prices import usd_text

        units = self.forecast["units"]
        least, most = (usd_text(self.forecast[key]) for key in ("least_usd", "most_usd"))
        rows = [
            ("Documents", f"{self.forecast['documents']:,}"),
            *([("Units of 100 characters", f"{units:,}")] if units is not None else []),
            ("Estimate", most if least == most else f"{least} to {most}"),
            ("Budget", usd_text(budget_usd)),
        ]
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        return (
            f"| To {self.purpose} | |\n|---|---|\n{table}\n\n{self.forecast['text']}\n\n"
            "**Approve** continues the run. **Reject** fails the run, and nothing is started. "
            f"Without an answer by {until:%Y-%m-%d %H:%M} UTC the run fails too."
        )

    def _name(self, answer: Any) -> str | None:
        user = answer.get("responded_by_user")
        return user["name"] if user else None
