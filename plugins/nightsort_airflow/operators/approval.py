"""The operator that asks a person before more is paid than the budget allows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from nightsort.wording import number_of
from nightsort_airflow.exceptions import CostNotApprovedError, logged
from nightsort_airflow.run_xcoms import pulled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context
    from airflow.sdk.execution_time.hitl import HITLUser

    from nightsort.comprehend.prices import Forecast, TrainingForecast

FORECAST_KEY: Final = "forecast"

REFUSAL_KEY: Final = "refusal"
"""The XCom that says why a cost was not approved."""


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


def require_approval(task_id: str) -> Callable[[Context], None]:
    """
    Make the ``pre_execute`` of a task that pays: fail unless the cost was approved, or needs no approval.

    A person may mark the approving task as a success in Airflow's UI without an answer to its question.

    :param task_id: the task of :class:`ApproveCostOperator`.
    """

    def check(context: Context) -> None:
        if not pulled(context, [task_id]):
            raise logged(
                CostNotApprovedError(
                    f"{task_id} is a success, but not by an answer to its question, so nothing was started. "
                    f"Clear {task_id} and answer under Required Actions."
                )
            )

    return check


class ApproveCostOperator(ApprovalOperator):
    """
    Ask a person for approval if the forecast is above the budget.

    The question is in Airflow's UI under *Required Actions*. *Approve* continues the run. *Reject*, or no
    answer in time, fails the task at once and starts nothing. Clear the task to ask again. Within the budget,
    and where all was paid before, the task succeeds without a question.

    With ``approvers``, only they may answer, and none of them about a run that they triggered: Airflow
    refuses anybody else's answer. The task compares once more who answered with who triggered the run, and
    asks again if that was one person, or somebody else than an approver. If nobody is left to ask, it fails.

    The return value is a dict: ``asked`` (whether there was a question) and ``approved_by`` (the name of the
    person, or None); after a question also ``approved_at`` (in ISO 8601) and ``approved_usd`` (the most that
    may be paid now). Where the cost is not approved, the XCom ``refusal`` says why.

    :param forecast: The XCom ``forecast`` of
        :class:`~nightsort_airflow.operators.classification.PrepareBatchesOperator` or
        :class:`~nightsort_airflow.operators.training.PrepareTrainingDataOperator`. (templated)
    :param budget_usd: The budget; None: no limit.
    :param purpose: What is paid for, as a verb, for instance ``"train tickets"``.
    :param answer_hours: How many hours a person has for the answer.
    :param approvers: The users who may answer, with ``id`` and ``name``; None: whoever may answer questions
        of the DAG. (default: None)
    :param share_sent_again: The share of the documents that may fail and be sent again, whose cost the
        approval covers too. (default: 0)
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
        approvers: Sequence[HITLUser] | None = None,
        share_sent_again: float = 0.0,
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
        self.approvers = list(approvers) if approvers is not None else None
        self.share_sent_again = share_sent_again

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
        if self.approvers is not None:
            self.assigned_users = self._others(context)
        until = datetime.now(timezone.utc) + timedelta(hours=self.answer_hours)
        cost = f"{usd_text(self.forecast['most_usd'])} (budget {usd_text(self.budget_usd)})"
        self.subject = f"Approve {cost} to {self.purpose}? Until {until:%Y-%m-%d %H:%M} UTC"
        self.body = self._question(self.budget_usd, until)
        self.log.warning("Waiting for an answer%s under Required Actions: %s", self._of_whom(), self.subject)
        try:
            return super().execute(context)
        except TaskAwaitingInput as waiting:
            waiting.kwargs = {"until": until.isoformat()}
            raise

    def execute_complete(
        self, context: Context, event: dict[str, Any], until: str | None = None
    ) -> dict[str, Any]:
        """
        Succeed after an approval; fail otherwise. Ask again if the answer does not count.

        :param context: the task's context.
        :param event: the answer, or that there was none.
        :param until: when the time for the answer ends, in ISO 8601; None: as long as from now on.
        """
        if self.approvers is not None and "error" not in event:
            self._ask_again_unless_it_counts(context, event, until)
        try:
            answer = super().execute_complete(context, event)
        except HITLRejectException:
            rejected = f"{_name(event) or 'a person'} rejected the cost to {self.purpose}"
            raise self._not_approved(context, rejected) from None
        except HITLTimeoutError:
            within = number_of(self.answer_hours, "hour")
            cause = f"nobody approved the cost to {self.purpose} within {within}"
            raise self._not_approved(context, cause) from None
        return {
            "asked": True,
            "approved_by": _name(answer),
            "approved_at": answer["responded_at"].isoformat(),
            "approved_usd": self._with_sent_again(),
        }

    def _others(self, context: Context) -> list[HITLUser]:
        """Return the approvers without who triggered the run."""
        triggered_by = _triggered_by(context)
        others = [user for user in self.approvers or () if user["name"] != triggered_by]
        if not others:
            raise self._not_approved(
                context,
                f"nobody may approve the cost to {self.purpose}, because {triggered_by} triggered the run "
                "and is its only approver. Let another user trigger it, or name more in budget.approvers",
            )
        return others

    def _ask_again_unless_it_counts(self, context: Context, event: dict[str, Any], until: str | None) -> None:
        # Airflow compares ids, and lets everybody answer where all are administrators.
        self.assigned_users = self._others(context)
        user: HITLUser | None = event.get("responded_by_user")
        if user and user["name"] == _triggered_by(context):
            why = f"{user['name']} triggered the run"
        elif not user or user["id"] not in [other["id"] for other in self.assigned_users]:
            why = f"{user['name'] if user else 'who gave it'} is no approver"
        else:
            return
        self.log.warning(
            "The answer does not count: %s. The question waits for an answer%s.", why, self._of_whom()
        )
        self._wait_again(context, until)

    def _wait_again(self, context: Context, until: str | None) -> NoReturn:
        """Take back the answer, which leaves the question as it was, and wait for the rest of the time."""
        now = datetime.now(timezone.utc)
        end = datetime.fromisoformat(until) if until else now + timedelta(hours=self.answer_hours)
        upsert_hitl_detail(
            ti_id=context["ti"].id,
            options=self.options,
            subject=self.subject,
            assigned_users=self.assigned_users,
        )
        raise TaskAwaitingInput(
            method_name="execute_complete",
            kwargs={"until": end.isoformat()},
            timeout=max(end - now, timedelta(0)),
        )

    def _of_whom(self) -> str:
        names = [user["name"] for user in self.assigned_users or ()]
        return f" of {' or '.join(names)}" if names else ""

    def _not_approved(self, context: Context, cause: str) -> CostNotApprovedError:
        context["ti"].xcom_push(key=REFUSAL_KEY, value=cause)
        message = f"Nothing was started: {cause}. Clear this task to ask again. {self.forecast['text']}"
        return logged(CostNotApprovedError(message))

    def _with_sent_again(self) -> float:
        return float(self.forecast["most_usd"]) * (1 + self.share_sent_again)

    def _question(self, budget_usd: float, until: datetime) -> str:
        from nightsort.comprehend.prices import usd_text

        units = self.forecast["units"]
        least, most = (usd_text(self.forecast[key]) for key in ("least_usd", "most_usd"))
        rows = [
            ("Documents", f"{self.forecast['documents']:,}"),
            *([("Units of 100 characters", f"{units:,}")] if units is not None else []),
            ("Estimate", most if least == most else f"{least} to {most}"),
            *(
                [("With failed documents sent again, at most", usd_text(self._with_sent_again()))]
                if self.share_sent_again
                else []
            ),
            ("Budget", usd_text(budget_usd)),
            *([("May answer", self._of_whom().removeprefix(" of "))] if self.assigned_users else []),
        ]
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        return (
            f"| To {self.purpose} | |\n|---|---|\n{table}\n\n{self.forecast['text']}\n\n"
            "**Approve** continues the run. **Reject** fails the run, and nothing is started. "
            f"Without an answer by {until:%Y-%m-%d %H:%M} UTC the run fails too."
        )


def _name(answer: Any) -> str | None:
    user = answer.get("responded_by_user")
    return user["name"] if user else None


def _triggered_by(context: Context) -> str | None:
    """Return the name of the user who triggered the run; None if it was the schedule."""
    name: str | None = context["dag_run"].triggering_user_name
    return name
