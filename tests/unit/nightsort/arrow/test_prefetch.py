"""A stream that a thread makes in advance has the same items, the same errors, and is closed in any case."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from nightsort.arrow.prefetch import THREAD, prefetch

if TYPE_CHECKING:
    from collections.abc import Generator


def numbers(log: list[str], *, fail_at: int | None = None) -> Generator[int, None, None]:
    log.append(threading.current_thread().name)
    try:
        for number in range(5):
            if number == fail_at:
                raise ValueError("broken")
            yield number
    finally:
        log.append(threading.current_thread().name)


@pytest.mark.parametrize("depth", [1, 4, 9])
def test_items_come_in_their_order(depth: int) -> None:
    assert list(prefetch(numbers([]), depth)) == [0, 1, 2, 3, 4]


def test_no_more_is_made_in_advance_than_asked_for() -> None:
    made: list[int] = []
    third = threading.Event()

    def items() -> Generator[int, None, None]:
        for number in range(100):
            made.append(number)
            if number == 3:
                third.set()
            yield number

    stream = prefetch(items(), 3)
    assert next(stream) == 0
    assert third.wait(240)
    stream.close()

    # One is used, three wait: nothing else was begun, and nothing is afterwards.
    assert made == [0, 1, 2, 3]


@pytest.mark.parametrize("depth", [1, 4])
def test_an_error_comes_at_its_place(depth: int) -> None:
    stream = prefetch(numbers([], fail_at=3), depth)

    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_a_stream_left_early_is_closed_by_the_thread_that_opened_it() -> None:
    log: list[str] = []
    stream = prefetch(numbers(log))
    next(stream)

    stream.close()

    assert len(log) == 2
    assert log[0] == log[1] != threading.current_thread().name
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(THREAD)]
