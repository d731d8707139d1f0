"""The operator that opens an endpoint for real-time classification, at most once."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from nightsort.naming import endpoint_arn
from nightsort_airflow.exceptions import (
    EndpointBrokenError,
    EndpointFailedError,
    EndpointGoneError,
    EndpointNameTakenError,
)
from nightsort_airflow.links.comprehend import ComprehendEndpointLink
from nightsort_airflow.operators.comprehend.endpoint import (
    CREATED,
    DELETED,
    UPDATED,
    ComprehendEndpointOperator,
)
from nightsort_airflow.states import EndpointStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort_airflow.hooks.endpoints import EndpointState

WhenDifferent = Literal["fail", "update", "update_model"]


class ComprehendCreateEndpointOperator(ComprehendEndpointOperator):
    """
    Open an endpoint that serves a classifier version, at most once.

    An endpoint is billed by the second and inference unit from its creation until it is deleted, whether it
    is used or not. Close it with ``ComprehendDeleteEndpointOperator``, as a teardown, so that it is closed
    whatever fails in between.

    The name identifies the endpoint: an account has at most one of a name. If it exists and serves the same
    model with the same inference units, it is taken over, whoever created it. What else the operator finds:

    - another model or other units: ``when_different`` says what to do;
    - ``DELETING``: the operator waits until it is gone, and creates it;
    - ``FAILED``: the operator deletes it, because AWS does not say whether it is billed, and creates it anew.

    If the endpoint of this task ends ``FAILED``, it is deleted, and the task fails with Comprehend's message;
    a retry creates it again. Where an endpoint is deleted, Application Auto Scaling is told to forget it:
    otherwise it would scale the next one of that name. Without the right to do so, the task warns and goes
    on. Give a deferrable task ``retries`` of at least 2: Airflow 3.3 sometimes fails a
    healthy deferred task, and a retry finds the endpoint.

    Killing the task while the endpoint is CREATING deletes the endpoint (``delete_on_kill``), since nobody
    uses it yet and it would be billed without end. AWS may refuse that until it is created; then the log says
    that it stays open. Once it is in service, a kill leaves it.

    The return value is a dict: ``endpoint_arn``, ``endpoint_name``, ``status``, ``model_arn``,
    ``inference_units`` and ``created_at`` (ISO 8601), from which on it is billed.

    .. seealso::
        For more information on how to use this operator, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.create_endpoint`.

    :param endpoint_name: The name of the endpoint, at most 40 characters. (templated)
    :param model_arn: The ARN of the classifier version to serve. (templated)
    :param desired_inference_units: The inference units: each serves 100 characters and at most 2 documents a
        second, and costs 1.80 USD an hour. (default: 1) (templated)
    :param when_different: What to do with an endpoint of this name that serves another model or has other
        units: ``"fail"``; ``"update"`` changes both; ``"update_model"`` changes the model alone, and leaves
        the units to auto scaling. (default: ``"fail"``)
    :param endpoint_kwargs: Further parameters of CreateEndpoint: ``Tags``, and ``DataAccessRoleArn`` for a
        model that is encrypted with a key of yours. (templated)
    :param delete_on_kill: Delete the endpoint when the task is killed before it is in service;
        :class:`~nightsort_airflow.triggers.endpoints.ComprehendEndpointReadyTrigger` says which kills a
        deferred task learns of. (default: True)
    :param wait_for_completion: Whether to wait until it is in service. (default: True)
    :param waiter_delay: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or 30)
    :param waiter_max_attempts: The number of polls. (default: as many as fit into 24 hours)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    custom_operator_name = "Open endpoint"
    template_fields: Sequence[str] = aws_template_fields(
        "endpoint_name", "model_arn", "desired_inference_units", "endpoint_kwargs"
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"endpoint_kwargs": "json"}

    def __init__(
        self,
        *,
        endpoint_name: str,
        model_arn: str,
        desired_inference_units: int | str = 1,
        when_different: WhenDifferent = "fail",
        endpoint_kwargs: dict[str, Any] | None = None,
        delete_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.model_arn = model_arn
        self.desired_inference_units = desired_inference_units
        self.when_different = when_different
        self.endpoint_kwargs = endpoint_kwargs or {}
        self.delete_on_kill = delete_on_kill

    def _doing(self) -> str:
        return f"open the endpoint {self.endpoint_name}"

    def _reach(self, context: Context) -> dict[str, Any]:
        arn = endpoint_arn(self.model_arn, self.endpoint_name)
        units = None if self.when_different == "update_model" else int(self.desired_inference_units)
        while True:
            endpoint = self.hook.find_endpoint(arn) or self._create(context, arn)
            self.persist_link(ComprehendEndpointLink, context)
            if endpoint.status is EndpointStatus.DELETING:
                self._wait(DELETED, arn)
            elif endpoint.status is EndpointStatus.FAILED:
                self._replace(endpoint)
            elif endpoint.differs_from(self.model_arn, units):
                self._require_update(endpoint)
                self._change(endpoint, self.model_arn, units)
            elif endpoint.is_ready or not self.wait_for_completion:
                self.log.info("The endpoint is %s and serves %s: %s", endpoint.status, endpoint.serves, arn)
                return endpoint.to_dict()
            elif endpoint.status is EndpointStatus.CREATING:
                self._wait(CREATED, arn, delete_on_kill=self.delete_on_kill)
            else:
                self._wait(UPDATED, arn)

    def _create(self, context: Context, arn: str) -> EndpointState:
        if CREATED in self._waited:
            raise EndpointGoneError(
                "The endpoint disappeared while it was created: somebody deleted it. A retry creates it "
                f"again. {arn}"
            )
        request = {
            "EndpointName": self.endpoint_name,
            "ModelArn": self.model_arn,
            "DesiredInferenceUnits": int(self.desired_inference_units),
            **self.endpoint_kwargs,
        }
        if self.hook.create_endpoint({"ClientRequestToken": _token(request, context), **request}):
            self.log.info("The endpoint is created, and billed from now on: %s", arn)
        # Without an ARN, the name was taken between the two calls: by a twin of this task, or by our own call
        # whose answer was lost.
        endpoint = self.hook.find_endpoint(arn)
        if endpoint is None:
            raise EndpointGoneError(
                f"The endpoint was asked for, and cannot be described; a retry asks again. {arn}"
            )
        return endpoint

    def _replace(self, endpoint: EndpointState) -> None:
        """Delete an endpoint that has failed; fail if it is the one that this try waited for."""
        self._unscale(endpoint.arn)
        self.hook.delete_endpoint(endpoint.arn)
        cause = f"The endpoint ended FAILED: {endpoint.message}. It is deleted"
        if not {CREATED, UPDATED} & {*self._waited}:
            self.log.warning("%s, and created again. %s", cause, endpoint.arn)
            return
        # Comprehend writes a code before the sentence, for instance KMS_ACCESS_DENIED.
        if "ACCESS" in endpoint.message.partition(":")[0].split("_"):
            raise EndpointBrokenError(
                f"{cause}. Give a DataAccessRoleArn that has this permission, then clear the task. "
                f"{endpoint.arn}"
            )
        raise EndpointFailedError(f"{cause}; a retry creates it again. {endpoint.arn}")

    def _require_update(self, endpoint: EndpointState) -> None:
        if self.when_different == "fail":
            raise EndpointNameTakenError(
                f"An endpoint of this name serves something else: {endpoint.serves}. Choose another "
                "`endpoint_name`, change the endpoint with ComprehendUpdateEndpointOperator, or set "
                f"`when_different`. {endpoint.arn}"
            )


def _token(request: dict[str, Any], context: Context) -> str:
    """
    Return the token of a try.

    AWS may answer a repeated token with the endpoint that it once created, even if that was deleted since. So
    each opening has its own; that there is never a second endpoint follows from the name.
    """
    ti: Any = context["ti"]
    opening = (getattr(ti, "id", None), getattr(ti, "try_number", None))
    text = json.dumps([request, *map(str, opening)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
