"""The local Comprehend against Comprehend's service model: operations x members, and every modelled error."""

from __future__ import annotations

import base64
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from nightsort_local.local_aws.comprehend.service import CLASSIFY_DOCUMENT, OPERATIONS
from nightsort_local.local_aws.launcher import PROJECT, launch
from tests.contract.comprehend_model import enum, service_model
from tests.contract.conformance_answers import names, of_classifier, of_endpoint, of_job, shown, unsent
from tests.contract.conformance_cases import has, members, violations
from tests.contract.conformance_coverage import Coverage
from tests.contract.conformance_errors import ON_DEMAND, SCENARIOS, STATUS, on_demand, slow
from tests.contract.conformance_requests import (
    GOOD,
    NOT_TAKEN,
    TEXTRACT,
    edge_requests,
    expected_error,
    settle,
)
from tests.contract.conformance_world import BUCKET, KEY, LONG_SECONDS, ROLE, World
from tests.found_by_tests import CONFORMANCE
from tests.integration.comprehend_answers import answer_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.model import OperationModel, StructureShape

    from tests.contract.conformance_cases import Path
    from tests.contract.conformance_wire import Answer

pytestmark = pytest.mark.integration

SERVED = [*itertools.chain.from_iterable(OPERATIONS.values()), CLASSIFY_DOCUMENT]


def model(operation: str) -> OperationModel:
    return service_model().operation_model(operation)


def input_shape(operation: str) -> StructureShape:
    return cast("StructureShape", model(operation).input_shape)


MODELLED = [(operation, shape.name) for operation in SERVED for shape in model(operation).error_shapes]


@dataclass(frozen=True)
class Exchange:
    """A good request, with one member at an edge or (without a path) as it is, and its answer."""

    path: Path
    value: Any
    request: dict[str, Any]
    answer: Answer


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with launch() as aws:
        yield World(aws)


@pytest.fixture(scope="module")
def coverage() -> Coverage:
    return Coverage()


@pytest.fixture(scope="module")
def dialogue(world: World) -> dict[str, list[Exchange]]:
    """Every good request of every operation, once."""
    return {operation: list(_talk(world, operation)) for operation in SERVED}


def _talk(world: World, operation: str) -> Iterator[Exchange]:
    requests = [((), None, make(world)) for make in GOOD[operation]]
    for path, value, request in [*requests, *edge_requests(world, operation, input_shape(operation))]:
        answer = world.send(operation, request)
        settle(world, operation, answer)
        yield Exchange(path, value, request, answer)


def test_all_operations_of_custom_classification_are_there() -> None:
    ours = re.compile("DocumentClassif|ClassifyDocument|Endpoint|[Tt]ag(Resource|sFor)")
    assert sorted(SERVED) == sorted(filter(ours.search, service_model().operation_names))


def test_the_page_tells_how_much_is_covered() -> None:
    page = (PROJECT / "docs" / "local-comprehend.md").read_text(encoding="utf-8")
    rules = sum(len(list(violations(input_shape(operation)))) for operation in SERVED)
    alone = sum(len(reasons) for reasons in ON_DEMAND.values())
    assert f"{rules:,} of {rules:,}" in page
    assert f"| {len(MODELLED)} of {len(MODELLED)} | of these {alone} only by the fault control" in page
    taken = [
        not set(path) & set(NOT_TAKEN) for operation in SERVED for path, _ in members(input_shape(operation))
    ]
    sent = [
        unsent(operation, path) is None
        for operation in SERVED
        if (shape := model(operation).output_shape) is not None
        for path, _ in members(shape)
    ]
    for covered in (taken, sent):
        assert f"| {sum(covered)} of {len(covered)} |" in page


