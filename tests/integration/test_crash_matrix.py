"""Whatever dies, wherever: nothing is paid for twice, no document is lost, and nobody has to help.

Each act of :mod:`crash_cases` is one run of a DAG, with Airflow's own scheduler, executor and task runner, on
a local AWS and a real PostgreSQL. It is struck at one point after the other, and goes on by what Airflow does
by itself, or by what the user asked for. At its end it is held against an undisturbed run.
"""

from __future__ import annotations

import functools
import importlib
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.crash_acts import Act
from tests.integration.crash_cases import BEGIN, CASES, END, PAGE, QUICK, Case, matrix_page
from tests.integration.crash_endpoint_acts import EndpointAct
from tests.integration.crash_points import Point
from tests.integration.crash_small_cases import ASKED_AGAIN, WHILE_IT_ASKS
from tests.integration.crash_world import DAY, Outcome, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeGuard

pytestmark = [pytest.mark.integration, pytest.mark.timeout(7_200)]


@pytest.mark.parametrize("call", sorted({case.place.call for case in CASES if isinstance(case.place, Point)}))
def test_what_is_struck_is_in_the_code(call: str) -> None:
    module, _, path = call.partition(":")
    assert callable(functools.reduce(getattr, path.split("."), importlib.import_module(module)))


@pytest.fixture(scope="module")
def world(postgres_dsn: str) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="ns-crash-", dir="/tmp"))
    made = World(folder, postgres_dsn)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(world: World) -> Callable[[str, bool, bool], Outcome]:
    """Run the DAG of a kind undisturbed, once; return what is left.

    Comprehend may lose half of the documents that are first sent, or the night may be a small one.
    """

    @cache
    def run(kind: str, loses: bool, small: bool) -> Outcome:
        if kind == "serve":
            return EndpointAct(world, "undisturbed", []).play()
        name = "losing" if loses else "small" if small else kind
        world.new_classifier(name, kind, small=small)
        if loses:
            world.lose_documents(name)
        dag_id = f"{kind}_{name}"
        run_id = world.airflow.call("start_run", dag_id, DAY)
        world.airflow.wait_until(lambda: world.airflow.state(dag_id, run_id) == "success", f"{dag_id} done")
        return world.outcome(name)

    return run


@pytest.fixture(scope="module")
def played(world: World, request: pytest.FixtureRequest) -> Callable[[int], Outcome | Exception]:
    """Play those cases of an act that were chosen for this run of the tests, once; return what is left.

    An act that fails returns its exception.
    """
    chosen = {item.callspec.params["case"] for item in request.session.items if _plays_a_case(item)}

    @cache
    def play(number: int) -> Outcome | Exception:
        try:
            cases = [case for case in CASES if case.act == number and case in chosen]
            act = EndpointAct if cases[0].kind == "serve" else Act
            return act(world, f"act{number}", cases).play()
        except Exception as error:
            # Each case of the act says so; the next act is another world.
            return error
        finally:
            world.calm_down()

    return play


def _plays_a_case(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return getattr(item, "function", None) is test_nothing_is_paid_twice_and_no_document_is_lost


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=str(case), marks=() if case in QUICK else pytest.mark.slow) for case in CASES],
)
def test_nothing_is_paid_twice_and_no_document_is_lost(
    case: Case,
    played: Callable[[int], Outcome | Exception],
    undisturbed: Callable[[str, bool, bool], Outcome],
    record_property: Callable[[str, object], None],
) -> None:
    expected, outcome = undisturbed(case.kind, case.loses, case.small), played(case.act)
    if isinstance(outcome, Exception):
        raise outcome
    paid_twice = outcome.started - expected.started
    record_property("crash", [case.name, case.point, case.means, paid_twice, outcome.lost])
    assert paid_twice == outcome.lost == 0
    assert outcome == expected
    struck = sum(other.act == case.act and other.point in WHILE_IT_ASKS for other in CASES)
    assert outcome.answers - expected.answers <= struck * ASKED_AGAIN


def test_a_quick_run_meets_each_task_and_each_kind_of_death() -> None:
    for part in ("name", "means"):
        assert {getattr(case, part) for case in QUICK} == {getattr(case, part) for case in CASES}


def test_the_documentation_lists_exactly_these_cases() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    assert rest.partition(END)[0].strip() == matrix_page().strip(), "run tests/integration/crash_cases.py"
