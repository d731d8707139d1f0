"""The operator that closes an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from nightsort_airflow.links.comprehend import ComprehendEndpointLink
from nightsort_airflow.operators.comprehend.endpoint import DELETED, SETTLED, ComprehendEndpointOperator
from nightsort_airflow.states import EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort_airflow.hooks.endpoints import EndpointState

FOUND_KEY: Final = "comprehend_endpoint_found"


class ComprehendDeleteEndpointOperator(ComprehendEndpointOperator):
    """
    Close an endpoint, and wait until it is gone.

    An endpoint that is gone already is a success, so this is a good teardown. An endpoint that is still being
    created or updated is deleted as soon as AWS allows it.

    Where Application Auto Scaling changes its units, it is told to forget the endpoint: otherwise it would
    scale the next one of that name. Without the right to do so, the task warns and goes on.

    If the task is killed while the endpoint cannot be deleted yet, the triggerer still tries for some
    seconds, and the log says whether the endpoint stays open. Afterwards a kill stops nothing: the deletion
    continues.

    The return value is a dict: ``endpoint_arn``, ``deleted`` (False where there was none), and of what was
    there ``model_arn``, ``inference_units`` and ``created_at``.

    .. seealso::
        For more information on how to use this operator, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.delete_endpoint`.

    :param endpoint_arn: The ARN of the endpoint. (templated)
    :param wait_for_completion: Whether to wait until it is gone. (default: True)
    :param waiter_delay: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or 30)
    :param waiter_max_attempts: The number of polls. (default: as many as fit into 24 hours)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    custom_operator_name = "Close endpoint"
    template_fields: Sequence[str] = aws_template_fields("endpoint_arn")

    def __init__(self, *, endpoint_arn: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint_arn = endpoint_arn

    def _doing(self) -> str:
        return f"close the endpoint {self.endpoint_arn}"

    def _reach(self, context: Context) -> dict[str, Any]:
        arn = self.endpoint_arn
        while True:
            endpoint = self.hook.find_endpoint(arn)
            if endpoint is None:
                return {"endpoint_arn": arn, **self._found(context)}
            self.persist_link(ComprehendEndpointLink, context)
            self._remember(context, endpoint)
            if endpoint.status is not EndpointStatus.DELETING:
                self._unscale(arn)
                if endpoint.is_changing or not self.hook.delete_endpoint(arn):
                    self._wait(SETTLED, arn, delete_on_kill=True)
                    continue
                self.log.info("The endpoint is deleted, and not billed any more: %s", arn)
            if not self.wait_for_completion:
                return {"endpoint_arn": arn, **self._found(context)}
            self._wait(DELETED, arn)

    def _remember(self, context: Context, endpoint: EndpointState) -> None:
        """Store what was there, for a try that finds it gone."""
        if (store := context.get("task_state_store")) is not None:
            store.set(FOUND_KEY, [self.endpoint_arn, endpoint.to_dict()])

    def _found(self, context: Context) -> dict[str, Any]:
        store = context.get("task_state_store")
        stored: Any = store.get(FOUND_KEY, default=None) if store is not None else None
        if not stored or stored[0] != self.endpoint_arn:
            return {"deleted": False}
        kept = ("model_arn", "inference_units", "created_at")
        return {"deleted": True, **{key: stored[1][key] for key in kept}}
