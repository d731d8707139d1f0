"""What the hook asks Comprehend about endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from nightsort.naming import CLASSIFIER_TAG, ENDPOINT_PREFIX
from nightsort.wording import number_of
from nightsort_airflow.aws_errors import error_code
from nightsort_airflow.exceptions import EndpointStateUnknownError
from nightsort_airflow.states import EndpointStatus, Phase

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_comprehend.client import ComprehendClient
    from mypy_boto3_comprehend.type_defs import EndpointPropertiesTypeDef

IN_USE = "ResourceInUseException"
GONE = "ResourceNotFoundException"
NOT_IN_SERVICE = "ResourceUnavailableException"
NOT_SCALED = "ObjectNotFoundException"

SCALED_UNITS: Final = "comprehend:document-classifier-endpoint:DesiredInferenceUnits"


def scalable(arn: str) -> dict[str, str]:
    """
    Return what Application Auto Scaling calls the units of an endpoint.

    :param arn: the endpoint's ARN.
    """
    return {"ServiceNamespace": "comprehend", "ResourceId": arn, "ScalableDimension": SCALED_UNITS}


def unscaling(arn: str) -> str:
    """
    Return the command of AWS's command line that takes an endpoint out of Application Auto Scaling.

    :param arn: the endpoint's ARN.
    """
    return (
        "aws application-autoscaling deregister-scalable-target --service-namespace comprehend "
        f"--scalable-dimension {SCALED_UNITS} --resource-id {arn}"
    )


@dataclass(frozen=True)
class EndpointState:
    """
    An endpoint as Comprehend described it at one moment.

    :param arn: its ARN.
    :param status: its state.
    :param properties: what DescribeEndpoint or ListEndpoints answered.
    """

    arn: str
    status: EndpointStatus
    properties: EndpointPropertiesTypeDef

    @classmethod
    def of(cls, properties: EndpointPropertiesTypeDef) -> EndpointState:
        """
        Read what Comprehend answered.

        :param properties: the endpoint's properties.
        :raises EndpointStateUnknownError: on a state that is not in botocore's enum.
        """
        arn, status = properties.get("EndpointArn", ""), properties.get("Status", "")
        try:
            return cls(arn, EndpointStatus(status), properties)
        except ValueError:
            raise EndpointStateUnknownError(
                f"Comprehend reports the unknown state {status!r}: update Nightsort (states.py). {arn}"
            ) from None

    @property
    def name(self) -> str:
        """EndpointName."""
        return self.arn.rpartition("/")[2]

    @property
    def is_ready(self) -> bool:
        """Whether it is in service, and no change is under way."""
        return self.status is EndpointStatus.IN_SERVICE

    @property
    def is_changing(self) -> bool:
        """Whether it is being created or updated; until then it can be neither updated nor deleted."""
        return self.status.phase is Phase.RUNNING

    @property
    def model_arn(self) -> str:
        """The classifier version that answers now."""
        return self.properties.get("ModelArn", "")

    @property
    def desired_model_arn(self) -> str:
        """The classifier version that answers when no change is under way any more."""
        return self.properties.get("DesiredModelArn") or self.model_arn

    @property
    def units(self) -> int:
        """The inference units now; 0 while it is created."""
        return self.properties.get("CurrentInferenceUnits", 0)

    @property
    def desired_units(self) -> int:
        """The inference units when no change is under way any more."""
        return self.properties.get("DesiredInferenceUnits") or self.units

    @property
    def billed_units(self) -> int:
        """The inference units that are billed, or are about to be."""
        return max(self.units, self.desired_units)

    @property
    def message(self) -> str:
        """Comprehend's message."""
        return self.properties.get("Message", "no message").rstrip(".")

    @property
    def created(self) -> datetime | None:
        """When it was created; it is billed from then on."""
        return self.properties.get("CreationTime")

    @property
    def changed(self) -> datetime | None:
        """When it was created or last asked to change."""
        return self.properties.get("LastModifiedTime") or self.created

    @property
    def serves(self) -> str:
        """What it serves, for messages."""
        version = self.model_arn.partition(":document-classifier/")[2] or self.model_arn
        return f"{version} with {number_of(self.units or self.desired_units, 'inference unit')}"

    def differs_from(self, model_arn: str | None, units: int | None) -> bool:
        """
        Return whether it serves something else; during a change: whether it is about to.

        :param model_arn: the classifier version that it should serve; None: any.
        :param units: its inference units; None: any.
        """
        if self.is_changing:
            found = (self.desired_model_arn, self.desired_units)
        else:
            found = (self.model_arn, self.units or self.desired_units)
        return (model_arn is not None and model_arn != found[0]) or (units is not None and units != found[1])

    def to_dict(self) -> dict[str, Any]:
        """Return what operators return, as JSON-safe values."""
        return {
            "endpoint_arn": self.arn,
            "endpoint_name": self.name,
            "status": str(self.status),
            "model_arn": self.model_arn,
            "inference_units": self.units or self.desired_units,
            "created_at": self.created.isoformat() if self.created else None,
        }


@dataclass(frozen=True)
class OurEndpoint:
    """
    An endpoint that Nightsort opened.

    :param state: the endpoint.
    :param classifier: name of the spec, from the endpoint's tag.
    """

    state: EndpointState
    classifier: str


