"""``nightsort forget`` and documents that the source lost, or changed, before they were forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.integration.forgetting_world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

JANE, HER_TEXT = "T-17", "Jane Roe wants a refund"
OTHERS = {"T-11": "text of 11", "T-12": "text of 12"}


@pytest.fixture(params=["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def world(
    aws: LocalAwsServer,
    empty_database: str,
    database: psycopg.Connection[Any],
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    with aws.for_this_process():
        world = World(aws, empty_database, uuid4().hex, input_format=request.param, reuse={"days": 30})
        world.arrives("a.jsonl", {JANE: HER_TEXT, **OTHERS})
        world.classify()
        yield world


def again(world: World, documents: dict[str, str]) -> None:
    """Run the day again with other documents; nothing is paid twice."""
    world.arrives("a.jsonl", documents)
    world.classify()
    world.export()


def check_the_others(world: World, documents: dict[str, str]) -> None:
    """The day, run once more, is as it was, for no further unit."""
    paid = dict(world.paid)
    world.classify()
    assert world.table() == {name: f"like {text}" for name, text in documents.items()}
    assert world.paid == paid


def test_the_text_of_a_document_that_the_source_has_lost_is_removed(world: World, tmp_path: Path) -> None:
    again(world, OTHERS)
    assert world.holds(HER_TEXT)
    result = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert "1 text whose document the source no longer has" in result.output
    assert world.holds(HER_TEXT) == []
    check_the_others(world, OTHERS)
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").output.strip() == f"Found nowhere: {JANE}."


def test_the_text_that_a_document_had_before_is_removed(world: World, tmp_path: Path) -> None:
    again(world, {**OTHERS, JANE: "Jane Roe has changed her mind"})
    result = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert "Forgot 1 document in 1 run" in result.output
    assert world.holds("Jane Roe") == []
    world.arrives("a.jsonl", OTHERS)
    check_the_others(world, OTHERS)


def test_a_text_that_another_document_has_by_now_stays_without_the_name(world: World, tmp_path: Path) -> None:
    left = {**OTHERS, "T-18": HER_TEXT}
    again(world, left)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert world.holds(JANE) == []
    check_the_others(world, left)
    assert world.forget(tmp_path, "--document-id", "T-18", "--yes").exit_code == 0
    assert world.holds(HER_TEXT, "T-18") == []
    world.arrives("a.jsonl", OTHERS)
    check_the_others(world, OTHERS)


def test_a_file_is_passed_on_where_its_new_document_has_given_one_away(world: World, tmp_path: Path) -> None:
    """T-11 has Jane's line, and T-12 that of T-11: a file that is named T-11 is there already."""
    left = {"T-11": HER_TEXT, "T-12": "text of 11"}
    again(world, left)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert world.holds(JANE, "text of 12") == []
    check_the_others(world, left)
