"""The operations on endpoints, which serve a classifier for ClassifyDocument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.comprehend import arns
from nightsort_local.local_aws.comprehend.errors import (
    ApiError,
    invalid_request,
    resource_in_use,
    resource_not_found,
    resource_unavailable,
)
from nightsort_local.local_aws.comprehend.lifecycle import Lifecycle
from nightsort_local.local_aws.comprehend.listing import Order, page, select
from nightsort_local.local_aws.comprehend.states import USABLE_CLASSIFIER, USABLE_ENDPOINT
from nightsort_local.local_aws.comprehend.store import ENDPOINT
from nightsort_local.local_aws.comprehend.tags import check_tags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from nightsort_local.local_aws.comprehend.store import Resource, Store
    from nightsort_local.local_aws.comprehend.timers import Timers
    from nightsort_local.local_aws.settings import Settings
    from nightsort_local.local_aws.work.real_time import RealTimeProcess
    from nightsort_local.local_aws.work.tasks import TextClasses

MAX_ENDPOINTS: Final = 10
MAX_INFERENCE_UNITS: Final = 10
MAX_ACCOUNT_INFERENCE_UNITS: Final = 100
"""Quotas of an account: endpoints, inference units of one endpoint, inference units of all (guide,
guidelines-and-limits, 2023). Newer dumps of the quotas have 20, 50 and 200; the lower values are safe. AWS
can raise them for an account."""

_UPDATED: Final = {
    "DesiredModelArn": "ModelArn",
    "DesiredInferenceUnits": "CurrentInferenceUnits",
    "DesiredDataAccessRoleArn": "DataAccessRoleArn",
}
"""Members of an update, and the members that show them when the update is done."""


class EndpointOperations:
    """Create, describe, update, list and delete endpoints.

    :param store: the resources.
    :param timers: the pending state changes.
    :param real_time: loads the models.
    :param settings: the server's settings.
    """

    def __init__(self, store: Store, timers: Timers, real_time: RealTimeProcess, settings: Settings) -> None:
        self._store = store
        self._real_time = real_time
        self._settings = settings
        self._lifecycle = Lifecycle(
            timers,
            {
                "CREATING": ("endpoint_seconds", self._read_model),
                "UPDATING": ("endpoint_seconds", self._read_model),
                "DELETING": ("deletion_seconds", lambda endpoint: store.remove(endpoint.arn)),
            },
        )

    # --- operations -----------------------------------------------------------------------------------------

    def create_endpoint(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Start the creation of an endpoint."""
        endpoint = self._store.created_by(ENDPOINT, region, request)
        if endpoint is None:
            model = _model_of(request, "ModelArn")
            if model is None:
                raise invalid_request("INVALID_REQUEST: Give a ModelArn or a FlywheelArn.")
            check_tags(request.get("Tags", ()))
            self._check_model(model, region)
            arn = arns.endpoint_arn(region, request["EndpointName"])
            if self._store.find(arn) is not None:
                raise resource_in_use(f"RESOURCE_IN_USE: There already is an endpoint {arn}.")
            self._check_quota(region, request["DesiredInferenceUnits"])
            endpoint = self._store.add(ENDPOINT, arn, region, _properties(request, arn), request)
            endpoint.properties["LastModifiedTime"] = endpoint.created
            self._store.keep(endpoint)
            self._lifecycle.schedule_next(endpoint)
        # In recordings there is no ModelArn: it seems to be for endpoints of a flywheel.
        return {"EndpointArn": endpoint.arn}

    def describe_endpoint(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Return an endpoint's properties."""
        return {"EndpointProperties": self._get(request, region).shown()}

    def update_endpoint(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Start to change an endpoint's model, inference units or role."""
        endpoint = self._get(request, region)
        model = _model_of(request, "DesiredModelArn")
        desired = {member: request[member] for member in _UPDATED if member in request}
        if not desired:
            raise invalid_request(f"INVALID_REQUEST: Give at least one of {', '.join(_UPDATED)}.")
        _refuse_while_changing(endpoint, "updated")
        if endpoint.state != "IN_SERVICE":
            raise resource_unavailable(
                f"RESOURCE_UNAVAILABLE: {endpoint.arn} is {endpoint.state} and cannot be updated."
            )
        if model is not None:
            self._check_model(model, region)
        if "DesiredInferenceUnits" in desired:
            self._check_quota(region, desired["DesiredInferenceUnits"], endpoint)
        endpoint.change_state("UPDATING", **desired, LastModifiedTime=now())
        self._lifecycle.schedule_next(endpoint)
        # In recordings there is no DesiredModelArn: it seems to be for endpoints of a flywheel.
        return {}

    def list_endpoints(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """List endpoints."""
        found = select(
            self._store.all_of(ENDPOINT, region),
            request,
            {
                "Status": lambda endpoint, status: endpoint.state == status,
                "ModelArn": lambda endpoint, arn: endpoint.properties["ModelArn"] == arn,
            },
            Order.NEWEST_FIRST,
            # The operation models no InvalidFilterException.
            wrong_filter="InvalidRequestException",
        )
        items = [(endpoint.arn, endpoint.shown()) for endpoint in found]
        return page(items, request, "EndpointPropertiesList", region)

    def delete_endpoint(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Start the deletion of an endpoint."""
        endpoint = self._get(request, region)
        _refuse_while_changing(endpoint, "deleted")
        if endpoint.state != "DELETING":
            endpoint.change_state("DELETING")
            self._lifecycle.schedule_next(endpoint)
        return {}

    # --- lifecycle ------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Continue the work of an earlier server; load the models of the endpoints."""
        for endpoint in self._store.all_of(ENDPOINT):
            self._lifecycle.schedule_next(endpoint)
            if endpoint.state in USABLE_ENDPOINT:
                self._real_time.classify(self._model_path(endpoint, "ModelArn"), None)

    def _read_model(self, endpoint: Resource) -> None:
        classifier = self._store.get(endpoint.properties["DesiredModelArn"], endpoint.region)
        roles = ("DesiredDataAccessRoleArn", "DataAccessRoleArn")
        if "ModelKmsKeyId" in classifier.properties and not any(
            role in endpoint.properties for role in roles
        ):
            # Roles are used when they are needed, not when they are set (seen for trainings).
            message = (
                "KMS_ACCESS_DENIED: The model is encrypted. Give a data access role that can decrypt it."
            )
            endpoint.change_state("FAILED", Message=message)
            return

        def ended(future: Future[TextClasses]) -> None:
            if not future.cancelled():
                with self._store.lock:
                    self._settle(endpoint, future.exception())

        path = self._model_path(endpoint, "DesiredModelArn")
        self._real_time.classify(path, None).add_done_callback(ended)

    def _model_path(self, endpoint: Resource, member: str) -> str:
        classifier = self._store.get(endpoint.properties[member], endpoint.region)
        return str(self._settings.model_path(classifier.model_file or ""))

    def _settle(self, endpoint: Resource, problem: BaseException | None) -> None:
        if problem is not None:
            endpoint.change_state("FAILED", Message=f"INTERNAL_ERROR: {problem}.")
            return
        properties = endpoint.properties
        done = {shown: properties[member] for member, shown in _UPDATED.items() if member in properties}
        endpoint.change_state("IN_SERVICE", **done)

    # --- checks ---------------------------------------------------------------------------------------------

    def _get(self, request: Mapping[str, Any], region: str) -> Resource:
        return self._store.get(request["EndpointArn"], region)

    def _check_model(self, arn: str, region: str) -> None:
        classifier = self._store.get(arn, region)
        if classifier.state not in USABLE_CLASSIFIER:
            raise resource_unavailable(
                f"RESOURCE_UNAVAILABLE: {arn} is {classifier.state}; it cannot classify."
            )

    def _check_quota(self, region: str, units: int, changed: Resource | None = None) -> None:
        others = [
            found
            for found in self._store.all_of(ENDPOINT, region)
            if found.is_active and found is not changed
        ]
        if len(others) >= MAX_ENDPOINTS:
            raise _limit(f"{len(others)} endpoints are active, which is the maximum.")
        if units > MAX_INFERENCE_UNITS:
            raise _limit(f"An endpoint can have at most {MAX_INFERENCE_UNITS} inference units.")
        if (
            sum(other.properties["DesiredInferenceUnits"] for other in others) + units
            > MAX_ACCOUNT_INFERENCE_UNITS
        ):
            raise _limit(f"An account can have at most {MAX_ACCOUNT_INFERENCE_UNITS} inference units.")


def _model_of(request: Mapping[str, Any], member: str) -> str | None:
    """Return the model of a request; refuse flywheels, which do not exist here."""
    if "FlywheelArn" not in request:
        model: str | None = request.get(member)
        return model
    if member in request:
        raise invalid_request(f"INVALID_REQUEST: Give either {member} or FlywheelArn.")
    raise resource_not_found()


def _refuse_while_changing(endpoint: Resource, what: str) -> None:
    if endpoint.state in ("CREATING", "UPDATING"):
        raise resource_in_use(
            f"RESOURCE_IN_USE: {endpoint.arn} is {endpoint.state}; it can be {what} afterwards."
        )


def _properties(request: Mapping[str, Any], arn: str) -> dict[str, Any]:
    properties = {
        "EndpointArn": arn,
        "ModelArn": request["ModelArn"],
        # The desired members are always shown, even when no change is pending (seen in AWS's examples).
        "DesiredModelArn": request["ModelArn"],
        "DesiredInferenceUnits": request["DesiredInferenceUnits"],
    }
    if "DataAccessRoleArn" in request:
        properties["DataAccessRoleArn"] = request["DataAccessRoleArn"]
    return properties


def _limit(message: str) -> ApiError:
    return ApiError("ResourceLimitExceededException", f"RESOURCE_LIMIT_EXCEEDED: {message}")
