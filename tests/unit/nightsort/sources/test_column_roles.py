"""Columns of texts, labels and ids are found by their names and by their values."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort.sources.column_roles import ColumnRoles, guess_roles, joined_by

NOTHING = ColumnRoles(None, None, None)
TEXTS = [f"Where is parcel number {n}? It has not arrived." for n in range(8)]
LABELS = ["a", "b"] * 4


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"label": LABELS, "text": TEXTS}, ("text", "label", None)),
        ({"x": TEXTS, "y2": LABELS}, ("x", "y2", None)),
        ({"id": [*"12345678"], "team": LABELS, "body": TEXTS}, ("body", "team", "id")),
        ({"ticket_id": [*"12311111"], "team": LABELS, "body": TEXTS}, ("body", "team", None)),
        ({"title": ["short"] * 8, "body": TEXTS, "Kategorie": LABELS}, ("body", "Kategorie", None)),
        ({"commentText": ["ok"] * 8, "url": ["https://example.com/long/long/long"] * 8, "class": LABELS},
         ("commentText", "class", None)),
        ({"text": TEXTS, "score": [0.5, 0.6] * 4, "target": [0, 1] * 4}, ("text", "target", None)),
        ({"text": TEXTS, "source": ["web"] * 8, "spam": [True, False] * 4}, ("text", "spam", None)),
        ({"text": TEXTS, "empty": [""] * 8}, ("text", None, None)),
        ({}, (None, None, None)),
    ],
)  # fmt: skip
def test_roles_by_names_and_values(columns: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    found = guess_roles(columns, NOTHING)

    assert (found.text, found.label, found.id) == expected


def test_what_a_person_says_counts() -> None:
    columns = {"text": TEXTS, "body": TEXTS, "label": LABELS, "team": LABELS, "key": [*"12345678"]}

    assert guess_roles(columns, ColumnRoles("body", "team", None)) == ColumnRoles("body", "team", "key")


@pytest.mark.parametrize(
    ("cells", "joined"),
    [
        (["a", "b", "c"], None),
        (["a|b", "b", "a"], "|"),
        (["a;b", "b;c", "a;c"], ";"),
        (["a, b", "b", "a"], ","),
        (["New York, NY", "Buffalo, NY", "Austin, TX", "Dallas, TX"], None),
        (["R&D", "sales"], None),
        ([["a"], ["b", "c"]], ""),
        ([["a"], ["b"]], None),
        ([], None),
    ],
)
def test_what_joins_several_labels(cells: list[Any], joined: str | None) -> None:
    assert joined_by(cells) == joined
