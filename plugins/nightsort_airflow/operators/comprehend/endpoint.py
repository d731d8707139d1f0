"""What the operators for endpoints share: they look, do one step, wait, and look again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from nightsort_airflow.aws_errors import fail_on_permanent_aws_errors, is_denied, remedy
from nightsort_airflow.exceptions import (
    EndpointBrokenError,
    EndpointUnfinishedError,
    EndpointUpdateFailedError,
)
from nightsort_airflow.hooks.comprehend import WAITER_DELETED, WAITER_IN_SERVICE
from nightsort_airflow.links.comprehend import ComprehendEndpointLink
from nightsort_airflow.settings import ENDPOINT_POLL_SECONDS
from nightsort_airflow.states import EndpointStatus
from nightsort_airflow.triggers.endpoints import (
    STAYS_OPEN,
    ComprehendEndpointDeletedTrigger,
    ComprehendEndpointReadyTrigger,
)
from nightsort_airflow.waiting import ComprehendWaitingOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort_airflow.hooks.endpoints import EndpointState

# What a try waits for, each at most once: a second wait for the same would have no end.
SETTLED: Final = "settled"
CREATED: Final = "created"
UPDATED: Final = "updated"
DELETED: Final = "deleted"


def usable(endpoint: EndpointState | None, arn: str) -> EndpointState:
    """
    Return an endpoint that serves a model, or is about to.

    :param endpoint: what was found.
    :param arn: its ARN.
    :raises EndpointBrokenError: when there is none, or it is FAILED or DELETING.
    """
    if endpoint is None:
        raise EndpointBrokenError(
            f"There is no such endpoint (any more): open it with ComprehendCreateEndpointOperator. {arn}"
        )
    if endpoint.status is EndpointStatus.FAILED:
        raise EndpointBrokenError(
            f"The endpoint is FAILED: {endpoint.message}. It served {endpoint.serves}, and AWS does not say "
            f"whether it still answers. Delete it, then open it again. {arn}"
        )
    if endpoint.status is EndpointStatus.DELETING:
        raise EndpointBrokenError(
            f"The endpoint is being deleted: open it again with ComprehendCreateEndpointOperator. {arn}"
        )
    return endpoint


class ComprehendEndpointOperator(ComprehendWaitingOperator):
    """
    Bring an endpoint into a state, step by step. Not for use by itself.

    Each step looks at the endpoint first, so a retry goes on wherever the earlier try died, and a resumed
    task takes nothing from the trigger but a message.
    """

    default_waiter_delay = ENDPOINT_POLL_SECONDS
    operator_extra_links = (ComprehendEndpointLink(),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._waited: list[str] = []
        self._message = ""
        self._deletes_on_kill: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the endpoint into the state, wait for it if asked to, and describe it."""
        # `dag.test()` executes one object several times.
        self._waited, self._message = [], ""
        return self._go_on(context)

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, waited: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Go on after a deferral. The state comes from Comprehend, not from the event."""
        self._waited, self._message = list(waited), (event or {}).get("message", "")
        return self._go_on(context)

    def _go_on(self, context: Context) -> dict[str, Any]:
        with fail_on_permanent_aws_errors(self._doing()):
            return self._reach(context)

    def _doing(self) -> str:
        """Say what the operator does, for messages."""
        raise NotImplementedError

    def _reach(self, context: Context) -> dict[str, Any]:
        """Do what is left to do."""
        raise NotImplementedError

    def _wait(self, what: str, arn: str, *, delete_on_kill: bool = False) -> None:
        """Wait in the triggerer or here; the caller then looks at the endpoint again."""
        if what in self._waited:
            raise EndpointUnfinishedError(
                f"The endpoint is not {what} yet. A retry waits for the same endpoint. {self._message} {arn}"
            )
        self._waited.append(what)
        self._deletes_on_kill = arn if delete_on_kill else None
        deleted = what == DELETED
        if self.deferrable:
            self.defer_to(
                ComprehendEndpointDeletedTrigger if deleted else ComprehendEndpointReadyTrigger,
                endpoint_arn=arn,
                **({} if deleted else {"delete_on_kill": delete_on_kill}),
                delay=self.waiter_delay,
                max_attempts=self.waiter_max_attempts,
                resume_kwargs={"waited": self._waited},
            )
        waiter = WAITER_DELETED if deleted else WAITER_IN_SERVICE
        self.hook.wait(waiter, self.waiter_delay, self.waiter_max_attempts, EndpointArn=arn)
        self._deletes_on_kill = None

    def _change(self, endpoint: EndpointState, model_arn: str | None, units: int | None) -> None:
        """Ask the endpoint to change, as soon as AWS takes it, and wait for it if asked to."""
        if UPDATED in self._waited:
            raise EndpointUpdateFailedError(
                f"The change of the endpoint failed: {endpoint.message}. It still serves {endpoint.serves}. "
                f"Correct the cause, then clear the task. {endpoint.arn}"
            )
        # While a change is under way, AWS refuses the next one.
        if endpoint.is_changing or not self.hook.update_endpoint(
            endpoint.arn, model_arn=model_arn, units=units
        ):
            self._wait(SETTLED, endpoint.arn)
            return
        self.log.info(
            "The endpoint is asked to change; so far it serves %s. %s", endpoint.serves, endpoint.arn
        )
        if self.wait_for_completion:
            self._wait(UPDATED, endpoint.arn)

    def _unscale(self, arn: str) -> None:
        """Let Application Auto Scaling forget an endpoint that is about to be deleted."""
        try:
            self.hook.unscale(arn)
        except ClientError as error:
            if not is_denied(error):
                raise
            self.log.warning(
                "If Application Auto Scaling changes the units of this endpoint, it will change those of the "
                "next one of its name, too: %s. %s %s",
                error,
                remedy(error),
                arn,
            )

    def on_kill(self) -> None:
        """Delete the endpoint if this process waits for it and that is wanted."""
        if self._deletes_on_kill is None:
            return
        if self.hook.delete_endpoint(self._deletes_on_kill):
            self.log.warning("Asked Comprehend to delete the endpoint: %s", self._deletes_on_kill)
        else:
            self.log.error(STAYS_OPEN, self._deletes_on_kill)
