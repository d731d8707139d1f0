"""Statements that write the columns of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence


def upsert(
    table: str, key: Sequence[str], columns: Sequence[str], *, defaults: Sequence[str] = ()
) -> sql.Composed:
    """Return the statement that writes a row with named parameters, or replaces the columns of the one there.

    :param table: in the schema ``nightsort``.
    :param key: the columns of its primary key.
    :param columns: the columns that are written, with the key; the parameters have their names.
    :param defaults: columns that get their default, in a new row as in a replaced one.
    """
    replaced = [name for name in (*columns, *defaults) if name not in key]
    return sql.SQL("INSERT INTO nightsort.{} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(map(sql.Placeholder, columns)),
        sql.SQL(", ").join(map(sql.Identifier, key)),
        sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in replaced),
    )


def update(table: str, key: Sequence[str], columns: Sequence[str]) -> sql.Composed:
    """Return the statement that replaces columns of a row with named parameters.

    :param table: in the schema ``nightsort``.
    :param key: the columns of its primary key.
    :param columns: the columns that are written, with the key; the parameters have their names.
    """
    assignments = (
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in columns
        if name not in key
    )
    conditions = (sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in key)
    return sql.SQL("UPDATE nightsort.{} SET {} WHERE {}").format(
        sql.Identifier(table), sql.SQL(", ").join(assignments), sql.SQL(" AND ").join(conditions)
    )
