"""
Datasets and their columns, named as OpenLineage's naming rules say.

A dataset is one node over all nights: its name has no day, run key or version, as in Spark's integration.
Where exactly a night read or wrote is its :attr:`Dataset.place`. Source of the names:
https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from nightsort.layout import S3, local_path, without_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Column(NamedTuple):
    """A column of a dataset."""

    dataset: Dataset
    name: str


@dataclass(frozen=True)
class Dataset:
    """
    Data that a task reads or writes.

    :param namespace: where it is.
    :param name: in the namespace.
    :param fields: names of its columns, as far as they matter.
    :param place: the URI of the part that this task reads or writes.
    :param version: of the data.
    :param rows: that this task wrote.
    :param made_of: the columns that its columns were made of, by name.
    """

    namespace: str
    name: str
    fields: tuple[str, ...] = ()
    place: str | None = None
    version: str | None = None
    rows: int | None = None
    made_of: Mapping[str, Sequence[Column]] = field(default_factory=dict)

    def made(self, *, rows: int | None = None, **columns: Sequence[Column]) -> Dataset:
        """
        Return the dataset as a task wrote it.

        :param rows: how many.
        :param columns: the columns that its columns were made of. One that was made of none is left out.
        """
        return replace(self, rows=rows, made_of={name: of for name, of in columns.items() if of})

    def column(self, name: str) -> tuple[Column, ...]:
        """Return one of its columns, for :meth:`made`."""
        return (Column(self, name),)


@dataclass(frozen=True)
class Lineage:
    """What a task reads and what it writes."""

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()


def file_dataset(uri: str, *fields: str) -> Dataset:
    """
    Return the dataset of files.

    :param uri: a key or a prefix in S3, or a path.
    :param fields: names of its columns.
    """
    stable = without_run(uri).rstrip("/")
    if not uri.startswith(S3):
        return Dataset("file", local_path(stable), fields, place=uri)
    parts = urlsplit(stable)
    return Dataset(f"{S3}{parts.netloc}", parts.path.strip("/") or "/", fields, place=uri)


def table_dataset(host: str, port: int, database: str, table: str, *fields: str) -> Dataset:
    """
    Return the dataset of a table in PostgreSQL.

    :param host: a name or an address, or the folder of a socket, which is on this machine.
    :param port: of the server.
    :param database: its name.
    :param table: with its schema.
    :param fields: names of its columns.
    """
    name = "localhost" if not host or host.startswith("/") else host
    return Dataset(f"postgres://{name}:{port}", f"{database}.{table}", fields)


def classifier_dataset(arn: str) -> Dataset:
    """
    Return the dataset of a classifier. OpenLineage has no rule for models; this is its rule for AWS Glue.

    :param arn: of one of its versions.
    """
    classifier, _, version = arn.partition("/version/")
    namespace, _, name = classifier.rpartition(":")
    return Dataset(namespace, name, version=version or None)