class TestRequests:
    @pytest.mark.parametrize("operation", SERVED)
    def test_what_breaks_a_rule_of_the_model_is_refused(
        self, world: World, coverage: Coverage, operation: str
    ) -> None:
        broken = list(violations(input_shape(operation)))
        wrong = []
        for violation in broken:
            answer = world.send(operation, violation.request)
            named = violation.code != "ValidationException" or (
                f"'{_in_messages(violation.path)}'" in answer.message and violation.message in answer.message
            )
            if (answer.status, answer.error) != (400, violation.code) or not named:
                wrong.append((violation.path, violation.rule, answer))
        coverage.record(operation, "rules refused", broken[len(wrong) :], broken)
        assert not wrong
        paths = {path for path, _ in members(input_shape(operation))}
        assert paths <= {violation.path for violation in broken}, "a member without a rule"

    @pytest.mark.parametrize("operation", SERVED)
    def test_what_keeps_the_rules_is_taken_up_to_their_edges(
        self, dialogue: dict[str, list[Exchange]], coverage: Coverage, operation: str
    ) -> None:
        for exchange in dialogue[operation]:
            expected = expected_error(operation, exchange.path, exchange.value)
            status = STATUS.get(expected, 400) if expected else 200
            found = (exchange.answer.error, exchange.answer.status)
            assert found == (expected, status), f"{exchange.path} {exchange.value}: {exchange.answer.content}"

        known = {path for path, _ in members(input_shape(operation))}
        taken = {
            path
            for path in known
            for exchange in dialogue[operation]
            if exchange.answer.status == 200 and has(exchange.request, path)
        }
        untaken = {path: name for path in known for name in path if name in NOT_TAKEN}
        coverage.record(operation, "members in", taken, known)
        for name in untaken.values():
            coverage.explain(f"not covered, {NOT_TAKEN[name]}", name)
        assert known - taken == set(untaken)

    @pytest.mark.parametrize("operation", SERVED)
    def test_members_that_the_model_lacks_are_ignored(self, world: World, operation: str) -> None:
        request = {**GOOD[operation][0](world), "Colour": "green", "": None, "Text2": [{}]}
        answer = world.send(operation, request)
        settle(world, operation, answer)
        assert answer.status == 200, answer

    @pytest.mark.parametrize("operation", SERVED)
    def test_what_is_no_json_object_is_refused(self, world: World, operation: str) -> None:
        for body in (b"", b"{", b"\xff", b"[]", b"null", b'"x"', b"[" * 100_000, b'{"a": NaN}'):
            answer = world.send(operation, body)
            assert (answer.status, answer.error) == (400, "SerializationException"), body[:20]


def _in_messages(path: Path) -> str:
    """How a message names a member: lower case at the beginning, items by their number."""
    parts = ["1.member" if name == "[]" else name[:1].lower() + name[1:] for name in path]
    return ".".join(parts)


# --- answers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """A resource in a state of its life: what was asked, and what Describe shows."""

    request: dict[str, Any]
    properties: dict[str, Any]


@pytest.fixture(scope="module")
def classifier_stages(world: World) -> list[Stage]:
    """Classifiers in every state, made by the longest and the shortest request."""
    whole, least = GOOD["CreateDocumentClassifier"][0], World.new_classifier
    stages = []

    def show(request: dict[str, Any], *states: str) -> str:
        arn: str = world.good("CreateDocumentClassifier", request)["DocumentClassifierArn"]
        for state in states:
            if state == "STOP_REQUESTED":
                world.good("StopTrainingDocumentClassifier", {"DocumentClassifierArn": arn})
            stages.append(Stage(request, world.classifier_in(arn, (state,))))
        return arn

    for make in (whole, least):
        source = {"S3Uri": f"s3://{BUCKET}/training.csv"}
        with slow(world, submitted_seconds=LONG_SECONDS):
            show(make(world), "SUBMITTED")
        with slow(world, training_seconds=LONG_SECONDS, stopping_seconds=LONG_SECONDS):
            arn = show(make(world), "TRAINING", "STOP_REQUESTED")
        stages.append(Stage(stages[-1].request, world.classifier_in(arn, ("STOPPED",))))
        show(make(world), "IN_ERROR")
        arn = show({**make(world), "InputDataConfig": source}, "TRAINED")
        with slow(world, deletion_seconds=LONG_SECONDS):
            world.good("DeleteDocumentClassifier", {"DocumentClassifierArn": arn})
            stages.append(Stage(stages[-1].request, world.classifier_in(arn, ("DELETING",))))
        warning = {**make(world), "InputDataConfig": {"S3Uri": f"s3://{BUCKET}/warning.csv"}}
        show(warning, "TRAINED_WITH_WARNING")
    return stages


