"""What one would write with DuckDB: the training data and the batches, as SQL that may spill to local disk.

What it loses is in ``benchmarks/notes`` and in docs/adr/0027-no-engine-and-no-compiled-kernel.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from nightsort.comprehend.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_DOCUMENT_ID_BYTES,
    MAX_JOB_DOCUMENTS,
    MAX_LABELS,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

MEMORY = "200MB"
"""What DuckDB may keep; with the rest of the process that is about the 400 MB that a step is to need."""

_MARK = "\ufeff"
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CONTROLS = "[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]"
# \pZ is white space, \pC what cannot be seen. Few texts are trimmed by the list of characters: it costs much.
_MACROS = rf"""
CREATE MACRO on_one_line(text) AS
    coalesce(trim(regexp_replace(replace(text, '{_MARK}', ''), '{_CONTROLS}', ' ', 'g')), '');
CREATE MACRO trimmed(text) AS
    CASE WHEN regexp_matches(text, '^\pZ|\pZ$') THEN trim(text, '{_SPACES}') ELSE text END;
CREATE MACRO is_blank(text) AS NOT regexp_matches(text, '[^\pZ\pC]');
"""

# Texts have line ends in their quotes. Where several threads read, some take one for the end of a row.
# A damaged row goes to reject_errors, with its line in the file, but without its id.
_READ = """
read_csv($path, header = true, delim = ',', quote = '"', escape = '"', columns = {columns},
         strict_mode = true, store_rejects = true, parallel = false)
