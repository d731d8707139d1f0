"""Whatever is sent, the answer is a problem without it; what the service can do is in its OpenAPI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from nightsort_airflow.serving.app import create_app
from nightsort_airflow.serving.guard import MAX_BODY
from nightsort_airflow.serving.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = b"t" * 30
SECRET = "zebra7391"  # noqa: S105 - a part of a text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(SECRET),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "texts", "classifier", SECRET]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    # It serves nothing, so whatever is well formed names a classifier that is not there.
    with TestClient(
        create_app(Service([], 1), (TOKEN,)), headers={"Authorization": "Bearer " + "t" * 30}
    ) as made:
        yield made


def refused(client: TestClient, content: bytes) -> int:
    answer = client.post("/classify", content=content, headers={"Content-Type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text
    return answer.status_code


@given(JSON)
def test_no_json_makes_it_fail(client: TestClient, question: Any) -> None:
    assert refused(client, json.dumps(question).encode()) in (404, 422)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(client: TestClient, content: bytes) -> None:
    assert refused(client, content) in (400, 404, 422)


def test_the_openapi_has_every_answer(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    answers = schema["paths"]["/classify"]["post"]["responses"]
    assert set(answers) == {"200", "400", "401", "413", "415", "422", "429", "502", "503"}
    assert "version" in schema["components"]["schemas"]["Result"]["properties"]


@pytest.mark.parametrize("content", [b"hello", b'{"text": "\xff"}', b"[" * 100_000, b'{"text": "a"'])
def test_a_body_that_is_no_json_is_called_so(client: TestClient, content: bytes) -> None:
    answer = client.post("/classify", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "The body is not JSON in UTF-8.")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_said_to_be_json_is_told_which_header_to_send(
    client: TestClient, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.post("/classify", content=b'{"text": "a"}', headers=headers)
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["detail"]


def test_a_wrong_method_is_told_the_right_one(client: TestClient) -> None:
    answer = client.get("/classify")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_refused_request_is_counted_too(client: TestClient) -> None:
    def counted(status: int) -> int:
        lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines())
        return int(lines.get(f'nightsort_serve_requests_total{{classifier="",status="{status}"}}', 0))

    before = {status: counted(status) for status in (401, 413, 422)}
    client.post("/classify", headers={"Authorization": "Bearer wrong"})
    client.post("/classify", content=b" " * (MAX_BODY + 1))
    refused(client, b"{}")
    assert {status: counted(status) - number for status, number in before.items()} == dict.fromkeys(before, 1)
