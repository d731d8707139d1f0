"""Use two cores for one stream: one thread makes its items, another uses them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

ItemT = TypeVar("ItemT")

THREAD: Final = "nightsort-prefetch"
"""The names of the threads begin with this."""


def prefetch(items: Generator[ItemT, None, None], depth: int = 1) -> Generator[ItemT, None, None]:
    """Yield the items of a stream in their order; a thread makes the next ones while the caller uses one.

    Arrow, NumPy and files release the interpreter lock, so both sides run in parallel. The thread ends
    with the stream, and when the caller stops early.

    :param items: must not yield ``None``. They are closed at the end, or when the caller stops early.
    :param depth: how many items are made in advance.
    :raises Exception: whatever making an item raised, where that item would have come.
    """
    with ThreadPoolExecutor(1, THREAD) as maker:
        coming = deque(maker.submit(next, items, None) for _ in range(depth))
        try:
            while (item := coming.popleft().result()) is not None:
                coming.append(maker.submit(next, items, None))
                yield item
        finally:
            for unwanted in coming:
                unwanted.cancel()
            # Close in the thread that opened the stream's resources: some database drivers require it.
            maker.submit(items.close).result()
