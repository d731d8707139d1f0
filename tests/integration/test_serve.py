"""The HTTP service answers each request once, at the pace of the endpoint, with the version that answered."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.classification_data import labelled_rows
from tests.integration.local_aws_server import LocalAwsServer, wait_until
from tests.integration.serve_world import RunningService, ServeWorld, serve_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

pytestmark = pytest.mark.integration

SECRET = "zebra-7391"  # noqa: S105 - a part of a text
TEXT = f"a refund of my payment {SECRET}"


@pytest.fixture(scope="module")
def world(
    aws: LocalAwsServer, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServeWorld]:
    with serve_world(aws, postgres_dsn, tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture(scope="module")
def model(world: ServeWorld) -> str:
    return world.train("v1")


@pytest.fixture(scope="module")
def endpoint(world: ServeWorld, model: str) -> Iterator[str]:
    arn = world.open(model)
    yield arn
    if world.endpoints():
        world.close(arn)


@pytest.fixture(scope="module")
def service(world: ServeWorld, endpoint: str) -> Iterator[RunningService]:
    with world.serving() as running:
        yield running


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[httpx.Client]:
    with service.client() as made:
        yield made


def asked(client: httpx.Client, **question: Any) -> httpx.Response:
    """Ask until the service takes it."""
    while (answer := client.post("/classify", json=question)).status_code == 429:
        threading.Event().wait(int(answer.headers["Retry-After"]))
    return answer


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and detail of a refusal, which has the form of problem details and no text of a document."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert SECRET not in answer.text
    return answer.status_code, answer.json()["detail"]


class TestAnswers:
    def test_one_text_or_several_in_their_order(self, client: httpx.Client) -> None:
        answer = asked(client, text=TEXT).json()
        (result,) = answer["results"]
        assert (answer["classifier"], result["label"], result["version"]) == ("tickets", "BILLING", "v1")
        assert result["score"] == result["labels"][0]["score"] > 0.5
        assert result["accepted"] == ["BILLING"]
        texts = ["hotel", "payment", "hotel payment"]
        several = asked(client, texts=texts, classifier="tickets").json()["results"]
        single = [asked(client, text=text).json()["results"][0] for text in texts]
        assert several == single

    def test_browsers_may_do_nothing_with_an_answer(self, client: httpx.Client) -> None:
        for answer in (asked(client, text=TEXT), client.get("/health"), client.get("/nothing")):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert "server" not in answer.headers

    def test_health_metrics_and_openapi(self, service: RunningService, client: httpx.Client) -> None:
        with service.client(None) as stranger:
            assert stranger.get("/health").json() == {"status": "ok", "endpoints": {"tickets": "open"}}
            paths = stranger.get("/openapi.json").json()["paths"]
        assert set(paths) == {"/classify", "/health", "/metrics"}
        asked(client, text=TEXT)
        metrics = client.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = dict(line.rsplit(" ", 1) for line in metrics.text.splitlines() if not line.startswith("#"))
        assert int(lines['nightsort_serve_documents_total{classifier="tickets"}']) >= 1
        assert lines['nightsort_serve_inference_units{classifier="tickets"}'] == "1"
        count = 'nightsort_serve_request_seconds_count{classifier="tickets"}'
        assert lines[count] == lines['nightsort_serve_requests_total{classifier="tickets",status="200"}']


class TestRefusals:
    @pytest.mark.parametrize("token", [None, "x" * 43])
    def test_without_the_token_nothing_is_told(self, service: RunningService, token: str | None) -> None:
        with service.client(token) as stranger:
            for answer in (stranger.post("/classify", json={"text": TEXT}), stranger.get("/metrics")):
                assert problem(answer)[0] == 401
                assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("question", "status"),
        [
            ({}, 422),
            ({"text": TEXT, "texts": [TEXT]}, 422),
            ({"text": 7}, 422),
            ({"texts": []}, 422),
            ({"texts": [TEXT] * 26}, 422),
            ({"text": TEXT, "more": TEXT}, 422),
            ({"text": " \x00 "}, 422),
            ({"text": f"{SECRET} " * 1_500}, 422),
            ({"text": TEXT, "classifier": "nobody"}, 404),
            ({"texts": ["x" * 9_000] * 2}, 413),
            ({"text": "x" * 1_100_000}, 413),
        ],
    )
    def test_what_cannot_be_asked(self, client: httpx.Client, question: dict[str, Any], status: int) -> None:
        assert problem(client.post("/classify", json=question))[0] == status

    def test_a_text_that_cannot_be_classified_is_named_by_its_index(self, client: httpx.Client) -> None:
        content = json.dumps({"texts": [TEXT, "", "\ud800"]})
        answer = client.post("/classify", content=content, headers={"Content-Type": "application/json"})
        assert problem(answer)[0] == 422
        assert [item["index"] for item in answer.json()["texts"]] == [1, 2]

    def test_what_is_no_request(self, client: httpx.Client) -> None:
        headers = {"Content-Type": "application/json"}
        assert problem(client.post("/classify", content=TEXT, headers=headers))[0] == 400
        assert problem(client.post("/classify", content=b"[" * 100_000, headers=headers))[0] in (400, 422)
        assert problem(client.get("/classify"))[0] == 405
        assert problem(client.get("/docs"))[0] == 404

    def test_nothing_of_a_text_is_in_the_log(self, service: RunningService, client: httpx.Client) -> None:
        asked(client, text=TEXT)
        client.post("/classify", json={"text": TEXT, "more": TEXT})
        told = service.log.read_text()
        assert SECRET not in told
        assert told.startswith(f"POST {service.url}/classify asks the endpoints of tickets.")


class TestPace:
    def test_beyond_the_pace_it_says_when_and_loses_nothing(
        self, aws: LocalAwsServer, service: RunningService
    ) -> None:
        """One unit takes two documents a second; 16 come at once, and all are answered in the end."""
        aws.control.set_behaviour(rate_limits=True)
        refused = itertools.count()
        at_once = threading.Barrier(8)

        def ask(number: int) -> list[str]:
            with service.client() as client:
                at_once.wait()
                while True:
                    answer = client.post("/classify", json={"texts": ["hotel", f"payment {number}"]})
                    if answer.status_code == 200:
                        return [result["label"] for result in answer.json()["results"]]
                    assert problem(answer)[0] == 429
                    assert int(answer.headers["Retry-After"]) >= 1
                    next(refused)
                    threading.Event().wait(int(answer.headers["Retry-After"]))

        try:
            with ThreadPoolExecutor(8) as threads:
                answers = list(threads.map(ask, range(8)))
        finally:
            aws.control.set_behaviour(rate_limits=False)
        assert answers == [["TRAVEL", "BILLING"]] * 8
        assert next(refused) > 0

    def test_others_who_ask_the_endpoint_only_slow_it_down(
        self, aws: LocalAwsServer, client: httpx.Client, endpoint: str
    ) -> None:
        fault = {"code": "ThrottlingException", "operation": "ClassifyDocument", "times": 2}
        with aws.control.injected("error", **fault):
            assert asked(client, text=TEXT).json()["results"][0]["label"] == "BILLING"
        assert 'throttled_total{classifier="tickets"}' in client.get("/metrics").text

    def test_an_error_of_aws_is_a_bad_gateway(self, aws: LocalAwsServer, client: httpx.Client) -> None:
        fault = {"code": "InternalServerException", "operation": "ClassifyDocument", "message": TEXT}
        with aws.control.injected("error", **fault):
            assert problem(client.post("/classify", json={"text": TEXT}))[0] == 502


class TestLife:
    def test_a_promotion_changes_the_answers_and_fails_none(
        self, world: ServeWorld, service: RunningService, endpoint: str, model: str
    ) -> None:
        """The second version calls everything by other names, so a label tells which version gave it."""
        rows = [(f"NEW-{label}", text) for label, text in labelled_rows(30)]
        newer = world.train("v2", active=False, rows=rows)
        stop = threading.Event()
        seen: list[str] = []
        wrong: list[str] = []

        def ask() -> None:
            with service.client() as client:
                while not stop.is_set():
                    answer = client.post("/classify", json={"text": TEXT})
                    if answer.status_code == 429:
                        threading.Event().wait(0.1)
                        continue
                    if answer.status_code != 200:
                        wrong.append(answer.text)
                        return
                    result = answer.json()["results"][0]
                    seen.append(result["version"])
                    if (result["version"] == "v2") is not result["label"].startswith("NEW-"):
                        wrong.append(str(result))

        comprehend = world.aws.client("comprehend")
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for target, version in ((newer, "v2"), (model, "v1")):
                wait_until(lambda: len(seen) > 3, "answers")
                comprehend.update_endpoint(EndpointArn=endpoint, DesiredModelArn=target)
                wait_until(partial(lambda wanted: seen[-1] == wanted, version), f"answers of {version}")
                wait_until(lambda: world.status(endpoint) == "IN_SERVICE", "the end of the update")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert wrong == []

    def test_a_closed_endpoint_is_said_with_its_price_and_found_when_it_opens(
        self, world: ServeWorld, client: httpx.Client, endpoint: str, model: str
    ) -> None:
        world.forget_active()  # On the local stack it would be opened again.
        world.close(endpoint)
        status, detail = problem(asked(client, text=TEXT))
        assert status == 503
        assert "serve_tickets" in detail
        assert "1.80 USD an hour" in detail
        # Now the service knows that it is closed, and tries to open it, without a version.
        assert problem(asked(client, text=TEXT))[0] == 503
        assert client.get("/health").json()["endpoints"] == {"tickets": "closed"}
        assert world.open(model) == endpoint
        assert asked(client, text=TEXT).json()["results"][0]["label"] == "BILLING"
        world.activate("v1")


class TestLocalStack:
    def test_without_an_endpoint_it_is_opened_and_what_was_taken_is_answered_before_it_is_closed(
        self, aws: LocalAwsServer, world: ServeWorld, endpoint: str
    ) -> None:
        world.close(endpoint)
        with world.serving() as service, service.client() as client, ThreadPoolExecutor(1) as threads:
            result = asked(client, text=TEXT).json()["results"][0]
            assert (result["label"], result["version"]) == ("BILLING", "v1")
            assert world.endpoints() == [endpoint.rpartition("/")[2]]
            world.train("v3")
            wait_until(lambda: asked(client, text=TEXT).json()["results"][0]["version"] == "v3", "v3")
            with aws.control.injected("latency", operation="ClassifyDocument", seconds=2) as fault:
                pending = threads.submit(asked, client, text=TEXT)
                wait_until(lambda: aws.control.struck(fault) == 1, "the request to be under way")
                service.process.send_signal(signal.SIGTERM)
                answer = pending.result()
                assert answer.json()["results"][0]["version"] == "v3"
                assert answer.headers["connection"] == "close", "the client sends nothing more here"
            service.process.wait(timeout=240)
        wait_until(lambda: world.endpoints() == [], "the end of what was opened")