@pytest.fixture(scope="module")
def job_stages(world: World) -> list[Stage]:
    """Jobs in every state, started by the longest and the shortest request."""
    stages = []
    for make in (GOOD["StartDocumentClassificationJob"][0], World.new_job):
        for state, delays in (
            ("SUBMITTED", {"submitted_seconds": LONG_SECONDS}),
            ("IN_PROGRESS", {"job_seconds": LONG_SECONDS}),
            ("COMPLETED", {}),
            ("FAILED", {}),
        ):
            request = make(world)
            if state == "FAILED":
                request["InputDataConfig"] = {"S3Uri": f"s3://{BUCKET}/nothing-here"}
            with slow(world, **delays):
                job = world.good("StartDocumentClassificationJob", request)["JobId"]
                stages.append(Stage(request, world.job_in(job, (state,))))
    return stages


@pytest.fixture(scope="module")
def endpoint_stages(world: World) -> list[Stage]:
    """Endpoints in every state, made by the longest and the shortest request."""
    encrypted = world.trained("training.csv", ModelKmsKeyId=KEY)
    stages = []
    for make in (GOOD["CreateEndpoint"][0], World.new_endpoint):
        request = make(world)
        with slow(world, endpoint_seconds=LONG_SECONDS):
            arn = world.good("CreateEndpoint", request)["EndpointArn"]
            stages.append(Stage(request, world.endpoint_in(arn, ("CREATING",))))
        stages.append(Stage(request, world.endpoint_in(arn, ("IN_SERVICE",))))
        update = {"DesiredDataAccessRoleArn": ROLE, "DesiredInferenceUnits": 2}
        with slow(world, endpoint_seconds=LONG_SECONDS):
            world.good("UpdateEndpoint", {"EndpointArn": arn, **update})
            stages.append(Stage({**request, **update}, world.endpoint_in(arn, ("UPDATING",))))
        # An update that is done shows the new role as the role.
        updated = {**request, **update, "DataAccessRoleArn": ROLE}
        stages.append(Stage(updated, world.endpoint_in(arn, ("IN_SERVICE",))))
        with slow(world, deletion_seconds=LONG_SECONDS):
            world.good("DeleteEndpoint", {"EndpointArn": arn})
            stages.append(Stage(updated, world.endpoint_in(arn, ("DELETING",))))
    request = world.new_endpoint(ModelArn=encrypted)
    arn = world.good("CreateEndpoint", request)["EndpointArn"]
    return [*stages, Stage(request, world.endpoint_in(arn, ("FAILED",)))]


@pytest.fixture(scope="module")
def documents(world: World) -> None:
    """Documents of every kind that is answered."""
    ask = {"EndpointArn": world.label_endpoint}
    page = {**TEXTRACT, "Blocks": [{"BlockType": "LINE", "Text": "x" * 10_001}]}
    for content in (TEXTRACT, page):
        body = base64.b64encode(json.dumps(content).encode()).decode()
        world.good("ClassifyDocument", {**ask, "Bytes": body})


@pytest.fixture(scope="module")
def lists(
    world: World, classifier_stages: list[Stage], job_stages: list[Stage], endpoint_stages: list[Stage]
) -> None:
    """Everything there is, listed."""
    for operation in SERVED:
        if operation.startswith("List") and operation != "ListTagsForResource":
            world.good(operation, {"MaxResults": 500})


