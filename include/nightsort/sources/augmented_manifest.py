"""Augmented manifests, as SageMaker Ground Truth writes them: JSON Lines with the labels in their metadata.

A line has the text (``source``) or the URI of an object with the text (``source-ref``), and an attribute for
each labelling job. ``<attribute>-metadata`` has the label's name: ``class-name`` for one label, ``class-map``
for several. The attribute itself has only the label's number, which means nothing outside of the job.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from nightsort.classifier_spec.uris import uri_problem
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort.layout import S3
from nightsort.sources.json_lines import Row, labels_of, objects_of, raw_rows, read_row
from nightsort.sources.json_values import ABSENT, Damage, Json, kind_of
from nightsort.sources.missing_columns import MOST_NAMES, look_like_names
from nightsort.sources.row_blocks import BadRow, RawRows
from nightsort.sources.source_files import CHUNK_BYTES, SourceError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from nightsort.sources.row_blocks import ColumnSelection
    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile
    from nightsort.storage import Access

TEXT_KEY: Final = "source"

PARALLEL_OBJECTS: Final = 16
"""So many objects of ``source-ref`` are fetched at once; each has at most 10 MB."""

_ROWS: Final = 4_096
METADATA: Final = "-metadata"
_LONGEST_REASON: Final = 100


def read_manifests(
    opened: Iterable[OpenedFile], selection: ColumnSelection, access: Access
) -> Iterator[RawRows]:
    """Read augmented manifests; objects of ``source-ref`` are fetched, a few at a time and in order.

    :param opened: the files, each with its bytes.
    :param selection: its label is the attribute of the labelling job.
    :param access: reads the objects.
    :raises SourceError: no line has labels of the attribute, or an object may not be read.
    """
    seen = _AttributesSeen(str(selection.label))
    for file, stream in opened:
        with closing(_with_texts(_items(file, stream, selection, seen), access)) as items:
            yield from _in_groups(file, items, selection)
    seen.check()


@dataclass(frozen=True)
class _Item:
    """A line that can be a document.

    :param row: its text is empty as long as it is in an object.
    :param uri: the object with the text; ``None`` where the line has the text.
    """

    row: Row
    uri: str | None = None


class _AttributesSeen:
    """The attributes with labels that some line has."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self._found = False
        self._where: str | None = None
        self._others: dict[str, None] = {}

    def see(self, value: dict[str, Json], where: str) -> None:
        """Note the attributes of a line of the file with this URI."""
        if self._found:
            return
        self._found = self._attribute + METADATA in value
        self._where = self._where or where
        names = (key.removesuffix(METADATA) for key in value if key.endswith(METADATA))
        self._others.update(dict.fromkeys(name for name in names if look_like_names([name])))

    def check(self) -> None:
        """Check that some line has the attribute.

        :raises SourceError: none has.
        """
        if self._where is None or self._found:
            return
        listed = ", ".join([*self._others][:MOST_NAMES]) or "none"
        raise SourceError(
            f'{self._where} has no labels of the attribute "{self._attribute}"; it has those of: {listed}. '
            "Name the right one in the spec (labelled.attribute)"
        )


def _items(
    file: SourceFile, stream: IO[bytes], selection: ColumnSelection, seen: _AttributesSeen
) -> Iterator[_Item | BadRow]:
    for number, value in enumerate(objects_of(file, stream)):
        if isinstance(value, Damage):
            yield BadRow(number, value.detail, value.reason)
            continue
        seen.see(value, file.uri)
        yield _read_item(value, number, selection, file)


def _read_item(
    value: dict[str, Json], number: int, selection: ColumnSelection, file: SourceFile
) -> _Item | BadRow:
    name = f"{selection.label}{METADATA}"
    labels = labels_in(value.get(name), name)
    if isinstance(labels, Damage):
        return BadRow(number, labels.detail, labels.reason, _id_of(value, selection))
    # The key of the label is that of the labels' names; the attribute itself has only their numbers.
    row = read_row({**value, str(selection.label): labels}, number, selection)
    if isinstance(row, BadRow) or value.get(selection.text) is not None:
        return row if isinstance(row, BadRow) else _Item(row)
    uri = value.get("source-ref")
    if problem := _uri_problem(uri, file):
        return BadRow(number, problem, document_id=_id_of(value, selection), labels=labels_of(row))
    return _Item(row, uri)


