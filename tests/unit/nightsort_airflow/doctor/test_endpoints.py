"""An endpoint that is open when it should not be is named, with what it costs and how to close it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from nightsort.classifier_spec.real_time import RealTime
from nightsort_airflow.doctor.aws_access import AwsAccess
from nightsort_airflow.doctor.endpoints import endpoint_checks
from nightsort_airflow.doctor.findings import Check, State, ok
from nightsort_airflow.doctor.run_checks import examine
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort_airflow.doctor.findings import Finding

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier-endpoint"
MODEL = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v1"
KEYS: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
KNOWN = Check("AWS", "connection", lambda: ok("known"))
TARGET = {
    "ServiceNamespace": "comprehend",
    "ScalableDimension": "comprehend:document-classifier-endpoint:DesiredInferenceUnits",
    "MinCapacity": 1,
    "MaxCapacity": 4,
    "RoleARN": "arn:aws:iam::123456789012:role/scaling",
    "CreationTime": datetime(2026, 11, 18, tzinfo=timezone.utc),
}
SCALED = RealTime.model_validate({"hours": "always", "budget_usd_day": None, "autoscale": {"max": 4}})
ALWAYS = RealTime.model_validate({"hours": "always", "budget_usd_day": None})


def spec(name: str, real_time: RealTime | None) -> ClassifierSpec:
    return local_spec(Path("/nowhere"), name=name).model_copy(update={"real_time": real_time})


def hours_of_another_day() -> RealTime:
    day = (datetime.now(timezone.utc) + timedelta(days=3)).strftime("%a").lower()
    return RealTime.model_validate({"hours": "08:00-18:00", "days": day})


def clients() -> tuple[AwsAccess, Stubber, Stubber]:
    access = AwsAccess("aws_default")
    names: Any = ("comprehend", "application-autoscaling")
    made = [boto3.client(name, "eu-west-1", **KEYS) for name in names]
    access._clients |= dict(zip(names, made, strict=True))
    return access, Stubber(made[0]), Stubber(made[1])


def found(
    specs: list[ClassifierSpec],
    open_ones: dict[str, int],
    only: str | None = None,
    status: str = "IN_SERVICE",
    scaled: Sequence[str] | None = (),
) -> Finding:
    """What the doctor says of open endpoints with so many units, and of those that are scaled."""
    access, comprehend, scaling = clients()
    listed = [
        {"EndpointArn": f"{ARN}/nightsort-{name}", "Status": status, "ModelArn": MODEL,
         "CurrentInferenceUnits": units}
        for name, units in open_ones.items()
    ]  # fmt: skip
    with comprehend as stub, scaling:
        if scaled is None:
            scaling.add_client_error("describe_scalable_targets", "AccessDeniedException")
        else:
            targets = [{**TARGET, "ResourceId": f"{ARN}/{name}"} for name in scaled]
            scaling.add_response("describe_scalable_targets", {"ScalableTargets": targets})
        stub.add_response("list_endpoints", {"EndpointPropertiesList": listed})
        for name in open_ones:
            tags = [{"Key": "nightsort:classifier", "Value": name}]
            stub.add_response("list_tags_for_resource", {"Tags": tags})
        known = {found.name: found for found in specs}
        checked = [found for found in specs if only in (None, found.name)]
        (finding,) = examine(endpoint_checks(access, checked, known, KNOWN))
    return finding


def test_none_is_open() -> None:
    assert (found([], {}).state, found([], {}).says) == (State.OK, "none is open")


def test_an_endpoint_within_its_hours_is_named_with_what_it_costs() -> None:
    finding = found([spec("tickets", ALWAYS)], {"tickets": 2})
    assert finding.state is State.OK
    assert finding.says == "tickets: IN_SERVICE, 2 inference units, 86.40 USD a day"


@pytest.mark.parametrize(
    ("specs", "why"),
    [
        ([], "and there is no spec of this name here"),
        ([spec("tickets", None)], "but its spec has no real_time"),
        ([spec("tickets", hours_of_another_day())], "but its hours are 08:00-18:00"),
    ],
)
def test_an_endpoint_that_should_be_closed_is_a_warning_with_its_remedy(specs: Any, why: str) -> None:
    finding = found(specs, {"tickets": 1})
    assert finding.state is State.WARNING
    assert "43.20 USD a day" in finding.says
    assert why in finding.says
    assert finding.remedy == "close it: nightsort close-endpoints tickets --yes"


def test_one_that_is_being_closed_is_no_warning() -> None:
    finding = found([], {"tickets": 1}, status="DELETING")
    assert (finding.state, finding.says) == (State.OK, "none is open")


def test_one_in_a_state_that_is_not_known_is_named_beside_the_others() -> None:
    access, comprehend, scaling = clients()
    listed: list[Any] = [
        {"EndpointArn": f"{ARN}/nightsort-reviews", "Status": "A_NEW_STATE"},
        {"EndpointArn": f"{ARN}/nightsort-tickets", "Status": "IN_SERVICE", "ModelArn": MODEL},
    ]
    with comprehend as stub, scaling:
        scaled = [{**TARGET, "ResourceId": f"{ARN}/nightsort-reviews"}]
        scaling.add_response("describe_scalable_targets", {"ScalableTargets": scaled})
        stub.add_response("list_endpoints", {"EndpointPropertiesList": listed})
        for name in ("reviews", "tickets"):
            tags = [{"Key": "nightsort:classifier", "Value": name}]
            stub.add_response("list_tags_for_resource", {"Tags": tags})
        (finding,) = examine(endpoint_checks(access, [], {}, KNOWN))
    assert finding.state is State.WARNING
    assert "reviews: Comprehend reports the unknown state 'A_NEW_STATE'" in finding.says
    assert "is gone" not in finding.says
    assert finding.remedy == (
        "close it: nightsort close-endpoints tickets --yes; look for endpoints in AWS's console"
    )


def test_with_one_spec_alone_others_are_left_out() -> None:
    specs = [spec("tickets", ALWAYS), spec("reviews", None)]
    assert found(specs, {"tickets": 1, "reviews": 1}).state is State.WARNING
    assert found(specs, {"tickets": 1, "reviews": 1}, only="tickets").state is State.OK


@pytest.mark.parametrize(("real_time", "state"), [(None, State.OK), (ALWAYS, State.CANNOT_TELL)])
def test_without_the_permission_it_cannot_tell_where_somebody_needs_it(real_time: Any, state: State) -> None:
    access, stub, _ = clients()
    one = spec("tickets", real_time)
    with stub:
        stub.add_client_error("list_endpoints", "AccessDeniedException")
        (finding,) = examine(endpoint_checks(access, [one], {"tickets": one}, KNOWN))
    assert finding.state is state


def test_scaling_that_outlived_its_endpoint_is_a_warning_with_its_remedy() -> None:
    scaled = ["nightsort-tickets", "nightsort-gone", "payroll"]
    finding = found([spec("tickets", SCALED)], {"tickets": 1}, scaled=scaled)
    assert finding.state is State.WARNING
    assert finding.says.endswith("nightsort-gone is gone, and Auto Scaling would scale the next one")
    assert finding.remedy == (
        "aws application-autoscaling deregister-scalable-target --service-namespace comprehend "
        "--scalable-dimension comprehend:document-classifier-endpoint:DesiredInferenceUnits "
        f"--resource-id {ARN}/nightsort-gone"
    )
    both = [spec("tickets", SCALED), spec("gone", SCALED)]
    assert found(both, {"tickets": 1}, only="tickets", scaled=scaled).state is State.OK
    assert found(both, {}, only="gone", scaled=scaled).state is State.WARNING


@pytest.mark.parametrize(("real_time", "state"), [(ALWAYS, State.OK), (SCALED, State.CANNOT_TELL)])
def test_who_may_not_ask_for_scaling_cannot_tell_where_a_spec_has_it(real_time: Any, state: State) -> None:
    finding = found([spec("tickets", real_time)], {"tickets": 1}, scaled=None)
    assert finding.state is state
    assert finding.says.startswith("tickets: IN_SERVICE")
