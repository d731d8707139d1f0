"""What an upgrade promises, on a real PostgreSQL: old tables come up to date, nothing lost, and end like new
ones, and who may not change them is told what to have run by whom."""

from __future__ import annotations

import hashlib
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from nightsort.tables import schema
from nightsort.tables.schema import (
    MIGRATIONS,
    SCHEMA_VERSION,
    DatabaseEncodingError,
    SchemaRightsError,
    ensure_schema,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]

RELEASED = {
    1: "08f92ab166a812a97196db8896d3ad14bd277074745716f71a51814b029d513c",
    2: "9f0a0e99562c1ae18f75710ac3ed6f32bc71318dfbc5738c97a431175a96718d",
    3: "cabb80d0b70f593d233a0452e19d5c7bed16089ea9a854b7216e3b3a38746213",
    4: "5b5964640c2e546ed4abfd5559b5944ff85347396ddcf80566b3416be71a8eb2",
    5: "65bd9267598a671831645fabea16c1fb8a4bf28e20978fd9fae47e5eeb4c46fe",
    6: "b04330e0afb26e46f52c5c3984a3745b7bfd0f643a4a311fd47a8162f7e1345a",
    7: "4dc5e069636c933fc09b186b330997c0fe93b0fb72b96b1755c7b540da094f4e",
    8: "a7ecd42f64187652cbe212920851b5af4faf1fea70139e3b26fadb4a69f84010",
    9: "2bc757ed8c39db824fae9d86c0392a99674e1cb4634564120dc124c978062dbb",
    10: "c2f34d3bf8bb79eed84d7b7cd5b060a6feeec9541b88440ebe70e8f707710f2c",
}
"""SHA-256 of each file that a database may have been made with: such a file never changes."""

CATALOG = """
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
    pg_get_expr(d.adbin, d.adrelid), a.attcollation::regcollation::text, col_description(c.oid, a.attnum),
    a.attnum
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
WHERE c.relnamespace = 'nightsort'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0
    AND NOT a.attisdropped
UNION ALL
SELECT 'relation', relname, relkind::text, array_to_string(reloptions, ','), obj_description(oid, 'pg_class'),
    CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) WHEN 'i' THEN pg_get_indexdef(oid) END, NULL, NULL, 0
FROM pg_class WHERE relnamespace = 'nightsort'::regnamespace
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL, NULL, NULL, 0
FROM pg_constraint WHERE connamespace = 'nightsort'::regnamespace
UNION ALL
SELECT 'function', proname, pg_get_functiondef(oid), obj_description(oid), NULL, NULL, NULL, NULL, 0
FROM pg_proc WHERE pronamespace = 'nightsort'::regnamespace
"""
"""Everything that the schema holds; last the place of a column in its table."""

DATA = """
INSERT INTO nightsort.predictions (classifier, run_key, batch, day, version, line, document_id, status, label,
    score, labels, scores, accepted, reason, loaded_at)
SELECT 'tickets', to_char(day, 'YYYYMMDD'), 'batch', day, 'v1', line, 'doc-' || line,
    CASE WHEN line = 7 THEN 'failed' ELSE 'classified' END, CASE WHEN line <> 7 THEN 'BUG' END,
    0.5 + line / 100.0, '{BUG,OTHER}', '{0.75,0.25}', '{BUG}', CASE WHEN line = 7 THEN 'no_labels' END, day
FROM generate_series(0, 19) AS line, unnest(ARRAY['2026-11-17', '2026-11-18']::date[]) AS day;
INSERT INTO nightsort.classification_runs (classifier, run_key, day, version, state, documents_in, classified,
    failed, rejected, reasons, cost_usd)
VALUES ('tickets', '20261117', '2026-11-17', 'v1', 'complete', 20, 19, 1, 0, '{"no_labels": 1}', 0.5);
INSERT INTO nightsort.classifier_versions (classifier, version, arn, mode, language, metrics, active)
VALUES ('tickets', 'v1', 'arn:v1', 'MULTI_CLASS', 'en', '{"accuracy": 0.9}', true);
INSERT INTO nightsort.promotion_decisions (classifier, version, metric, new, promoted, reason)
VALUES ('tickets', 'v1', 'macro_f1', 0.9, true, 'the first');
"""
TABLES = (
    "predictions",
    "classification_runs",
    "classifier_versions",
    "promotion_decisions",
    "latest_predictions",
)


@pytest.fixture
def old(empty_database: str) -> Iterator[Connection]:
    """A database with the first released tables, and rows in each."""
    with psycopg.connect(empty_database, autocommit=True) as conn:
        make_version_1(conn)
        yield conn


def make_version_1(conn: Connection) -> None:
    conn.execute(MIGRATIONS[1].read_bytes())
    conn.execute("INSERT INTO nightsort.schema_version (version) VALUES (1)")
    conn.execute(DATA)


@contextmanager
def new_database(server_dsn: str, encoding: str = "UTF8") -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_dsn, autocommit=True) as server:
        create = sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
        server.execute(create.format(sql.Identifier(name), encoding))
        try:
            yield make_conninfo(server_dsn, dbname=name)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def granted(conn: Connection, role: str) -> Iterator[None]:
    """Lets a role read and write the tables that are there."""
    for statement in (
        "GRANT USAGE ON SCHEMA nightsort TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA nightsort TO {}",
    ):
        conn.execute(sql.SQL(statement).format(sql.Identifier(role)))
    yield
    conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))


