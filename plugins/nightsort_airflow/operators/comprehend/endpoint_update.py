"""The operator that changes the model or the inference units of an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from nightsort_airflow.links.comprehend import ComprehendEndpointLink
from nightsort_airflow.operators.comprehend.endpoint import UPDATED, ComprehendEndpointOperator, usable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort_airflow.hooks.endpoints import EndpointState

BEFORE_KEY: Final = "comprehend_endpoint_before"


class ComprehendUpdateEndpointOperator(ComprehendEndpointOperator):
    """
    Change the model or the inference units of an endpoint, and wait until it serves them.

    Until then, the endpoint answers with the old model. An endpoint that serves what is asked for is left
    alone. If another change is under way, the operator waits for its end first.

    If the change fails, the task fails without a retry, and the message says what the endpoint serves.
    Killing the task stops nothing: the change continues, and a second run of the task finds it.

    The return value is that of ``ComprehendCreateEndpointOperator``, with ``previous_model_arn`` and
    ``previous_inference_units``: what it served before, for the way back.

    .. seealso::
        For more information on how to use this operator, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.update_endpoint`.

    :param endpoint_arn: The ARN of the endpoint. (templated)
    :param desired_model_arn: The ARN of the classifier version to serve. (default: None, as now) (templated)
    :param desired_inference_units: The inference units. (default: None, as now) (templated)
    :param wait_for_completion: Whether to wait until it serves them. (default: True)
    :param waiter_delay: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or 30)
    :param waiter_max_attempts: The number of polls. (default: as many as fit into 24 hours)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    custom_operator_name = "Change endpoint"
    template_fields: Sequence[str] = aws_template_fields(
        "endpoint_arn", "desired_model_arn", "desired_inference_units"
    )

    def __init__(
        self,
        *,
        endpoint_arn: str,
        desired_model_arn: str | None = None,
        desired_inference_units: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_arn = endpoint_arn
        self.desired_model_arn = desired_model_arn
        self.desired_inference_units = desired_inference_units

    def _doing(self) -> str:
        return f"change the endpoint {self.endpoint_arn}"

    def _reach(self, context: Context) -> dict[str, Any]:
        arn, model = self.endpoint_arn, self.desired_model_arn or None
        units = int(self.desired_inference_units) if self.desired_inference_units else None
        while True:
            endpoint = usable(self.hook.find_endpoint(arn), arn)
            self.persist_link(ComprehendEndpointLink, context)
            if endpoint.differs_from(model, units):
                self._remember(context, endpoint)
                self._change(endpoint, model, units)
            elif endpoint.is_ready or not self.wait_for_completion:
                self.log.info("The endpoint is %s and serves %s: %s", endpoint.status, endpoint.serves, arn)
                return {**endpoint.to_dict(), **self._before(context, endpoint)}
            else:
                self._wait(UPDATED, arn)

    def on_kill(self) -> None:
        """Log that the change continues."""
        self.log.warning("The change of the endpoint continues: %s", self.endpoint_arn)

    def _target(self) -> list[Any]:
        return [self.endpoint_arn, self.desired_model_arn, str(self.desired_inference_units)]

    def _remember(self, context: Context, endpoint: EndpointState) -> None:
        """Store what it serves, for a try that finds it changed already."""
        if UPDATED in self._waited:
            return
        if (store := context.get("task_state_store")) is not None:
            store.set(BEFORE_KEY, [self._target(), endpoint.model_arn, endpoint.units])

    def _before(self, context: Context, endpoint: EndpointState) -> dict[str, Any]:
        store = context.get("task_state_store")
        stored: Any = store.get(BEFORE_KEY, default=None) if store is not None else None
        # The store survives a clear, after which the task may have another target.
        if stored and stored[0] == self._target():
            model, units = stored[1:]
        else:
            model, units = endpoint.model_arn, endpoint.units
        return {"previous_model_arn": model, "previous_inference_units": units}
