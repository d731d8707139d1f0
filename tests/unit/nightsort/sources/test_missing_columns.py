"""An error about columns helps to find the mistake, and shows no text of a document."""

from __future__ import annotations

import pytest

from nightsort.sources.missing_columns import missing_column
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.source_files import SourceError


def test_names_of_columns_are_shown() -> None:
    message = missing_column("s3://b/x.csv", "text", ["id", "Größe_in_cm", "a.b"], "Look")

    assert message == 's3://b/x.csv has no column "text"; its columns are: id, Größe_in_cm, a.b. Look'


def test_at_most_ten_names_are_shown() -> None:
    message = missing_column("x", "text", [f"c{n}" for n in range(1_200)], "Look")

    assert "its columns are: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 1,190 more. Look" in message


@pytest.mark.parametrize(
    "names",
    [
        ["7", "Patient Jane Roe, born 1970-01-01, HIV positive"],
        ["billing", "My name is Maria"],
        ["id", "x" * 41],
        ["id", ""],
        ["id", "a\x1b[31m"],
        ["id", "jane.roe@example.com"],
        ["id", "+491701234567"],
        ["internal_only", "svc-token-A1B2C3D4E5"],
        ["text that is long enough" * 2_500],
    ],
)
def test_of_a_row_that_is_no_header_nothing_is_shown(names: list[str]) -> None:
    message = missing_column("x.csv", "text", names, "Look")

    assert message == f'x.csv has no column "text"; it has {len(names)} column{"s"[: len(names) - 1]}. Look'


def test_a_name_that_is_written_differently_is_shown_among_others_that_are_none() -> None:
    message = missing_column("x.csv", "ticket_text", ["Ticket Text", "Ticket created at"], "Look")

    assert 'it has 2 columns, one of them "Ticket Text"' in message


def test_a_query_or_object_without_names_is_an_error_too() -> None:
    with pytest.raises(SourceError, match='has no column "text"; it has no columns'):
        ColumnSelection("text").check([], "the query")