def rows(conn: Connection) -> dict[str, list[dict[str, Any]]]:
    """All rows, as JSON objects."""
    return {
        name: [
            row
            for (row,) in conn.execute(
                sql.SQL("SELECT to_jsonb(t) FROM nightsort.{} t ORDER BY t::text").format(
                    sql.Identifier(name)
                )
            )
        ]
        for name in TABLES
    }


def catalog(conn: Connection, *, order_of_columns: bool = True) -> set[tuple[Any, ...]]:
    return {row if order_of_columns else row[:-1] for row in conn.execute(CATALOG)}


def versions(conn: Connection) -> list[int]:
    return [version for (version,) in conn.execute("SELECT version FROM nightsort.schema_version ORDER BY 1")]


def test_nothing_of_the_first_release_is_lost(old: Connection) -> None:
    before = rows(old)
    assert [len(found) for found in before.values()] == [40, 1, 1, 1, 20]
    ensure_schema(old)
    for name, found in rows(old).items():
        kept = [{key: row[key] for key in before[name][0]} for row in found]
        assert kept == before[name]
    assert versions(old) == list(range(1, SCHEMA_VERSION + 1))


def test_a_migrated_database_is_like_a_new_one(old: Connection, postgres_dsn: str) -> None:
    ensure_schema(old)
    with new_database(postgres_dsn) as fresh, psycopg.connect(fresh, autocommit=True) as new:
        ensure_schema(new)
        assert catalog(old) == catalog(new)


def test_tables_that_had_a_column_before_its_version_come_up_to_date(
    empty_database: str, database: Connection
) -> None:
    """For some hours version 1 had `failed_jobs` already, in another place."""
    fresh = catalog(database, order_of_columns=False)
    database.execute("DROP SCHEMA nightsort CASCADE")
    first = MIGRATIONS[1].read_text()
    early = first.replace(
        "    units        bigint", "    failed_jobs  jsonb NOT NULL DEFAULT '[]',\n    units        bigint"
    )
    assert early != first
    database.execute(early.encode())
    database.execute("INSERT INTO nightsort.schema_version (version) VALUES (1)")
    ensure_schema(database)
    assert catalog(database, order_of_columns=False) == fresh


def test_an_old_database_is_migrated_once_however_many_come_at_once(old: Connection) -> None:
    gate = threading.Barrier(6)
    problems: list[BaseException] = []

    def migrate() -> None:
        try:
            with psycopg.connect(old.info.dsn) as conn:
                gate.wait()
                ensure_schema(conn)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert versions(old) == list(range(1, SCHEMA_VERSION + 1))


def test_a_version_that_cannot_be_made_leaves_the_one_before(
    old: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "9999_broken.sql"
    broken.write_text("CREATE TABLE nightsort.half (); SELECT 1 / 0")
    before = catalog(old)
    monkeypatch.setattr(schema, "MIGRATIONS", {**MIGRATIONS, 9999: broken})
    with pytest.raises(errors.DivisionByZero):
        ensure_schema(old)
    assert catalog(old) == before
    assert versions(old) == [1]


class TestRights:
    @pytest.fixture
    def role(self, postgres_dsn: str) -> Iterator[str]:
        """A role that may connect, and nothing else."""
        name = f"loader_{uuid.uuid4().hex}"
        with psycopg.connect(postgres_dsn, autocommit=True) as server:
            server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
            yield name
            server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))

    def refusal(self, dsn: str, role: str) -> str:
        with (
            psycopg.connect(make_conninfo(dsn, user=role)) as conn,
            pytest.raises(SchemaRightsError) as raised,
        ):
            ensure_schema(conn)
        return str(raised.value)

    def test_who_may_not_make_the_tables_is_told_the_grant_or_the_command(
        self, empty_database: str, role: str
    ) -> None:
        told = self.refusal(empty_database, role)
        assert "permission denied for database" in told
        assert f"GRANT CREATE ON DATABASE {conninfo_to_dict(empty_database)['dbname']} TO {role}" in told
        assert "nightsort init-db" in told

    def test_who_may_not_migrate_them_is_told_who_may(self, old: Connection, role: str) -> None:
        with granted(old, role):
            told = self.refusal(old.info.dsn, role)
        assert f"has version 1 of the schema nightsort, this code needs {SCHEMA_VERSION}" in told
        assert "must be owner of" in told
        assert "Have the tables' owner run nightsort init-db" in told
        assert versions(old) == [1]

    def test_who_may_not_even_look_is_told_the_grants(self, database: Connection, role: str) -> None:
        told = self.refusal(database.info.dsn, role)
        assert f"GRANT USAGE ON SCHEMA nightsort TO {role}; GRANT SELECT, INSERT" in told


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_does_not_hold_every_text_is_refused(postgres_dsn: str, encoding: str) -> None:
    with (
        new_database(postgres_dsn, encoding) as dsn,
        psycopg.connect(dsn) as conn,
        pytest.raises(
            DatabaseEncodingError, match=rf"encoding {encoding}.*ENCODING 'UTF8' TEMPLATE template0"
        ),
    ):
        ensure_schema(conn)


def test_versions_are_numbered_one_after_the_other() -> None:
    assert list(MIGRATIONS) == list(range(1, SCHEMA_VERSION + 1))


def test_a_released_file_never_changes() -> None:
    assert {
        number: hashlib.sha256(file.read_bytes()).hexdigest() for number, file in MIGRATIONS.items()
    } == RELEASED
