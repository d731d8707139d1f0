"""Killed before any of its writes, ``nightsort forget`` ends in the same state when it is called again."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.integration.forgetting_world import BUCKET, DAY, World
from tests.integration.local_aws_server import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

JANE = "T-17"
NEXT = DAY + timedelta(1)
DOCUMENTS = [(f"T-{n}", f"text of {n}") for n in range(5)]
LABELLED = {f"L-{n}": (f"LABEL{n % 2}", f"labelled text {n}") for n in range(40)}
FEWEST_WRITES = 18


class Kept:
    """The objects and the database of a world, to begin again from."""

    def __init__(self, world: World) -> None:
        self._world, self._template = world, world.dsn
        self._objects = self._now()
        self._number = 0

    def _now(self) -> dict[str, bytes]:
        world = self._world
        pages = world.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{world.prefix}/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {key: world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def back(self) -> None:
        """Put everything back; the database is a new one each time."""
        now = self._now()
        for key in now.keys() - self._objects.keys():
            self._world.s3.delete_object(Bucket=BUCKET, Key=key)
        for key, body in self._objects.items():
            if now.get(key) != body:
                self._world.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        self._number += 1
        template = str(conninfo_to_dict(self._template)["dbname"])
        copy = f"{template}_{self._number}"
        with psycopg.connect(make_conninfo(self._template, dbname="postgres"), autocommit=True) as server:
            server.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(copy), sql.Identifier(template)
                )
            )
        self._world.dsn = make_conninfo(self._template, dbname=copy)

    def drop(self) -> None:
        name = str(conninfo_to_dict(self._template)["dbname"])
        with psycopg.connect(make_conninfo(self._template, dbname="postgres"), autocommit=True) as server:
            for number in range(1, self._number + 1):
                database = sql.Identifier(f"{name}_{number}")
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture
def killing(aws: LocalAwsServer) -> Iterator[subprocess.Popen[str]]:
    with aws.for_this_process():
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.forget_killed"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            yield process
            assert process.stdin is not None
            process.stdin.close()


@pytest.mark.parametrize("form", ["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def test_killed_before_any_write_it_ends_in_the_same_state_when_it_is_called_again(
    aws: LocalAwsServer, empty_database: str, killing: subprocess.Popen[str], tmp_path: Path, form: str
) -> None:
    world = World(aws, empty_database, f"killed-{form.lower()}", input_format=form, reuse={"days": 1})
    fill(world)
    kept = Kept(world)
    file = tmp_path / "tickets.yaml"
    file.write_text(yaml.safe_dump(world.values))
    try:
        kept.back()
        assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
        wanted = state(world)
        assert world.holds("Jane Roe", JANE) == []
        for write in range(1_000):
            kept.back()
            arguments = ["forget", str(file), "--dsn", world.dsn, "--document-id", JANE, "--yes"]
            ended = told(killing, write, arguments)
            if ended != "killed":
                assert ended == "0"
                break
            again = world.forget(tmp_path, "--document-id", JANE, "--yes")
            assert again.exit_code in (0, 3), again.output
            assert state(world) == wanted, f"killed before write {write}"
        assert write >= FEWEST_WRITES
        assert state(world) == wanted
    finally:
        kept.drop()


def fill(world: World) -> None:
    from nightsort.tables.schema import ensure_schema

    with world.connect() as conn:
        ensure_schema(conn)
    world.labelled({**LABELLED, JANE: ("LABEL0", "Jane Roe's label")})
    world.train()
    world.arrives("a.jsonl", [*DOCUMENTS[:2], (JANE, "Jane Roe FAILS"), *DOCUMENTS[2:], (JANE, "Jane Roe")])
    world.classify()
    world.export()
    world.arrives("a.jsonl", {JANE: "Jane Roe FAILS", "T-0": "text of 0"}, NEXT)
    world.classify(day=NEXT)


def told(killing: subprocess.Popen[str], write: int, arguments: list[str]) -> str:
    assert killing.stdin is not None
    assert killing.stdout is not None
    killing.stdin.write(json.dumps([write, arguments]) + "\n")
    killing.stdin.flush()
    return killing.stdout.readline().strip()


def state(world: World) -> dict[str, Any]:
    return {**world.objects(), **world.rows()}
