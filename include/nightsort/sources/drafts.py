"""Draft the source of labelled documents from a look at its files, and try the draft by reading with it."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from nightsort.classifier_spec.source import LabelledSource
from nightsort.comprehend.limits import DEFAULT_LABEL_DELIMITER
from nightsort.layout import REJECTS_FILE
from nightsort.sources.column_roles import ColumnRoles, can_join, guess_roles, joined_by
from nightsort.sources.documents import read_documents
from nightsort.sources.first_look import look_at
from nightsort.sources.languages import guess_language
from nightsort.sources.missing_columns import missing_column
from nightsort.sources.rejects import RejectLog
from nightsort.sources.source_files import SourceError

if TYPE_CHECKING:
    from nightsort.arrow.columns import Column
    from nightsort.comprehend.limits import Language, Mode
    from nightsort.sources.first_look import FirstLook
    from nightsort.storage import Access, Progress

MAX_DOCUMENTS: Final = 100_000
_NAME_ANOTHER: Final = (
    "It has no header row that names one so: use these names with --text-column, --label-column, --id-column"
)
_MAX_TEXTS: Final = 500
_DEFAULTS: Final = {"text_column": "text", "label_column": "label"}


@dataclass(frozen=True)
class Draft:
    """A source of labelled documents, as it seems to be.

    :param keys: the keys of the spec's source.
    :param mode: whether a document has one label or several.
    :param label_delimiter: joins several labels; ``None`` for one.
    :param language: of the texts, if their words tell.
    :param seen: what the files look like, for a person: one phrase each.
    :param files: how many files there are.
    :param documents: how many were read with this source, at most :data:`MAX_DOCUMENTS`.
    :param labels: the documents of each label.
    :param rejects: what could not be read; its file is gone.
    """

    keys: dict[str, Any]
    mode: Mode
    label_delimiter: str | None
    language: Language | None
    seen: tuple[str, ...]
    files: int
    documents: int
    labels: Counter[str]
    rejects: RejectLog


def draft_source(
    uri: str, access: Access, *, given: ColumnRoles, mode: Mode | None, progress: Progress | None = None
) -> Draft:
    """Look at files, and read documents with what was seen.

    :param uri: a file, a prefix or a glob.
    :param access: storage.
    :param given: columns that a person has named.
    :param mode: whether a document has one label or several; ``None``: as it looks.
    :param progress: called with the documents read so far.
    :returns: the draft.
    :raises SourceError: the files cannot be read, or have no columns of texts and labels.
    """
    named = [name for name in (given.text, given.label, given.id) if name is not None]
    look = look_at(uri, access, named=named)
    keys = {"uri": uri, **look.keys, **_columns(look, given)}
    if mode is None or mode == "MULTI_LABEL":
        joined = joined_by(look.columns.get(_label_column(look, keys), ()))
        mode = mode or ("MULTI_CLASS" if joined is None or not _is_usable(joined) else "MULTI_LABEL")
        delimiter = (joined or DEFAULT_LABEL_DELIMITER) if mode == "MULTI_LABEL" else None
    else:
        delimiter = None
    try:
        source = LabelledSource.model_validate(keys)
    except ValidationError as error:
        raise SourceError(f"{uri} cannot be described in a spec: {error.errors()[0]['msg']}") from None
    labels: Counter[str] = Counter()
    texts: list[str] = []
    documents = 0
    with (
        tempfile.TemporaryDirectory(prefix="nightsort-") as folder,
        RejectLog(Path(folder) / REJECTS_FILE) as rejects,
    ):
        for batch in read_documents(
            source,
            access,
            day=None,
            rejects=rejects,
            mode=mode,
            label_delimiter=delimiter,
            progress=progress,
        ):
            documents += len(batch)
            of_batch: Column = batch.column("labels")
            labels.update(of_batch.flatten().to_pylist())
            if len(texts) < _MAX_TEXTS:
                some: Column = batch.column("text").slice(0, _MAX_TEXTS)
                texts += some.to_pylist()
            if documents >= MAX_DOCUMENTS:
                break
    language = guess_language(texts)
    return Draft(keys, mode, delimiter, language, look.notes, look.files, documents, labels, rejects)


def _is_usable(separator: str) -> bool:
    return separator == "" or can_join(separator)


def _columns(look: FirstLook, given: ColumnRoles) -> dict[str, Any]:
    """Return the keys that name columns."""
    if look.keys["format"] == "files":
        return {}
    if look.keys["format"] in ("lines", "augmented_manifest"):
        if look.keys["format"] == "lines":
            raise SourceError(
                f"{look.first} looks like plain lines without labels; give labelled documents: a table (CSV, "
                "TSV, Parquet), JSON Lines, or a folder for each label with a file for each document"
            )
        return {}
    names: list[str] | None = look.keys.get("columns")
    absent = [name for name in (given.text, given.label, given.id) if name and name not in (names or [name])]
    if names is not None and absent:
        raise SourceError(missing_column(look.first, absent[0], names, _NAME_ANOTHER))
    roles = guess_roles(look.columns, given)
    if roles.text is None or roles.label is None:
        missing = "text" if roles.text is None else "label"
        named = ", ".join(list(look.columns)[:10]) if look.keys.get("header", True) else "by position"
        raise SourceError(
            f"{look.first}: none of its columns ({named}) looks like the {missing} of a document; name it "
            f"with --{missing}-column"
        )
    found = {"text_column": roles.text, "label_column": roles.label, "id_column": roles.id}
    if names is not None:
        # Columns without a header get their names here.
        called = {roles.text: "text", roles.label: "label", roles.id: "id"}
        return {"columns": [called.get(name, name) for name in names]} | (
            {"id_column": "id"} if roles.id else {}
        )
    return {key: name for key, name in found.items() if name is not None and name != _DEFAULTS.get(key)}


def _label_column(look: FirstLook, keys: dict[str, Any]) -> str:
    columns = keys.get("columns")
    if columns is not None:
        return str(look.keys["columns"][columns.index("label")])
    return str(keys.get("label_column", "label"))
