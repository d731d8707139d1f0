"""With IAM enforced, docs/iam/forget-policy.json is what forgetting needs: all of it, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.forgetting_world import BUCKET, RUN, World
from tests.integration.iam_identities import EVERYTHING, documented, grants, user, without
from tests.integration.local_aws_server import LocalAwsServer, local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from tests.integration.iam_identities import LocalAwsUser

pytestmark = pytest.mark.integration

LAKE = "forgetting-lake"
POLICY = json.loads(json.dumps(documented("forget-policy.json", BUCKET)).replace("your-lake", LAKE))
OPTIONAL = ("SayWhichSourcesHoldThemStill", "SayWhichBucketsKeepOldVersions")
JANE = "T-17"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}) as server:
        yield server


@pytest.fixture(scope="module")
def admin(aws: LocalAwsServer) -> LocalAwsUser:
    return user(aws, "admin", EVERYTHING)


@pytest.fixture(scope="module")
def person(admin: LocalAwsUser, aws: LocalAwsServer) -> LocalAwsUser:
    return user(aws, "data-protection", POLICY)


@pytest.fixture
def world(
    admin: LocalAwsUser,
    empty_database: str,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """The places of the documentation: work, incoming and labelled in one bucket, the export in another."""
    with admin.for_this_process():
        become(admin, monkeypatch)
        empty(admin)
        yield World(
            admin,
            empty_database,
            "nightsort/tickets",
            work_uri=f"s3://{BUCKET}/nightsort/tickets",
            labelled={"uri": f"s3://{BUCKET}/labelled/", "format": "jsonl", "id_column": "id"},
            incoming={"uri": f"s3://{BUCKET}/incoming/{{day}}/", "format": "jsonl", "id_column": "id"},
            export={"uri": f"s3://{LAKE}/nightsort/predictions"},
            reuse={"days": 1},
        )


def empty(admin: LocalAwsUser) -> None:
    """Leave both buckets without an object, whatever an earlier test left."""
    s3 = admin.client("s3")
    for bucket in (BUCKET, LAKE):
        s3.create_bucket(Bucket=bucket)
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=entry["Key"])


def become(somebody: LocalAwsUser, monkeypatch: pytest.MonkeyPatch) -> None:
    from nightsort_local.local_aws.launcher import _forget_file_systems

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", somebody.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", somebody.secret_access_key)
    _forget_file_systems()


def fill(world: World) -> None:
    """A night with a stray input and a training; the exported rejects are nothing but the document."""

    def put(key: str, rows: list[dict[str, str]]) -> None:
        world.s3.put_object(
            Bucket=BUCKET, Key=key, Body="".join(json.dumps(row) + "\n" for row in rows).encode()
        )

    labelled = [{"id": f"L-{n}", "label": f"LABEL{n % 2}", "text": f"labelled text {n}"} for n in range(40)]
    put("labelled/a.jsonl", [*labelled, {"id": JANE, "label": "LABEL0", "text": "Jane Roe"}])
    world.train()
    others = [{"id": f"T-{n}", "text": f"text of {n}"} for n in range(4)]
    hers = {"id": JANE, "text": "Jane Roe"}
    put("incoming/2026-11-18/a.jsonl", [hers, *others, hers])
    world.classify()
    world.export()
    # A damaged file with results is removed whole.
    for entry in world.s3.list_objects_v2(Bucket=BUCKET, Prefix="nightsort/tickets/reuse/v1/")["Contents"]:
        damaged = entry["Key"].replace("/reuse/v1/", "/reuse/v0/")
        world.s3.put_object(Bucket=BUCKET, Key=damaged, Body=b"no Parquet")
    stray = f"nightsort/tickets/runs/{RUN}/input/{RUN}-00009-0123abcd.txt"
    world.s3.put_object(Bucket=BUCKET, Key=stray, Body=b"Jane Roe\n")


REQUIRED = [grant for grant in grants(POLICY) if grant[0] not in OPTIONAL]


@pytest.mark.parametrize("grant", REQUIRED, ids=[f"{sid}: {resource}" for sid, _, resource in REQUIRED])
def test_each_grant_is_needed_and_the_command_names_what_is_missing(
    world: World,
    person: LocalAwsUser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    grant: tuple[str, str, str],
) -> None:
    fill(world)
    become(person, monkeypatch)
    person.may(without(POLICY, grant))
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 2, said.output
    assert f"not authorized to perform: {grant[1]}" in said.output


def test_forgetting_passes_with_exactly_the_documented_policy(
    world: World, person: LocalAwsUser, admin: LocalAwsUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    become(person, monkeypatch)
    person.may(POLICY)
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 0, said.output
    assert "cannot be read" not in said.output
    assert "if it keeps them" not in said.output
    become(admin, monkeypatch)
    for bucket in (BUCKET, LAKE):
        for entry in world.s3.list_objects_v2(Bucket=bucket)["Contents"]:
            if not entry["Key"].startswith(("incoming/", "labelled/")):
                body = world.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                assert b"Jane Roe" not in body, entry["Key"]


def test_without_the_optional_statements_it_says_what_it_cannot_tell(
    world: World, person: LocalAwsUser, admin: LocalAwsUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for grant in [grant for grant in grants(POLICY) if grant[0] in OPTIONAL]:
        become(admin, monkeypatch)
        fill(world)
        become(person, monkeypatch)
        person.may(without(POLICY, grant))
        said = world.forget(tmp_path, "--document-id", JANE, "--yes")
        assert said.exit_code == 0, (grant, said.output)
        text = said.output
        assert ("cannot be read" in text) == (grant[0] == OPTIONAL[0]), (grant, text)
        assert ("if it keeps them" in text) == (grant[0] == OPTIONAL[1]), (grant, text)