@dataclass(frozen=True)
class UnknownEndpoint:
    """
    An endpoint that Nightsort opened, in a state that it does not know.

    :param arn: its ARN.
    :param classifier: name of the spec, from the endpoint's tag.
    :param why: the state, and what to do, as a sentence.
    """

    arn: str
    classifier: str
    why: str


class EndpointCalls:
    """The part of the hook that is about endpoints. Not for use by itself."""

    @property
    def client(self) -> ComprehendClient:
        """The boto3 client, typed."""
        raise NotImplementedError

    @property
    def scaling(self) -> Any:
        """The boto3 client of Application Auto Scaling."""
        raise NotImplementedError

    def unscale(self, arn: str) -> None:
        """
        Take the units of an endpoint out of Application Auto Scaling, if they are there.

        A target outlives its endpoint, and would scale the next one of that name.

        :param arn: the endpoint's ARN.
        """
        try:
            self.scaling.deregister_scalable_target(**scalable(arn))
        except ClientError as error:
            if error_code(error) != NOT_SCALED:
                raise

    def scaled(self) -> list[str]:
        """Return the ARNs of all endpoints that Application Auto Scaling knows, also if they are gone."""
        pages = self.scaling.get_paginator("describe_scalable_targets").paginate(
            ServiceNamespace="comprehend", ScalableDimension=SCALED_UNITS
        )
        return [target["ResourceId"] for page in pages for target in page["ScalableTargets"]]

    def find_endpoint(self, arn: str) -> EndpointState | None:
        """
        Return the state of an endpoint, or None when there is no such endpoint.

        :param arn: the endpoint's ARN.
        :raises EndpointStateUnknownError: on a state that is not in botocore's enum.
        """
        try:
            answer = self.client.describe_endpoint(EndpointArn=arn)
        except ClientError as error:
            if error_code(error) == GONE:
                return None
            raise
        return EndpointState.of(answer["EndpointProperties"])

    def create_endpoint(self, request: dict[str, Any]) -> str | None:
        """
        Create an endpoint, which is billed from now on.

        :param request: the request of CreateEndpoint.
        :returns: its ARN; None when the name is taken.
        """
        try:
            arn: str = self.client.create_endpoint(**request)["EndpointArn"]
        except ClientError as error:
            if error_code(error) == IN_USE:
                return None
            raise
        return arn

    def update_endpoint(self, arn: str, *, model_arn: str | None = None, units: int | None = None) -> bool:
        """
        Ask an endpoint to serve another model, or with other units. Until it has changed, the old answers.

        :param arn: the endpoint's ARN.
        :param model_arn: the classifier version to serve; None: as now.
        :param units: the inference units; None: as now.
        :returns: False when another change is still under way.
        """
        request: dict[str, Any] = {"EndpointArn": arn}
        if model_arn is not None:
            request["DesiredModelArn"] = model_arn
        if units is not None:
            request["DesiredInferenceUnits"] = units
        try:
            self.client.update_endpoint(**request)
        except ClientError as error:
            if error_code(error) == IN_USE:
                return False
            raise
        return True

    def delete_endpoint(self, arn: str) -> bool:
        """
        Delete an endpoint, if there is one.

        :param arn: the endpoint's ARN.
        :returns: False when it is still being created or updated: ask again later.
        """
        try:
            self.client.delete_endpoint(EndpointArn=arn)
        except ClientError as error:
            if error_code(error) == IN_USE:
                return False
            if error_code(error) != GONE:
                raise
        return True

    def our_endpoints(self) -> tuple[list[OurEndpoint], list[UnknownEndpoint]]:
        """
        Return the endpoints that Nightsort opened: those for classifiers with its prefix and its tag.

        :returns: those whose state is known, and the others.
        """
        pages = self.client.get_paginator("list_endpoints").paginate()
        named = [
            properties
            for page in pages
            for properties in page.get("EndpointPropertiesList", [])
            if f":document-classifier-endpoint/{ENDPOINT_PREFIX}" in properties.get("EndpointArn", "")
        ]
        known: list[OurEndpoint] = []
        unknown: list[UnknownEndpoint] = []
        for properties in named:
            arn = properties["EndpointArn"]
            classifier = self.endpoint_tags(arn).get(CLASSIFIER_TAG)
            if classifier is None:
                continue
            try:
                known.append(OurEndpoint(EndpointState.of(properties), classifier))
            except EndpointStateUnknownError as error:
                unknown.append(UnknownEndpoint(arn, classifier, str(error)))
        return known, unknown

    def endpoint_tags(self, arn: str) -> dict[str, str]:
        """
        Return the tags of an endpoint; none if there is no such endpoint.

        :param arn: the endpoint's ARN.
        """
        try:
            answer = self.client.list_tags_for_resource(ResourceArn=arn)
        except ClientError as error:
            # It was deleted since it was listed.
            if error_code(error) == GONE:
                return {}
            raise
        return {tag["Key"]: tag.get("Value", "") for tag in answer.get("Tags", [])}


class EndpointsOf(EndpointCalls):
    """
    The hook's questions about endpoints, by a client of one's own.

    :param client: a boto3 client for Comprehend.
    :param scaling: a boto3 client for Application Auto Scaling.
    """

    def __init__(self, client: ComprehendClient, scaling: Any) -> None:
        self._client, self._scaling = client, scaling

    @property
    def client(self) -> ComprehendClient:
        """The boto3 client, typed."""
        return self._client

    @property
    def scaling(self) -> Any:
        """The boto3 client of Application Auto Scaling."""
        return self._scaling