"""


def training_data(source: Path, mode: str, test_share: float, fewest: int) -> dict[str, float]:
    """Clean, reject, find doubles and conflicts, split by a hash of the text, count and write."""
    columns = "{'id': 'VARCHAR', 'label': 'VARCHAR', 'text': 'VARCHAR'}"
    db = _database()
    db.execute(
        f"""
        CREATE TABLE documents AS
        SELECT *, md5_number(text) AS hash,
            CASE WHEN is_blank(text) THEN 'blank' WHEN strlen(text) > {MAX_DOCUMENT_BYTES} THEN 'too_large'
                 WHEN label = '' THEN 'no_label' END AS reason
        FROM (SELECT id, {_label(mode)} AS label, trimmed(text) AS text
              FROM (SELECT id, on_one_line(label) AS label, on_one_line(text) AS text
                    FROM {_READ.format(columns=columns)}))
        """,
        {"path": str(source)},
    )
    db.execute(
        """
        CREATE TABLE chosen AS
        SELECT min(rowid) AS row, hash, label, $mode = 'MULTI_CLASS' AND count(*) OVER (PARTITION BY hash) > 1
            AS conflicting
        FROM documents WHERE reason IS NULL GROUP BY hash, label
        """,
        {"mode": mode},
    )
    db.execute(
        """
        CREATE TABLE pairs AS SELECT row, hash, unnest(string_split(label, '|')) AS label
        FROM chosen WHERE NOT conflicting
        """
        if mode == "MULTI_LABEL"
        else "CREATE VIEW pairs AS SELECT row, hash, label FROM chosen WHERE NOT conflicting"
    )
    # The lowest hash of each label is tested too, as Comprehend wants each label in the test.
    db.execute(
        """
        CREATE TABLE tested AS
        SELECT row FROM chosen WHERE NOT conflicting AND hash < $limit
        UNION SELECT arg_min(row, hash) FROM pairs GROUP BY label
        """,
        {"limit": int(test_share * 2**128)},
    )
    db.execute(
        """
        CREATE TABLE counts AS
        SELECT label, count(*) FILTER (row NOT IN (FROM tested)) AS training,
            count(*) FILTER (row IN (FROM tested)) AS test
        FROM pairs GROUP BY label
        """
    )
    labels, least = _one(db, "SELECT count(*), min(training) FROM counts")
    if least < fewest or labels > MAX_LABELS[mode]:
        raise SystemExit("too few documents, or too many labels")
    db.execute(
        """
        CREATE VIEW kept AS SELECT rowid AS row, label, text FROM documents
        WHERE rowid IN (SELECT row FROM chosen WHERE NOT conflicting)
        """
    )
    db.execute(
        "COPY (SELECT label, text FROM kept WHERE row NOT IN (FROM tested)) TO 'training.csv' (HEADER false)"
    )
    db.execute("CREATE TABLE test AS SELECT label, text FROM kept WHERE row IN (FROM tested)")
    db.execute("COPY test TO 'test.csv' (HEADER false)")
    _write_lines(db, "SELECT text FROM test", "test.txt")
    (rejects,) = _one(
        db,
        """
        COPY (SELECT id, rowid AS row, reason FROM documents WHERE reason IS NOT NULL
              UNION ALL SELECT id, rowid, 'conflicting_labels' FROM documents WHERE reason IS NULL
                AND hash IN (SELECT hash FROM chosen WHERE conflicting)
              UNION ALL SELECT NULL, line, error_message FROM reject_errors) TO 'rejects.jsonl' (FORMAT json)
        """,
    )
    db.execute("COPY counts TO 'report.json' (FORMAT json)")
    (documents,) = _one(db, "SELECT count(*) FROM chosen WHERE NOT conflicting")
    return {"documents": documents, "rejects": rejects}


def batches(source: Path) -> dict[str, float]:
    """Clean, reject, find ids that came before, and write each job's input with its manifest."""
    columns = "{'id': 'VARCHAR', 'text': 'VARCHAR'}"
    db = _database()
    db.execute(
        f"""
        CREATE TABLE documents AS
        SELECT *,
            CASE WHEN id = '' THEN 'missing_id' WHEN strlen(id) > {MAX_DOCUMENT_ID_BYTES} THEN 'id_too_long'
                 WHEN is_blank(text) THEN 'blank' WHEN strlen(text) > {MAX_DOCUMENT_BYTES} THEN 'too_large'
                 END AS reason
        FROM (SELECT trimmed(id) AS id, trimmed(text) AS text
              FROM (SELECT on_one_line(id) AS id, on_one_line(text) AS text
                    FROM {_READ.format(columns=columns)}))
        """,
        {"path": str(source)},
    )
    db.execute(
        "CREATE TABLE firsts AS SELECT min(rowid) AS row FROM documents WHERE reason IS NULL GROUP BY id"
    )
    db.execute(
        """
        CREATE TABLE places AS SELECT row, (row_number() OVER (ORDER BY row)) - 1 AS place FROM firsts
        """
    )
    (sent,) = _one(db, "SELECT count(*) FROM places")
    for start in range(0, sent, MAX_JOB_DOCUMENTS):
        name = f"batch-{start // MAX_JOB_DOCUMENTS:05}"
        first, last = _one(
            db,
            "SELECT min(row), max(row) FROM places"
            f" WHERE place >= {start} AND place < {start + MAX_JOB_DOCUMENTS}",
        )
        rows = f"FROM documents d JOIN places ON row = d.rowid WHERE d.rowid BETWEEN {first} AND {last}"
        _write_lines(db, f"SELECT text {rows}", f"{name}.txt")
        db.execute(
            f"COPY (SELECT '{name}.txt' AS file, place - {start} AS line, id AS document_id {rows})"
            f" TO '{name}.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )
    (rejects,) = _one(
        db,
        """
        COPY (SELECT id, rowid AS row, coalesce(reason, 'duplicate_id') AS reason FROM documents
              WHERE reason IS NOT NULL OR rowid NOT IN (FROM firsts)
              UNION ALL SELECT NULL, line, error_message FROM reject_errors) TO 'rejects.jsonl' (FORMAT json)
        """,
    )
    return {"documents": sent, "rejects": rejects}


def _database() -> duckdb.DuckDBPyConnection:
    # A database in a file need not stay in memory. Packing its texts would cost more than reading them again.
    db = duckdb.connect("work.duckdb", config={"memory_limit": MEMORY, "temp_directory": "spilled"})
    db.execute("SET force_compression = 'uncompressed'")
    db.execute(_MACROS)
    return db


def _label(mode: str) -> str:
    if mode == "MULTI_CLASS":
        return "trimmed(label)"
    each = "list_transform(string_split(label, '|'), lambda one: trimmed(one))"
    return f"array_to_string(list_sort(list_distinct({each})), '|')"


def _one(db: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    found = db.execute(query).fetchone()
    assert found is not None
    return found


def _write_lines(db: duckdb.DuckDBPyConnection, query: str, file: str) -> None:
    """Write texts as they are: cleaned ones have no control characters, so nothing is quoted."""
    db.execute(
        f"COPY ({query}) TO '{file}' (FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '')"
    )
