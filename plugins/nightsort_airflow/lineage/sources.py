"""The datasets and columns of a spec's sources of documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nightsort.classifier_spec.uris import fixed_folder
from nightsort_airflow.lineage.datasets import Column, Dataset, file_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.classifier_spec.source import Source


@dataclass(frozen=True)
class Documents:
    """
    Where documents come from.

    :param datasets: the files, or the tables of a query.
    :param text: the columns that hold the text.
    :param id: those that hold the id; none where it is made of the file and the row.
    :param label: those that hold the label; none where it is a folder, and for incoming documents.
    """

    datasets: Sequence[Dataset]
    text: Sequence[Column] = ()
    id: Sequence[Column] = ()
    label: Sequence[Column] = ()


def documents_of(source: Source, given_uri: str | None = None) -> Documents:
    """
    Return the datasets and columns of a source.

    :param source: of the spec.
    :param given_uri: other documents in its format, given by hand.
    """
    label = getattr(source, "label_column", None)
    if source.sql is not None:
        return _of_query(source, label)
    if source.format in ("lines", "files"):
        text, identity, label = "text", None, None
    elif source.format == "augmented_manifest":
        text, identity, label = "source", source.id_column, getattr(source, "attribute", None)
    else:
        text, identity = source.text_column, source.id_column
    names = tuple(name for name in (identity, text, label) if name)
    dataset = file_dataset(fixed_folder(given_uri or source.template), *names)

    def column(name: str | None) -> Sequence[Column]:
        return dataset.column(name) if name else ()

    return Documents([dataset], column(text), column(identity), column(label))


def _of_query(source: Source, label: str | None) -> Documents:
    """Return the tables of a query as OpenLineage's parser finds them. The query itself is told to nobody."""
    from airflow.providers.openlineage.sqlparser import SQLParser
    from airflow.sdk import BaseHook

    conn_id = source.conn_id or ""
    hook: Any = BaseHook.get_hook(conn_id)
    if not hasattr(hook, "get_openlineage_database_info"):
        return Documents([])
    connection = hook.get_connection(conn_id)
    info = hook.get_openlineage_database_info(connection)
    parser = SQLParser(hook.get_openlineage_database_dialect(connection), "public")
    found = parser.parse([source.sql or ""])
    if info is None or found is None:
        return Documents([])
    namespace = f"{info.scheme}://{info.authority}"

    def named(table: Any) -> str:
        database = table.database or info.database
        return ".".join(part for part in (database, table.schema, table.name) if part)

    origins: dict[str, list[tuple[str, str]]] = {
        column.descendant.name: [(named(of.origin), of.name) for of in column.lineage if of.origin]
        for column in found.column_lineage
    }
    if not origins and len(found.in_tables) == 1:
        # `SELECT *`: each column has its own name.
        origins = {
            name: [(named(found.in_tables[0]), name)]
            for name in (source.text_column, source.id_column, label)
            if name
        }
    fields: dict[str, list[str]] = {named(table): [] for table in found.in_tables}
    for of in origins.values():
        for table, name in of:
            if name not in fields.setdefault(table, []):
                fields[table].append(name)
    datasets = {table: Dataset(namespace, table, tuple(names)) for table, names in fields.items()}

    def columns(name: str | None) -> Sequence[Column]:
        return [Column(datasets[table], of) for table, of in origins.get(name or "", ())]

    return Documents(
        list(datasets.values()), columns(source.text_column), columns(source.id_column), columns(label)
    )
