from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightsort.real_time import classify
from nightsort.real_time.classify import RealTimeOutput, StoppedError, classify_documents, end_early
from nightsort.real_time.documents import Document
from nightsort.real_time.endpoint import (
    BusyError,
    EndpointNotInServiceError,
    ModelChangedError,
    RefusedDocumentError,
)
from nightsort.real_time.pace import Pace
from nightsort.results.archive import read_member
from nightsort.results.columns import MEMBER, read_prediction_lines
from nightsort.results.curable import NOT_ASKED
from nightsort.storage import plain_access
from tests.unit.nightsort.real_time.known_endpoint import MODEL, KnownEndpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace has its own tests."""
    monkeypatch.setattr(Pace, "delay", lambda *_: 0.0)


def documents(number: int) -> list[Document]:
    return [Document("a.txt", line, f"label{line} text") for line in range(number)]


def run(tmp_path: Path, endpoint: KnownEndpoint, number: int, **kwargs: Any) -> RealTimeOutput:
    return classify_documents(documents(number), endpoint, plain_access(), f"{tmp_path}/night/", **kwargs)


def results(output: RealTimeOutput) -> list[tuple[int | None, str]]:
    """Line and label, or reason, of each line of the output, in its order."""
    found: list[tuple[int | None, str]] = []
    for line in b"".join(read_member(plain_access().path(output.output_uri), MEMBER)).splitlines():
        (batch,) = read_prediction_lines([line])
        found += [(row["line"], row["labels"][0]) for row in batch.predictions.to_pylist()]
        found += [(failure.line, failure.reason) for failure in batch.failures]
    return found


def expected(number: int) -> list[tuple[int | None, str]]:
    return [(line, f"label{line}") for line in range(number)]


def test_each_document_is_asked_once_and_stays_in_its_place(tmp_path: Path) -> None:
    endpoint = KnownEndpoint()
    output = run(tmp_path, endpoint, 300)
    assert results(output) == expected(300)
    assert (output.asked, output.known, output.refusals, output.model_arn) == (300, 0, 0, MODEL)
    assert len(endpoint.asked) == 300


def test_nothing_is_asked_where_the_output_is_there(tmp_path: Path) -> None:
    run(tmp_path, KnownEndpoint(), 5)
    endpoint = KnownEndpoint()
    output = run(tmp_path, endpoint, 5)
    assert (endpoint.asked, output.asked) == ([], 0)
    assert results(output) == expected(5)


def test_no_documents_are_an_empty_output(tmp_path: Path) -> None:
    assert results(run(tmp_path, KnownEndpoint(), 0)) == []


def test_what_the_endpoint_has_no_room_for_is_sent_again_and_nothing_is_lost(tmp_path: Path) -> None:
    def busy(content: str | bytes, times: int) -> None:
        if times <= 2 and int(str(content).split()[0][5:]) % 7 == 0:
            raise BusyError("ThrottlingException")

    output = run(tmp_path, KnownEndpoint(busy), 100)
    assert results(output) == expected(100)
    assert (output.asked, output.refusals) == (100, 30)


def test_a_document_that_cannot_be_classified_fails_with_its_reason_and_costs_that_one_alone(
    tmp_path: Path,
) -> None:
    def refuses(content: str | bytes, _: int) -> None:
        if content == "label1 text":
            raise RefusedDocumentError("Not this one.", "UNSUPPORTED_DOC_TYPE")

    given = [*documents(2), Document("a.txt", 2, ""), Document("a.txt", 3, "x" * 10_001)]
    endpoint = KnownEndpoint(refuses)
    output = classify_documents(given, endpoint, plain_access(), f"{tmp_path}/night/")
    assert results(output) == [
        (0, "label0"),
        (1, "error:UNSUPPORTED_DOC_TYPE"),
        (2, "error:EMPTY_DOCUMENT"),
        (3, "error:TEXT_SIZE_LIMIT_EXCEEDED"),
    ]
    assert sorted(map(str, endpoint.asked)) == ["label0 text", "label1 text"]


class DeathError(Exception):
    """Whatever ends a try."""


@settings(max_examples=20, deadline=None)
@given(deaths=st.lists(st.integers(0, 79), max_size=3), together=st.integers(1, 30))
def test_wherever_tries_die_the_next_one_goes_on_and_asks_only_for_what_is_not_stored(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], together: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("deaths")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(classify, "STORED_TOGETHER", together)
    try:
        asked = 0
        for death in deaths:

            def dies(content: str | bytes, _: int, at: int = death) -> None:
                if content == f"label{at} text":
                    raise DeathError

            endpoint = KnownEndpoint(dies)
            try:
                output = run(tmp_path, endpoint, 80)
            except DeathError:
                asked += len(endpoint.asked)
            else:
                asked += output.asked
        last = KnownEndpoint()
        output = run(tmp_path, last, 80)
    finally:
        monkeypatch.undo()
    assert results(output) == expected(80)
    # A document whose request was under way when a try ended may be asked for again.
    assert 80 <= asked + len(last.asked) <= 80 + len(deaths) * 17


def test_what_was_answered_is_stored_when_the_work_is_stopped(tmp_path: Path) -> None:
    stop = threading.Event()

    def stops(_: str | bytes, __: int) -> None:
        if len(endpoint.asked) >= 40:
            stop.set()

    endpoint = KnownEndpoint(stops)
    with pytest.raises(StoppedError, match="a retry goes on"):
        run(tmp_path, endpoint, 500, stop=stop)
    again = KnownEndpoint()
    output = run(tmp_path, again, 500)
    assert results(output) == expected(500)
    assert output.known >= 40
    assert output.known + len(again.asked) == 500


def test_another_version_answers_nothing_of_this_work(tmp_path: Path) -> None:
    endpoint = KnownEndpoint()
    with pytest.raises(ModelChangedError, match=r"serves .*v1, and not .*v2"):
        run(tmp_path, endpoint, 5, model_arn=MODEL.replace("v1", "v2"))
    assert endpoint.asked == []


def test_answers_of_a_version_that_took_over_meanwhile_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "STORED_TOGETHER", 10)

    def promoted(content: str | bytes, _: int) -> None:
        if content == "label100 text":
            endpoint.model_arn = MODEL.replace("v1", "v2")

    endpoint = KnownEndpoint(promoted)
    with pytest.raises(ModelChangedError):
        run(tmp_path, endpoint, 200)
    again = KnownEndpoint()
    output = run(tmp_path, again, 200)
    assert output.known <= 100, "nothing that v2 may have answered"
    assert output.known >= 50
    assert results(output) == expected(200)


def test_an_endpoint_that_does_not_answer_ends_the_try_and_keeps_what_was_answered(tmp_path: Path) -> None:
    def closes(content: str | bytes, _: int) -> None:
        if content == "label150 text":
            raise EndpointNotInServiceError("The endpoint is DELETING")

    with pytest.raises(EndpointNotInServiceError):
        run(tmp_path, KnownEndpoint(closes), 200)
    assert run(tmp_path, KnownEndpoint(), 200).known >= 100


def test_an_endpoint_that_refuses_everything_for_long_ends_the_try(tmp_path: Path) -> None:
    def busy(_: str | bytes, __: int) -> None:
        raise BusyError("ThrottlingException")

    with pytest.raises(EndpointNotInServiceError, match=r"answered nothing .*more inference units"):
        run(tmp_path, KnownEndpoint(busy), 3, patience=0)


def test_work_that_ends_early_keeps_its_answers_and_names_what_was_not_asked(tmp_path: Path) -> None:
    def closes(content: str | bytes, _: int) -> None:
        if content == "label120 text":
            raise EndpointNotInServiceError("closed")

    with pytest.raises(EndpointNotInServiceError):
        run(tmp_path, KnownEndpoint(closes), 300)
    folder, access = f"{tmp_path}/night/", plain_access()
    output = end_early(documents(300), access, folder, MODEL)
    assert output is not None
    found = results(output)
    assert len(found) == 300
    answered = [each for each in found if each[1] != NOT_ASKED]
    assert len(answered) == output.known >= 50
    assert sorted(answered) == [each for each in expected(300) if each in answered]
    # What is written is taken over, and nobody is asked again.
    again = KnownEndpoint()
    assert run(tmp_path, again, 300).output_uri == output.output_uri
    assert (again.asked, results(output)) == ([], found)


def test_work_that_ends_before_any_answer_writes_nothing(tmp_path: Path) -> None:
    assert end_early(documents(3), plain_access(), f"{tmp_path}/night/", MODEL) is None
    assert not (tmp_path / "night").exists()
