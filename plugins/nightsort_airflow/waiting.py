"""What operators and sensors that wait for Comprehend share: their parameters, and how they defer."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import AwsBaseHookMixin
from airflow.sdk import conf

from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.lineage.extraction import WithLineage
from nightsort_airflow.settings import attempts, poll_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

    from nightsort_airflow.links.comprehend import ConsoleLink
    from nightsort_airflow.triggers.comprehend import ComprehendWaiterTrigger

DEFAULT_DEFERRABLE: bool = conf.getboolean("operators", "default_deferrable", fallback=False)


class ComprehendWaiting(AwsBaseHookMixin[ComprehendClassificationHook]):
    """Defer to Comprehend's triggers, and link to AWS's console, with the connection of the task."""

    aws_hook_class = ComprehendClassificationHook
    ui_color = "#66c3ff"

    if TYPE_CHECKING:
        defer: Callable[..., NoReturn]
        do_xcom_push: bool

    def defer_to(
        self,
        trigger: type[ComprehendWaiterTrigger],
        *,
        delay: int,
        max_attempts: int,
        resume_kwargs: Mapping[str, Any] | None = None,
        **trigger_kwargs: Any,
    ) -> NoReturn:
        """
        Wait in the triggerer; the task resumes with ``execute_complete``.

        :param trigger: the trigger's class.
        :param delay: seconds between two polls.
        :param max_attempts: the number of polls.
        :param resume_kwargs: further arguments of ``execute_complete``.
        :param trigger_kwargs: the trigger's own parameters.
        """
        self.defer(
            trigger=trigger(
                **trigger_kwargs,
                waiter_delay=delay,
                waiter_max_attempts=max_attempts,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name="execute_complete",
            kwargs=resume_kwargs,
            timeout=timedelta(seconds=delay * (max_attempts + 2)),
        )

    @cached_property
    def console_links(self) -> dict[str, str]:
        """The addresses of the task's links, by XCom key."""
        return {}

    def persist_link(self, link: type[ConsoleLink], context: Context, **ids: str) -> None:
        """
        Store the address of a link to the AWS console, so that the UI shows it from now on.

        There is none where Comprehend is not AWS's, as in the local stack: the console knows nothing of it.

        :param link: the link's class.
        :param context: the task's context.
        :param ids: what the link's page shows.
        """
        if not self.do_xcom_push or not self.hook.is_aws:
            return
        address = link.address(partition=self.hook.conn_partition, region=self.hook.conn_region_name, **ids)
        key = link().xcom_key
        if address and self.console_links.get(key) != address:
            self.console_links[key] = address
            context["ti"].xcom_push(key=key, value=address)


class ComprehendWaitingOperator(
    WithLineage, ComprehendWaiting, AwsBaseOperator[ComprehendClassificationHook]
):
    """
    An operator that starts something in Comprehend and can wait for it. Not for use by itself.

    :param wait_for_completion: Whether to wait for the end. (default: True)
    :param waiter_delay: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or what suits the
        operator)
    :param waiter_max_attempts: The number of polls. (default: as many as fit into 24 hours)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    """

    default_waiter_delay: ClassVar[int]

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        waiter_delay: int | None = None,
        waiter_max_attempts: int | None = None,
        deferrable: bool = DEFAULT_DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.waiter_delay = waiter_delay or poll_seconds(self.default_waiter_delay)
        self.waiter_max_attempts = waiter_max_attempts or attempts(self.waiter_delay)
        self.deferrable = deferrable