class TestAnswers:
    def test_a_classifier_shows_what_its_state_has_and_nothing_else(
        self, classifier_stages: list[Stage]
    ) -> None:
        for stage in classifier_stages:
            state = stage.properties["Status"]
            expected = of_classifier(stage.request, "TRAINED" if state == "DELETING" else state)
            assert names(stage.properties) == expected, state
        states = {stage.properties["Status"] for stage in classifier_stages}
        assert states == set(enum("ModelStatus"))

    def test_a_job_shows_what_its_state_has_and_nothing_else(self, job_stages: list[Stage]) -> None:
        for stage in job_stages:
            state = stage.properties["JobStatus"]
            assert names(stage.properties) == of_job(stage.request, state), state
        states = {stage.properties["JobStatus"] for stage in job_stages}
        assert states == set(enum("JobStatus")) - {"STOP_REQUESTED", "STOPPED"}, (
            "no operation stops a classification job"
        )

    def test_an_endpoint_shows_what_its_state_has_and_nothing_else(
        self, endpoint_stages: list[Stage]
    ) -> None:
        for stage in endpoint_stages:
            state = stage.properties["Status"]
            assert names(stage.properties) == of_endpoint(stage.request, state), state
        states = {stage.properties["Status"] for stage in endpoint_stages}
        assert states == set(enum("EndpointStatus"))

    @pytest.mark.parametrize("operation", SERVED)
    @pytest.mark.usefixtures("dialogue", "documents", "lists")
    def test_answers_have_every_member_of_their_shape_and_no_other(
        self, world: World, coverage: Coverage, operation: str
    ) -> None:
        contents = world.answers[operation]
        found = {problem for content in contents for problem in answer_problems(model(operation), content)}
        assert not found
        shape = model(operation).output_shape
        known = {path for path, _ in members(shape)} if shape is not None else set()
        seen = {path for content in contents for path in shown(content)}
        coverage.record(operation, "members out", seen, known)
        missing = {path: why for path in known if (why := unsent(operation, path))}
        for name, reason in missing.values():
            coverage.explain(f"not covered, {reason}", name)
        assert known - seen == set(missing)


# --- errors -------------------------------------------------------------------------------------------------


class TestErrors:
    @pytest.mark.parametrize(("operation", "code"), MODELLED)
    def test_each_modelled_error_comes_about(
        self, world: World, coverage: Coverage, operation: str, code: str
    ) -> None:
        scenario = SCENARIOS[operation].get(code)
        if scenario is not None:
            answer = scenario(world)
        else:
            answer = on_demand(world, operation, code)
            coverage.explain(f"by the fault control alone, {ON_DEMAND[operation][code]}", code)
        assert (answer.error, answer.status) == (code, STATUS.get(code, 400))
        assert answer.content["Message"]
        assert answer.headers["content-type"] == "application/x-amz-json-1.1"
        shape = service_model().shape_for(code)
        assert set(answer.content) - {"__type"} <= set(cast("StructureShape", shape).members)
        covered = coverage.counts.setdefault(operation, {}).get("errors", (0, 0))[0]
        coverage.counts[operation]["errors"] = (covered + 1, len(model(operation).error_shapes))

    @pytest.mark.parametrize("operation", SERVED)
    def test_each_error_has_one_way(self, coverage: Coverage, operation: str) -> None:
        modelled = sorted(code for owner, code in MODELLED if owner == operation)
        assert sorted([*SCENARIOS[operation], *ON_DEMAND[operation]]) == modelled


def test_the_shares_are_shown_after_the_tests(
    coverage: Coverage, record_property: Callable[[str, object], None]
) -> None:
    """The last test here, since each one before it adds to them."""
    assert sorted(coverage.counts) == sorted(SERVED)
    record_property(CONFORMANCE, [*coverage.lines()])
