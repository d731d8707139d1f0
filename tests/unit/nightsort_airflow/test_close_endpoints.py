"""``nightsort close-endpoints``: first it shows, then it closes what was named, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

import nightsort.__main__  # noqa: F401 - adds the commands
from nightsort.cli.command import app
from nightsort_airflow import close_endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier-endpoint/nightsort-"
KEYS: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
MODEL = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v1"


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Application Auto Scaling; a test says what is asked."""
    names: Any = ("comprehend", "application-autoscaling")
    clients = {name: boto3.client(name, "eu-west-1", **KEYS) for name in names}
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    with Stubber(clients["application-autoscaling"]) as stub:
        yield stub
        stub.assert_no_pending_responses()


def forgets(scaling: Stubber, name: str, code: str | None = None) -> None:
    """The next answer about an endpoint's scaling."""
    sent = {
        "ServiceNamespace": "comprehend",
        "ResourceId": ARN + name,
        "ScalableDimension": "comprehend:document-classifier-endpoint:DesiredInferenceUnits",
    }
    if code is None:
        scaling.add_response("deregister_scalable_target", {}, sent)
    else:
        scaling.add_client_error("deregister_scalable_target", code, expected_params=sent)


@pytest.fixture
def aws(scaling: Stubber, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """AWS with two endpoints of ours; a test says what else is asked."""
    client = boto3.client("comprehend")
    monkeypatch.setattr(close_endpoints, "POLL_SECONDS", 0)
    # The command sets them for its own process.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    since = datetime.now(timezone.utc) - timedelta(hours=2)
    listed: list[Any] = [
        {"EndpointArn": ARN + name, "Status": "IN_SERVICE", "ModelArn": MODEL, "CurrentInferenceUnits": units,
         "CreationTime": since}
        for name, units in (("tickets", 1), ("reviews", 2))
    ]  # fmt: skip
    with Stubber(client) as stub:
        stub.add_response("list_endpoints", {"EndpointPropertiesList": listed})
        for name in ("tickets", "reviews"):
            stub.add_response(
                "list_tags_for_resource", {"Tags": [{"Key": "nightsort:classifier", "Value": name}]}
            )
        yield stub
        stub.assert_no_pending_responses()


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["close-endpoints", *arguments])
    return result.exit_code, " ".join(result.output.split())


def test_what_is_open_is_shown_with_its_cost_and_nothing_is_closed(aws: Stubber) -> None:
    code, told = call()
    assert code == 0
    assert "nightsort-tickets IN_SERVICE tickets/version/v1 with 1 inference unit" in told
    assert "about 3.60 USD so far, 43.20 USD a day" in told
    assert "2 endpoints: 129.60 USD a day." in told
    assert "Name the classifiers whose endpoints are to be closed, or add --all." in told


def test_without_yes_it_says_what_it_would_close(aws: Stubber) -> None:
    code, told = call("tickets")
    assert code == 0
    assert told.endswith("Nothing was closed. With --yes, this closes nightsort-tickets.")


def test_what_is_named_is_closed_as_soon_as_aws_takes_that(aws: Stubber, scaling: Stubber) -> None:
    sent = {"EndpointArn": ARN + "tickets"}
    aws.add_client_error("delete_endpoint", "ResourceInUseException", expected_params=sent)
    aws.add_response("delete_endpoint", {}, sent)
    forgets(scaling, "tickets")
    code, told = call("tickets", "--yes")
    assert (code, "Closed nightsort-tickets" in told) == (0, True)


def test_all_are_closed_and_one_that_aws_refuses_keeps_no_other_open(aws: Stubber, scaling: Stubber) -> None:
    forgets(scaling, "reviews", "ObjectNotFoundException")
    aws.add_client_error(
        "delete_endpoint", "AccessDeniedException", "no", expected_params={"EndpointArn": ARN + "tickets"}
    )
    aws.add_response("delete_endpoint", {}, {"EndpointArn": ARN + "reviews"})
    code, told = call("--all", "--yes")
    assert code == 1
    assert "nightsort-tickets is open:" in told
    assert "Grant the identity this permission: docs/iam/close-endpoints-policy.json" in told
    assert "Closed nightsort-reviews" in told


def test_one_whose_scaling_stays_is_closed_and_named(aws: Stubber, scaling: Stubber) -> None:
    aws.add_response("delete_endpoint", {}, {"EndpointArn": ARN + "tickets"})
    forgets(scaling, "tickets", "AccessDeniedException")
    code, told = call("tickets", "--yes")
    assert code == 1
    assert "Closed nightsort-tickets" in told
    assert "would change the units of the next one" in told
    assert "docs/iam/close-endpoints-policy.json" in told
    assert "deregister-scalable-target --service-namespace comprehend --scalable-dimension" in told


def test_one_that_changes_for_too_long_is_named(aws: Stubber) -> None:
    aws.add_client_error("delete_endpoint", "ResourceInUseException")
    code, told = call("tickets", "--yes", "--minutes", "0")
    assert code == 1
    assert "still being opened or changed, and open" in told


def test_a_classifier_without_one_is_named(aws: Stubber) -> None:
    assert "No endpoint is open for others." in call("others", "--yes")[1]


@pytest.fixture
def one_unknown(scaling: Stubber) -> Iterator[Stubber]:
    """AWS with an endpoint of ours in a state that is new, and one that is in service."""
    listed: list[Any] = [
        {"EndpointArn": f"{ARN}tickets", "Status": "A_NEW_STATE"},
        {"EndpointArn": f"{ARN}reviews", "Status": "IN_SERVICE", "ModelArn": MODEL},
    ]
    with Stubber(boto3.client("comprehend")) as stub:
        stub.add_response("list_endpoints", {"EndpointPropertiesList": listed})
        for name in ("tickets", "reviews"):
            tags = [{"Key": "nightsort:classifier", "Value": name}]
            stub.add_response("list_tags_for_resource", {"Tags": tags})
        yield stub
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("asked", [(), ("tickets", "--yes"), ("reviews",)])
def test_one_in_a_state_that_is_not_known_is_named_with_the_way_to_close_it(
    one_unknown: Stubber, asked: tuple[str, ...]
) -> None:
    code, told = call(*asked)
    assert code == 1
    assert "unknown state 'A_NEW_STATE'" in told
    assert f"{ARN}tickets" in told
    assert "delete-endpoint" in told
    assert "No endpoint is open for tickets" not in told


@pytest.mark.parametrize("asked", ["--all", "reviews"])
def test_one_in_a_state_that_is_not_known_keeps_no_other_open(
    one_unknown: Stubber, scaling: Stubber, asked: str
) -> None:
    one_unknown.add_response("delete_endpoint", {}, {"EndpointArn": f"{ARN}reviews"})
    forgets(scaling, "reviews")
    code, told = call(asked, "--yes")
    assert (code, "Closed nightsort-reviews" in told) == (1, True)
    assert "unknown state 'A_NEW_STATE'" in told
