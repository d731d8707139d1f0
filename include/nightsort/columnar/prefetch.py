"""Two cores for one stream: what makes its items, and what uses them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

ItemT = TypeVar("ItemT")


def prefetch(stream: Generator[ItemT, None, None]) -> Generator[ItemT, None, None]:
    """Yield the items of a stream in their order, the next one being made in a thread while one is used.

    Arrow, NumPy and files let go of the interpreter lock, so that both sides really run at once.

    :param stream: gives no ``None``. It is closed at the end, or when the caller stops early.
    """
    with ThreadPoolExecutor(1) as maker:
        try:
            coming = maker.submit(next, stream, None)
            while (item := coming.result()) is not None:
                coming = maker.submit(next, stream, None)
                yield item
        finally:
            # In the thread that opened what the stream holds open: some database drivers insist.
            maker.submit(stream.close).result()
