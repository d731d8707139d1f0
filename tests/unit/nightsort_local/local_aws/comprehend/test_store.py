"""Resources are kept, found again, and survive a restart as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.states import IllegalTransitionError
from nightsort_local.local_aws.comprehend.store import CLASSIFIER, ENDPOINT, JOB, Resource, Store
from nightsort_local.local_aws.state_file import StateFile

if TYPE_CHECKING:
    from pathlib import Path

REGION = "us-east-1"


def added(store: Store, arn: str = "arn:1", **request: Any) -> Resource:
    return store.add(CLASSIFIER, arn, REGION, {"Mode": "MULTI_CLASS"}, request)


def test_a_new_resource_begins_its_life() -> None:
    resource = added(Store())
    assert resource.state == "SUBMITTED"
    assert resource.is_active
    assert resource.properties["SubmitTime"] == round(resource.properties["SubmitTime"], 3)


def test_a_step_brings_its_members_or_is_refused() -> None:
    resource = added(Store())
    resource.change_state("TRAINING")
    resource.change_state("IN_ERROR", Message="no")
    assert (resource.state, resource.properties["Message"], resource.is_active) == ("IN_ERROR", "no", False)
    with pytest.raises(IllegalTransitionError):
        resource.change_state("TRAINED")


def test_it_knows_since_when_it_is_in_its_state() -> None:
    resource = added(Store())
    assert resource.since == resource.created == resource.properties["SubmitTime"]
    resource.since = 0.0
    resource.change_state("TRAINING")
    assert resource.since >= resource.created


def test_each_kind_has_its_own_life() -> None:
    endpoint = Store().add(ENDPOINT, "arn:1", REGION, {}, {})
    assert (endpoint.state, endpoint.is_active) == ("CREATING", True)
    assert endpoint.created == endpoint.properties["CreationTime"]


def test_what_is_shown_is_a_copy() -> None:
    resource = added(Store())
    resource.shown()["Mode"] = "changed"
    assert resource.shown()["Mode"] == "MULTI_CLASS"


class TestTokens:
    def test_the_same_request_finds_what_it_made(self) -> None:
        store = Store()
        request = {"JobName": "a", "ClientRequestToken": "t"}
        resource = added(store, **request)
        assert store.created_by(CLASSIFIER, REGION, request) is resource

    def test_another_request_under_the_token_is_an_error(self) -> None:
        store = Store()
        added(store, JobName="a", ClientRequestToken="t")
        with pytest.raises(ApiError, match="InvalidRequestException"):
            store.created_by(CLASSIFIER, REGION, {"JobName": "b", "ClientRequestToken": "t"})

    def test_a_token_means_something_for_its_kind_and_region_only(self) -> None:
        store = Store()
        request = {"JobName": "a", "ClientRequestToken": "t"}
        added(store, **request)
        assert store.created_by(JOB, REGION, request) is None
        assert store.created_by(CLASSIFIER, "eu-west-1", request) is None

    def test_without_a_token_every_request_is_new(self) -> None:
        store = Store()
        added(store, JobName="a")
        assert store.created_by(CLASSIFIER, REGION, {"JobName": "a"}) is None

    def test_a_removed_resource_frees_its_token(self) -> None:
        store = Store()
        request = {"JobName": "a", "ClientRequestToken": "t"}
        added(store, **request)
        store.remove("arn:1")
        assert store.created_by(CLASSIFIER, REGION, request) is None


def test_regions_do_not_see_each_other() -> None:
    store = Store()
    added(store)
    assert store.get("arn:1", REGION).arn == "arn:1"
    with pytest.raises(ApiError, match="ResourceNotFoundException"):
        store.get("arn:1", "eu-west-1")
    assert store.all_of(CLASSIFIER, "eu-west-1") == []


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    store = Store(StateFile(tmp_path / "before.sqlite"))
    added(store, "arn:1", Tags=[{"Key": "team", "Value": "a"}, {"Key": "bare"}], ClientRequestToken="t")
    store.get("arn:1", REGION).change_state("TRAINING")
    added(store, "arn:2")
    # As after a kill: nothing was closed.
    for file in tmp_path.iterdir():
        file.with_name(file.name.replace("before", "after")).write_bytes(file.read_bytes())

    after = Store(StateFile(tmp_path / "after.sqlite"))
    assert after.all_of(CLASSIFIER) == store.all_of(CLASSIFIER)
    assert after.get("arn:1", REGION).tags == {"team": "a", "bare": ""}
    assert added(after, "arn:3").number == 3
