"""Find documents among rejects, and take them out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from nightsort.sources.rejects import FORGOTTEN
from nightsort.storage import upload_whole

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from nightsort.storage import Access


@dataclass(frozen=True)
class FoundRejects:
    """Documents among rejects.

    :param ids: how often each id is there.
    :param places: file and row of each.
    """

    ids: Counter[str] = field(default_factory=Counter)
    places: set[tuple[str, int]] = field(default_factory=set)


def find_in_rejects(uri: str, ids: Collection[str], access: Access) -> FoundRejects:
    """Find documents among rejects.

    :param uri: a ``rejects.jsonl``; if there is none, it holds none.
    :param ids: the ids.
    :param access: storage.
    """
    found = FoundRejects()
    try:
        with access.path(uri).open("rb") as lines:
            for line in lines:
                reject = _reject(line)
                if reject.get("document_id") in ids:
                    found.ids[reject["document_id"]] += 1
                    found.places.add((reject["file"], reject["row"]))
    except FileNotFoundError:
        pass
    return found


def erase_from_rejects(uri: str, ids: Collection[str], access: Access, scratch: Path) -> None:
    """Write rejects anew, with ``null`` in the place of some documents.

    :param uri: a ``rejects.jsonl``.
    :param ids: the ids.
    :param access: storage.
    :param scratch: a local folder.
    """
    local = scratch / "rejects.jsonl"
    with access.path(uri).open("rb") as lines, local.open("wb") as left:
        for line in lines:
            left.write(FORGOTTEN + b"\n" if _reject(line).get("document_id") in ids else line)
    upload_whole(local, uri, access)


def _reject(line: bytes) -> dict[str, Any]:
    try:
        reject = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return reject if isinstance(reject, dict) else {}
