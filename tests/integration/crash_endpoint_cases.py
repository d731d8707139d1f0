"""The part of the crash matrix about endpoints: where the tasks of ``serve_<name>`` are struck.

Each act is the life of one endpoint: a person opens it, a promotion moves it to another version, its time
ends, and it is closed.
"""

from __future__ import annotations

from typing import Final

from tests.integration.crash_points import (
    AFTER,
    API_CALL,
    AWS,
    BEFORE,
    CLEAR,
    EXCEPTION,
    GIVE_UP,
    LOST,
    POSTGRES,
    SCHEDULER,
    TASK,
    TRIGGERER,
    WORKER,
    WORKER_ALONE,
    Hang,
    Place,
    Point,
    Waiting,
)

OPENING, OPEN, MOVING, CLOSING = "opening", "open", "moving", "closing"
STAGES: Final = (OPENING, OPEN, MOVING, CLOSING)
"""The stages of an endpoint's life, in their order."""


def _call(does: str) -> tuple[str, str, str]:
    return (
        f"before the call that {does} the endpoint",
        f"after AWS took the call that {does} the endpoint, and before its answer came",
        f"after the answer that it {does} the endpoint, and before the row has it",
    )


OPEN_CALL, OPEN_TAKEN, OPEN_DONE = _call("opens")
MOVE_CALL, MOVE_TAKEN, MOVE_DONE = _call("moves")
CLOSE_CALL, CLOSE_TAKEN, CLOSE_DONE = _call("closes")
OPENS: Final = "while the endpoint opens"
MOVES: Final = "while the endpoint is moved to another version"
IS_OPEN: Final = "while the endpoint is open"
CLOSES: Final = "while the endpoint closes"

_WAITS = Waiting("endpoint")


def _around_call(operation: str, names: tuple[str, str, str]) -> dict[str, Place]:
    places = (Point(API_CALL, "before", operation), Hang(operation), Point(API_CALL, "after", operation))
    return dict(zip(names, places, strict=True))


def _of(operator: str, method: str, when: str) -> Point:
    return Point(f"nightsort_airflow.operators.serving:{operator}.{method}", when)


SERVE: Final[dict[str, dict[str, Place]]] = {
    "open_endpoint": {
        BEFORE: _of("OpenEndpointOperator", "execute", "before"),
        **_around_call("CreateEndpoint", (OPEN_CALL, OPEN_TAKEN, OPEN_DONE)),
        OPENS: _WAITS,
        AFTER: _of("OpenEndpointOperator", "execute_complete", "after"),
        **_around_call("UpdateEndpoint", (MOVE_CALL, MOVE_TAKEN, MOVE_DONE)),
        MOVES: _WAITS,
    },
    "watch_endpoint": {
        IS_OPEN: _WAITS,
        AFTER: _of("WatchEndpointOperator", "execute_complete", "after"),
    },
    "close_endpoint": {
        BEFORE: _of("CloseEndpointOperator", "execute", "before"),
        **_around_call("DeleteEndpoint", (CLOSE_CALL, CLOSE_TAKEN, CLOSE_DONE)),
        CLOSES: _WAITS,
        AFTER: _of("CloseEndpointOperator", "execute_complete", "after"),
    },
}

_MOVES: Final = (MOVE_CALL, MOVE_TAKEN, MOVE_DONE, MOVES)


def stage_of(task: str, point: str) -> str:
    """The stage of the endpoint's life in which a task is struck."""
    if task == "open_endpoint":
        return MOVING if point in _MOVES else OPENING
    return OPEN if point == IS_OPEN else CLOSING


# The local AWS forgets that it is slow when it dies, so its death is the last one while something changes.
SERVE_ACTS: Final[tuple[tuple[tuple[str, str, str], ...], ...]] = (
    (
        ("open_endpoint", BEFORE, TASK),
        ("open_endpoint", OPEN_CALL, TASK),
        ("open_endpoint", OPEN_TAKEN, TASK),
        ("open_endpoint", OPENS, TRIGGERER),
        ("watch_endpoint", IS_OPEN, TRIGGERER),
        ("open_endpoint", MOVE_CALL, TASK),
        ("open_endpoint", MOVE_TAKEN, TASK),
        ("open_endpoint", MOVES, TRIGGERER),
        ("close_endpoint", CLOSE_CALL, TASK),
        ("close_endpoint", CLOSE_TAKEN, TASK),
        ("close_endpoint", CLOSES, TRIGGERER),
    ),
    (
        ("open_endpoint", OPEN_DONE, WORKER),
        ("open_endpoint", OPENS, SCHEDULER),
        ("open_endpoint", AFTER, TASK),
        ("watch_endpoint", IS_OPEN, SCHEDULER),
        ("open_endpoint", MOVE_DONE, WORKER),
        ("open_endpoint", MOVES, SCHEDULER),
        ("watch_endpoint", AFTER, TASK),
        ("close_endpoint", CLOSE_DONE, WORKER),
        ("close_endpoint", CLOSES, SCHEDULER),
        ("close_endpoint", AFTER, TASK),
    ),
    (("open_endpoint", OPENS, GIVE_UP),),
    (
        ("open_endpoint", OPEN_TAKEN, SCHEDULER),
        ("open_endpoint", OPENS, AWS),
        ("watch_endpoint", IS_OPEN, AWS),
        ("open_endpoint", MOVE_TAKEN, SCHEDULER),
        ("open_endpoint", MOVES, AWS),
        ("close_endpoint", CLOSE_TAKEN, SCHEDULER),
        ("close_endpoint", CLOSES, AWS),
    ),
    (
        ("open_endpoint", OPEN_TAKEN, AWS),
        ("open_endpoint", MOVE_TAKEN, AWS),
        ("close_endpoint", CLOSE_TAKEN, AWS),
    ),
    (
        ("open_endpoint", OPEN_TAKEN, LOST),
        ("open_endpoint", OPENS, CLEAR),
        ("open_endpoint", MOVE_TAKEN, LOST),
        ("open_endpoint", MOVES, CLEAR),
        ("close_endpoint", CLOSE_TAKEN, LOST),
        ("close_endpoint", CLOSES, CLEAR),
    ),
    (
        ("open_endpoint", OPEN_DONE, POSTGRES),
        ("open_endpoint", MOVE_DONE, POSTGRES),
        ("close_endpoint", CLOSE_DONE, POSTGRES),
    ),
    (
        ("open_endpoint", OPEN_CALL, WORKER_ALONE),
        ("watch_endpoint", IS_OPEN, CLEAR),
        ("open_endpoint", MOVE_DONE, EXCEPTION),
        ("close_endpoint", BEFORE, TASK),
        ("close_endpoint", CLOSE_CALL, WORKER_ALONE),
    ),
    (("watch_endpoint", IS_OPEN, GIVE_UP),),
)