def _id_of(value: dict[str, Json], selection: ColumnSelection) -> str | None:
    row = read_row({**value, selection.text: "", str(selection.label): None}, 0, selection)
    return None if isinstance(row, BadRow) else row.id.decode(errors="replace") or None


def labels_in(answer: Json, name: str) -> list[Json] | Damage | None:
    """Return the labels' names, or why there are none; ``None``: nobody was asked.

    :param answer: the metadata of an attribute in a line.
    :param name: its key, for the reason.
    """
    if answer is None:
        return None
    if not isinstance(answer, dict):
        return Damage(f"{name} is {kind_of(answer)}, not an object")
    if "failure-reason" in answer:
        reason = "".join(filter(str.isprintable, str(answer["failure-reason"])))
        return Damage(reason[:_LONGEST_REASON] or "no reason given", "annotation_failed")
    if "class-name" in answer:
        return [answer["class-name"]]
    names = answer.get("class-map", ABSENT)
    if isinstance(names, dict):
        return list(names.values())
    return Damage(f"{name} has neither class-name nor class-map, which hold the names of labels")


def _uri_problem(uri: Json, file: SourceFile) -> str | None:
    if uri is None:
        return "has neither source nor source-ref"
    if not isinstance(uri, str) or uri_problem(uri) or uri.endswith("/"):
        return "source-ref is not the URI of an object"
    if not uri.startswith(S3) and file.uri.startswith(S3):
        # Whoever writes to the bucket must not read the worker's disk.
        return "source-ref is not an S3 URI"
    return None


def _with_texts(items: Iterable[_Item | BadRow], access: Access) -> Generator[Row | BadRow, None, None]:
    """Yield the rows in their order, with the texts of objects, which are fetched in parallel."""
    coming: deque[tuple[_Item | BadRow, Future[bytes | Damage] | None]] = deque()
    with ThreadPoolExecutor(PARALLEL_OBJECTS) as pool:
        try:
            for item in items:
                if len(coming) == PARALLEL_OBJECTS:
                    yield _finished(*coming.popleft())
                uri = None if isinstance(item, BadRow) else item.uri
                coming.append((item, None if uri is None else pool.submit(_fetch, uri, access)))
            while coming:
                yield _finished(*coming.popleft())
        finally:
            for _, text in coming:
                if text is not None:
                    text.cancel()


def _finished(item: _Item | BadRow, fetched: Future[bytes | Damage] | None) -> Row | BadRow:
    if isinstance(item, BadRow):
        return item
    if fetched is None:
        return item.row
    text = fetched.result()
    if isinstance(text, Damage):
        named = item.row.id.decode(errors="replace") or None
        return BadRow(item.row.number, text.detail, text.reason, named, labels_of(item.row))
    return item.row._replace(text=text)


def _fetch(uri: str, access: Access) -> bytes | Damage:
    """Return the text in an object, or why there is none.

    :raises SourceError: nobody may read it.
    """
    fs, path = access.file(uri)
    try:
        data: bytes = fs.cat_file(path, start=0, end=MAX_DOCUMENT_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError):
        return Damage("the object of source-ref does not exist")
    except PermissionError as error:
        raise SourceError(
            f"{uri}, the source-ref of an augmented manifest, may not be read ({error}); let the connection "
            "read it"
        ) from None
    except OSError:
        # S3 has no range of an empty object.
        if fs.size(path):
            raise
        data = b""
    if len(data) > MAX_DOCUMENT_BYTES:
        return Damage(
            f"the object of source-ref has more than {MAX_DOCUMENT_BYTES // 1_000_000} MB", "too_large"
        )
    return data


def _in_groups(
    file: SourceFile, rows: Iterable[Row | BadRow], selection: ColumnSelection
) -> Iterator[RawRows]:
    """Yield rows some thousand at a time, or as many as take a few megabytes."""
    group: list[Row | BadRow] = []
    size = 0
    for row in rows:
        group.append(row)
        size += 0 if isinstance(row, BadRow) else len(row.text)
        if len(group) == _ROWS or size > CHUNK_BYTES:
            yield raw_rows(file, group, selection)
            group, size = [], 0
    if group:
        yield raw_rows(file, group, selection)
