"""What an endpoint said of each document, kept as the lines of a job's output.

While the work goes on, answers are stored in parts, so that a later try asks for the rest only. At its end
they are written as ``output/output.tar.gz``, which reads like the output of a job: whatever loads, exports or
forgets documents needs to know nothing of endpoints. The parts are then emptied, because forgetting would
have to look for their content, too.
"""

from __future__ import annotations

import secrets
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from nightsort.results.columns import MEMBER
from nightsort.storage import names_below, upload_texts, upload_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nightsort.storage import Access

Place: TypeAlias = "tuple[str, int]"
"""Name of the input file, and line from 0."""


def answer_line(place: Place, answer: Mapping[str, Any]) -> bytes:
    """Return an answer of ClassifyDocument as a line of a job's output.

    :param place: of the document.
    :param answer: with ``Classes`` or ``Labels``; of a file, with ``Errors`` where its page cannot be read.
    :returns: JSON, without a line feed.
    """
    for key in ("Classes", "Labels"):
        if key in answer:
            entries = [{"Name": entry["Name"], "Score": entry["Score"]} for entry in answer[key]]
            return _line(place, {key: entries})
    for error in answer.get("Errors", ()):
        return failure_line(place, error.get("ErrorCode", ""), error.get("ErrorMessage", ""))
    return _line(place, {"Classes": []})


def failure_line(place: Place, code: str, message: str) -> bytes:
    """Return a document that cannot be classified as a line of a job's output.

    :param place: of the document.
    :param code: becomes its reason, ``error:<code>``.
    :param message: for people, without its text.
    :returns: JSON, without a line feed.
    """
    return _line(place, {"ErrorCode": code, "ErrorMessage": message})


def _line(place: Place, result: dict[str, Any]) -> bytes:
    return orjson.dumps({"File": place[0], "Line": str(place[1]), **result})


class StoredAnswers:
    """The answers below a folder.

    :param access: storage.
    :param folder: ends in ``/``; it stands for one input and one classifier version.
    """

    def __init__(self, access: Access, folder: str) -> None:
        self._access = access
        self._parts = f"{folder}answers/"
        self.output_uri: Final = f"{folder}output/output.tar.gz"

    def is_complete(self) -> bool:
        """Return whether all documents were answered, and the output was written."""
        return self._access.path(self.output_uri).exists()

    def read(self) -> dict[Place, bytes]:
        """Return the lines that earlier tries stored, by place."""
        found: dict[Place, bytes] = {}
        for name in names_below(self._parts, self._access):
            for line in self._access.path(f"{self._parts}{name}").read_bytes().splitlines():
                row = orjson.loads(line)
                found.setdefault((row["File"], int(row["Line"])), line)
        return found

    def add(self, lines: Iterable[bytes]) -> None:
        """Store lines as a part of its own: no other process writes the same one.

        :param lines: without line feeds.
        """
        name = f"{secrets.token_hex(8)}.jsonl"
        upload_texts([(name, b"".join(line + b"\n" for line in lines))], self._parts, self._access)

    def complete(self, lines: Iterable[bytes]) -> None:
        """Write the output.

        :param lines: of all documents, in their order.
        """
        with tempfile.TemporaryDirectory(prefix="nightsort-") as scratch:
            content, packed = Path(scratch) / MEMBER, Path(scratch) / "output.tar.gz"
            with content.open("wb") as file:
                file.writelines(line + b"\n" for line in lines)
            with tarfile.open(packed, "w:gz", compresslevel=6) as tar:
                tar.add(content, MEMBER)
            upload_whole(packed, self.output_uri, self._access)

    def empty_parts(self) -> None:
        """Empty the parts, whose answers are in the output."""
        names = names_below(self._parts, self._access)
        upload_texts([(name, b"") for name in names], self._parts, self._access)
