"""Whatever dies, wherever: nothing is paid for twice, no document is lost, and nobody has to help.

Each act of :mod:`crash_cases` is one run of a DAG, with Airflow's own scheduler, executor and task runner, on
a local AWS and a real PostgreSQL. It is struck at one point after the other, and goes on by what Airflow does
by itself, or by what the user asked for. At its end it is held against an undisturbed run.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.crash_acts import Act
from tests.integration.crash_cases import BEGIN, CASES, END, PAGE, Case, matrix_page
from tests.integration.crash_world import DAY, Outcome, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def world(postgres_dsn: str) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="ns-crash-", dir="/tmp"))
    made = World(folder, postgres_dsn)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def undisturbed(world: World) -> dict[str, Outcome]:
    """What an undisturbed run of each DAG leaves behind."""
    outcomes = {}
    for kind in ("train", "classify"):
        world.new_classifier(kind)
        dag_id = f"{kind}_{kind}"
        run_id = world.airflow.call("start_run", dag_id, DAY)
        world.airflow.wait_until(
            lambda run=(dag_id, run_id): world.airflow.state(*run) == "success", f"{dag_id} done"
        )
        outcomes[kind] = world.outcome(kind)
    return outcomes


@pytest.fixture(scope="module")
def played(world: World, undisturbed: dict[str, Outcome]) -> Callable[[int], Outcome | Exception]:
    """Play an act, once; give what it leaves, or how it failed."""

    @cache
    def play(number: int) -> Outcome | Exception:
        try:
            return Act(world, [case for case in CASES if case.act == number]).play()
        except Exception as error:
            # Each case of the act says so; the next act is another world.
            return error
        finally:
            world.calm_down()

    return play


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_is_paid_twice_and_no_document_is_lost(
    case: Case,
    played: Callable[[int], Outcome | Exception],
    undisturbed: dict[str, Outcome],
    record_property: Callable[[str, object], None],
) -> None:
    outcome, expected = played(case.act), undisturbed[case.kind]
    if isinstance(outcome, Exception):
        raise outcome
    paid_twice = outcome.started - expected.started
    record_property("crash", [case.name, case.point, case.means, paid_twice, outcome.lost])
    assert paid_twice == outcome.lost == 0
    assert outcome == expected


def test_the_documentation_lists_exactly_these_cases() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    assert rest.partition(END)[0].strip() == matrix_page().strip(), "run tests/integration/crash_cases.py"
