"""What ``nightsort forget`` promises: the document is nowhere, the rest as it was, nothing paid again."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from nightsort.naming import run_key
from nightsort.tables.load import load_predictions
from nightsort.tables.run_locks import files_alone
from nightsort.tables.run_rows import AirflowRun, start_run
from tests.integration.forgetting_world import ARN, BUCKET, DAY, RUN, World
from tests.integration.local_aws_server import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

EVE = DAY - timedelta(days=1)
JANE, HER_TEXT, HER_EARLIER_TEXT = "T-17", "Jane Roe wants a refund and FAILS", "Jane Roe wrote before"
OTHERS = {f"T-{n}": f"text of {n}" for n in (11, 12, 13, 14, 15, 16, 18)}
WITH_JANE = {**dict(list(OTHERS.items())[:2]), JANE: HER_TEXT, **dict(list(OTHERS.items())[2:])}
LABELLED = {f"L-{n}": (f"LABEL{n % 2}", f"labelled text {n}") for n in range(40)}


@pytest.fixture
def world(
    aws: LocalAwsServer,
    empty_database: str,
    database: psycopg.Connection[Any],
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    with aws.for_this_process():
        yield World(aws, empty_database, uuid4().hex, **getattr(request, "param", {}))


def fill(world: World) -> None:
    """Two nights, one run by hand and two trainings that all hold a person's documents."""
    world.labelled({**LABELLED, JANE: ("LABEL0", HER_TEXT), "L-bad": ("LABEL1", " ")})
    world.train()
    world.labelled({**LABELLED, JANE: ("LABEL0", HER_TEXT), "more": ("LABEL1", "one more")})
    world.train(active=False)
    world.arrives("a.jsonl", {JANE: HER_EARLIER_TEXT, "T-1": "text of 1"}, EVE)
    world.classify(day=EVE)
    world.export(run_key(EVE, None))
    world.arrives("a.jsonl", WITH_JANE)
    world.arrives("b.jsonl", {JANE: "Jane Roe once more", "T-19": "text of 19"})
    world.classify()
    world.export()
    hand = world.arrives("hand.jsonl", {"T-2": "text of 2", JANE: HER_EARLIER_TEXT}, EVE)
    world.classify(source_uri=hand)
    world.export(run_key(DAY, hand))


def without_jane(world: World) -> None:
    """Take her documents out of all sources."""
    world.labelled(LABELLED)
    world.arrives("a.jsonl", {"T-1": "text of 1"}, EVE)
    world.arrives("a.jsonl", OTHERS)
    world.arrives("b.jsonl", {"T-19": "text of 19"})
    world.arrives("hand.jsonl", {"T-2": "text of 2"}, EVE)


def test_a_forgotten_document_is_nowhere_and_the_others_are_as_they_were(
    world: World, tmp_path: Path
) -> None:
    fill(world)
    held = world.holds(HER_TEXT, HER_EARLIER_TEXT, f'"{JANE}"')
    assert {place.partition("/")[0] for place in held} == {
        *("work", "lake", "predictions"),
        *("batch_statistics", "run_statistics"),
    }
    before, objects, table = world.rows(), world.objects(), world.table()
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 0, said.output
    assert world.holds("Jane Roe", JANE) == []
    after = world.rows()
    assert set(after["predictions"]) == {row for row in before["predictions"] if JANE not in row}
    assert world.table() == {name: label for name, label in table.items() if name != JANE}
    untouched = {
        name: content
        for name, content in objects.items()
        if JANE not in content and "Jane" not in content and not name.endswith(".tar.gz")
    }
    assert len(untouched) > 10
    assert untouched.items() <= world.objects().items()
    assert "Jane" not in said.output


def test_the_counts_of_the_runs_add_up_without_it(world: World, tmp_path: Path) -> None:
    fill(world)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    with world.connect() as conn:
        for key, documents_in, classified, failed, rejected, batches, reasons in conn.execute(
            "SELECT run_key, documents_in, classified, failed, rejected, batches, reasons"
            " FROM nightsort.classification_runs"
        ):
            rows = conn.execute(
                "SELECT count(*) FILTER (WHERE status <> 'rejected'), count(*) FROM nightsort.predictions"
                " WHERE run_key = %s",
                (key,),
            ).fetchone()
            assert rows == (classified + failed, documents_in)
            assert documents_in == classified + failed + rejected
            assert sum(batch["documents"] for batch in batches) == classified + failed
            assert sum(batch["loaded"] for batch in batches) == classified + failed
            assert sum(reasons.values()) == failed + rejected
            assert world.export(key) == documents_in


@pytest.mark.parametrize("world", [{"input_format": "ONE_DOC_PER_FILE"}], indirect=True)
def test_where_each_document_has_a_file_its_file_and_its_name_go(world: World, tmp_path: Path) -> None:
    fill(world)
    assert any(name.endswith(f"/{JANE}") for name in world.objects())
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
    assert world.holds("Jane Roe", JANE) == []
    paid = dict(world.paid)
    without_jane(world)
    assert world.classify().documents_in == 8
    assert world.paid == paid


@pytest.mark.parametrize("world", [{}, {"input_format": "ONE_DOC_PER_FILE"}], indirect=True)
def test_a_second_run_of_the_day_finds_all_jobs_and_loads_the_same_table(
    world: World, tmp_path: Path
) -> None:
    fill(world)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    rows, paid = world.rows()["predictions"], dict(world.paid)
    without_jane(world)
    counts = world.classify()
    assert (counts.documents_in, counts.classified, counts.rejected) == (8, 8, 0)
    assert world.paid == paid
    assert world.rows()["predictions"] == rows
    assert world.export() == 8
    assert world.classify() == counts
    assert world.holds("Jane Roe", JANE) == []


def test_tasks_that_are_cleared_load_the_same_table(world: World, tmp_path: Path) -> None:
    """Their XComs are from before: they say how many documents there were."""
    fill(world)
    prepared = world.prepare()
    world.load(prepared)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    rows, paid = world.rows(), dict(world.paid)
    counts = world.load(prepared)
    assert (counts.documents_in, counts.classified, counts.rejected) == (8, 8, 0)
    assert world.rows() == rows
    assert world.paid == paid


def test_a_document_that_the_source_still_has_comes_back_alone_and_the_command_says_so(
    world: World, tmp_path: Path
) -> None:
    fill(world)
    said = world.forget(tmp_path, "--document-id", JANE, "--yes").output
    assert f"{DAY}/a.jsonl row 2" in said
    assert f"{DAY}/b.jsonl row 0" in said
    assert f"{EVE}/a.jsonl row 0" in said
    assert "a.jsonl row 40" in said
    assert "the next run of the day classifies it, and pays for it, again" in said
    paid = dict(world.paid)
    world.classify()
    assert world.table()[JANE] == f"like {HER_TEXT}"
    (new,) = {name for name in world.paid.keys() - paid.keys() if "-r" not in name}
    assert world.paid[new] == 3
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert world.holds("Jane Roe", JANE) == []


def test_a_later_version_classifies_the_batch_as_it_is_now(world: World, tmp_path: Path) -> None:
    fill(world)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    without_jane(world)
    counts = world.classify("v2")
    assert (counts.documents_in, counts.classified, counts.failed) == (8, 8, 0)
    assert world.table() == {
        **{name: f"like {text}" for name, text in OTHERS.items()},
        "T-19": "like text of 19",
    }
    world.forget(tmp_path, "--document-id", "T-18", "--yes")
    assert "T-18" not in world.table()


def test_after_a_batch_has_lost_a_document_the_forgotten_one_is_not_sent_again(
    world: World, tmp_path: Path
) -> None:
    fill(world)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    without_jane(world)
    world.arrives("a.jsonl", {**OTHERS, "T-11": "corrected"})
    counts = world.classify()
    assert counts.documents_in == 8
    assert world.table() == {
        **{name: f"like {text}" for name, text in OTHERS.items()},
        "T-11": "like corrected",
        "T-19": "like text of 19",
    }


def test_all_documents_of_a_run_can_be_forgotten(world: World, tmp_path: Path) -> None:
    world.arrives("a.jsonl", WITH_JANE)
    world.classify()
    world.export()
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"{name}\n" for name in WITH_JANE))
    assert world.forget(tmp_path, "--document-ids", str(ids), "--yes").exit_code == 0
    assert world.table() == {}
    assert not any(name.startswith("lake/") for name in world.objects())
    assert world.export() == 0
    world.arrives("a.jsonl", {})
    paid = dict(world.paid)
    assert world.classify().documents_in == 0
    assert world.paid == paid


def test_a_batch_of_which_no_document_is_left_costs_nothing_more(world: World, tmp_path: Path) -> None:
    world.arrives("a.jsonl", {**dict(list(OTHERS.items())[:4]), JANE: HER_TEXT})
    prepared = world.prepare()
    assert [batch.documents for batch in prepared.batches] == [4, 1]
    world.load(prepared)
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert world.load(prepared).documents_in == 4
    assert world.export() == 4
    world.arrives("a.jsonl", {**dict(list(OTHERS.items())[:4]), "new": "a new one"})
    again = world.prepare()
    assert [(batch.number, batch.documents) for batch in again.batches] == [(0, 4), (1, 0), (2, 1)]
    assert world.load(again).documents_in == 5
    assert world.export() == 5


@pytest.mark.parametrize("world", [{}, {"input_format": "ONE_DOC_PER_FILE"}], indirect=True)
def test_a_text_that_others_have_too_stays_with_them(world: World, tmp_path: Path) -> None:
    same = "the same words FAILS"
    documents = {JANE: same, "T-1": same, "T-2": "text of 2", "T-3": same}
    world.arrives("a.jsonl", documents)
    assert world.classify().documents_in == 4
    world.export()
    table, paid = world.table(), dict(world.paid)
    assert table["T-1"] == table[JANE]
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
    assert world.holds(f'"{JANE}"', f"/{JANE}") == []
    left = {name: label for name, label in table.items() if name != JANE}
    assert world.table() == left
    world.arrives("a.jsonl", {name: text for name, text in documents.items() if name != JANE})
    counts = world.classify()
    assert (counts.documents_in, counts.failed, counts.repeated) == (3, 0, 1)
    assert (world.table(), world.paid) == (left, paid)
    world.export()
    for name in ("T-1", "T-3"):
        assert world.forget(tmp_path, "--document-id", name, "--yes").exit_code == 0
    world.arrives("a.jsonl", {"T-2": "text of 2"})
    assert world.holds(same, "T-1", "T-3") == []
    assert world.classify().documents_in == 1
    assert world.paid == paid


def test_it_says_which_models_learned_from_it(world: World, tmp_path: Path) -> None:
    fill(world)
    with world.connect() as conn:
        versions = dict(conn.execute("SELECT version, active FROM nightsort.classifier_versions").fetchall())
    said = world.forget(tmp_path, "--document-id", JANE, "--yes").output
    lines = [line.split(f"{ARN}/") for line in said.splitlines() if ARN in line]
    told = {where.split()[0]: what.strip() for what, where in lines}
    assert told == {
        version: "the active model" if active else "a model" for version, active in versions.items()
    }


def test_labels_and_sizes_of_training_data_stay(world: World, tmp_path: Path) -> None:
    fill(world)

    def shape() -> dict[str, list[tuple[str, int]]]:
        return {
            name: [(row.partition(",")[0], len(row)) for row in content.split("\n")]
            for name, content in world.objects().items()
            if name.endswith(("/training.csv", "/test.csv"))
        }

    before = shape()
    assert len(before) == 4
    world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert shape() == before


def test_what_is_asked_and_what_a_dry_run_leaves(world: World, tmp_path: Path) -> None:
    fill(world)
    before = (world.objects(), world.rows())
    said = world.forget(tmp_path, "--document-id", JANE, "--dry-run")
    assert said.exit_code == 0
    assert "Would forget 1 document in 3 runs and 2 trainings" in said.output
    assert (world.objects(), world.rows()) == before
    refused = world.forget(tmp_path, "--document-id", JANE, input="n\n")
    assert (refused.exit_code, "Forget 1 document?" in refused.output) == (1, True)
    assert (world.objects(), world.rows()) == before
    assert world.forget(tmp_path, "--document-ids", "-", "--yes", input=f"\n{JANE}\n").exit_code == 0
    assert world.holds("Jane Roe", JANE) == []


def test_ids_that_are_nowhere_are_named_and_no_id_is_an_error(world: World, tmp_path: Path) -> None:
    fill(world)
    said = world.forget(tmp_path, "--document-id", JANE, "--document-id", "T-99", "--yes")
    assert said.exit_code == 3
    assert "Found nowhere: T-99." in said.output
    again = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert (again.exit_code, f"Found nowhere: {JANE}." in again.output) == (3, True)
    empty = world.forget(tmp_path)
    assert (empty.exit_code, "--document-id" in empty.output) == (2, True)
    (tmp_path / "latin.txt").write_bytes("Jürgen\n".encode("latin-1"))
    latin = world.forget(tmp_path, "--document-ids", str(tmp_path / "latin.txt"))
    assert (latin.exit_code, "is not UTF-8" in latin.output) == (2, True)
    other = world.forget(tmp_path, "--document-ids", str(tmp_path / "none.txt"))
    assert other.exit_code == 2


def test_while_a_run_has_not_ended_nothing_is_changed(world: World, tmp_path: Path) -> None:
    fill(world)
    with world.connect() as conn:
        start_run(
            conn,
            classifier="tickets",
            run_key="20261119",
            airflow_run=AirflowRun("classify_tickets", "scheduled"),
            source_uri=None,
            started_at=None,
        )
    before = (world.objects(), world.rows())
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 2
    assert "run 20261119 has not ended" in said.output
    assert (world.objects(), world.rows()) == before


def test_loads_and_new_runs_wait_until_the_files_of_a_run_are_rewritten(world: World) -> None:
    """A load that has read a manifest before would bring the document back."""
    fill(world)
    batch = world.prepare().batches[0]

    def start() -> None:
        with world.connect() as conn:
            run = AirflowRun("classify_tickets", "manual")
            start_run(
                conn, classifier="tickets", run_key=RUN, airflow_run=run, source_uri=None, started_at=None
            )

    def load() -> None:
        with world.connect() as conn:
            load_predictions(
                conn,
                spec=world.spec,
                version="v1",
                run_key=RUN,
                batch=batch.name,
                archive=world.access.path(world._job(batch, "v1")),
                manifest=world.access.path(batch.manifest_uri),
            )

    threads = [threading.Thread(target=work) for work in (start, load, world.export)]
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with world.connect() as conn, world.connect() as watcher:

        def blocked(number: int) -> bool:
            row = watcher.execute(waiting).fetchone()
            return row is not None and row[0] >= number

        with files_alone(conn, "tickets", RUN):
            for number, thread in enumerate(threads, 1):
                thread.start()
                wait_until(lambda number=number: blocked(number), "the task to wait")  # type: ignore[misc]
        for thread in threads:
            thread.join()
    assert JANE in world.table()


def test_inputs_that_a_crash_left_without_a_manifest_are_removed(world: World, tmp_path: Path) -> None:
    fill(world)
    folder = f"{world.prefix}/work/runs/{RUN}/input"
    world.s3.put_object(Bucket=BUCKET, Key=f"{folder}/{RUN}-00009-0123abcd.txt", Body=b"Jane Roe, too\n")
    unknown = f"{world.prefix}/work/runs/20261120/input/20261120-00000-0123abcd.txt"
    world.s3.put_object(Bucket=BUCKET, Key=unknown, Body=b"who knows\n")
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 3
    assert "20261120-00000-0123abcd.txt has no manifest" in said.output
    assert world.holds("Jane Roe", JANE) == []
    assert "work/runs/20261120/input/20261120-00000-0123abcd.txt" in world.objects()


def test_batches_of_an_earlier_input_format_are_rewritten_as_they_are(world: World, tmp_path: Path) -> None:
    world.arrives("a.jsonl", WITH_JANE)
    world.classify()
    world.values["input_format"] = "ONE_DOC_PER_FILE"
    inputs = [name for name in world.objects() if "/input/" in name]
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
    assert world.holds("Jane Roe", JANE) == []
    assert [name for name in world.objects() if "/input/" in name] == inputs


@pytest.mark.parametrize(
    "damaged", [f"work/runs/{RUN}/manifests/", f"work/runs/{RUN}/output/", "lake/", "work/training/v"]
)
def test_what_is_damaged_is_named_and_the_rest_is_forgotten(
    world: World, tmp_path: Path, damaged: str
) -> None:
    fill(world)
    names = [name for name in world.objects() if name.startswith(damaged)]
    name = next(n for n in names if n.endswith((".tar.gz", ".parquet")))
    world.s3.put_object(Bucket=BUCKET, Key=f"{world.prefix}/{name}", Body=b"damaged")
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 3
    assert name in said.output
    world.s3.delete_object(Bucket=BUCKET, Key=f"{world.prefix}/{name}")
    left = set(world.holds("Jane Roe", JANE))
    stem = name.rpartition("/")[2].removesuffix(".parquet")
    near = (name.rpartition("/")[0], f"work/runs/{RUN}/output/")
    assert all(stem in place or place.startswith(near) for place in left), left


def test_a_training_of_an_earlier_release_is_named(world: World, tmp_path: Path) -> None:
    fill(world)
    (lists := [name for name in world.objects() if name.endswith("/documents.parquet")]).sort()
    world.s3.delete_object(Bucket=BUCKET, Key=f"{world.prefix}/{lists[0]}")
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 3
    assert f"{lists[0].rpartition('/')[0]}/ was written by an earlier release" in said.output.replace(
        "\n", ""
    )


def test_a_bucket_that_keeps_old_versions_is_named(world: World, tmp_path: Path) -> None:
    fill(world)
    assert "old versions" not in world.forget(tmp_path, "--document-id", "T-11", "--yes").output
    versioning = {"Status": "Enabled"}
    world.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=versioning)
    said = world.forget(tmp_path, "--document-id", JANE, "--yes").output
    assert f"bucket {BUCKET}" in said
    assert "old versions of objects" in said
    world.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})


def test_documents_of_runs_whose_rows_were_dropped_are_found(world: World, tmp_path: Path) -> None:
    fill(world)
    with world.connect() as conn:
        conn.execute("DELETE FROM nightsort.predictions")
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
    assert world.holds(JANE) == []


def test_ids_are_taken_as_they_are(world: World, tmp_path: Path) -> None:
    names = {"a,b": "one", "ä 'x'": "two", "line/1?versionId=2": "three", "T-1": "four"}
    world.arrives("a.jsonl", names)
    world.classify()
    said = world.forget(tmp_path, "--document-ids", "-", "--yes", input="a,b\nä 'x'\nline/1?versionId=2\n")
    assert said.exit_code == 0, said.output
    assert world.table() == {"T-1": "like four"}
    assert json.dumps("ä 'x'")[1:-1] not in "\n".join(world.objects().values())


REUSES = {"reuse": {"days": 30}}
REUSING = [
    REUSES,
    {**REUSES, "input_format": "ONE_DOC_PER_FILE"},
    {"reuse": {"days": 30, "same_night": False}},
]
NEXT = DAY + timedelta(days=1)


@pytest.mark.parametrize("world", REUSING, indirect=True)
def test_a_document_whose_text_was_kept_and_reused_is_nowhere(world: World, tmp_path: Path) -> None:
    fill(world)
    world.arrives("a.jsonl", WITH_JANE, NEXT)
    world.classify(day=NEXT)
    world.export(run_key(NEXT, None))
    held = world.holds("like Jane Roe")
    assert any(place.startswith("work/reuse/") for place in held)
    assert any(place.endswith("/reused-v1.parquet") for place in held)
    paid, table = dict(world.paid), world.table(run_key(NEXT, None))
    said = world.forget(tmp_path, "--document-id", JANE, "--yes")
    assert said.exit_code == 0, said.output
    assert world.holds("Jane Roe", JANE) == []
    left = {name: label for name, label in table.items() if name != JANE}
    assert world.table(run_key(NEXT, None)) == left
    without_jane(world)
    world.arrives("a.jsonl", OTHERS, NEXT)
    for day in (EVE, DAY, NEXT):
        counts = world.classify(day=day)
        assert counts.documents_in == counts.classified + counts.failed + counts.rejected
        assert world.export(run_key(day, None)) == counts.documents_in
    assert world.table(run_key(NEXT, None)) == left
    assert world.paid == paid


@pytest.mark.parametrize("world", [REUSES], indirect=True)
def test_a_text_that_somebody_else_reused_stays_with_them_and_is_reused_no_more(
    world: World, tmp_path: Path
) -> None:
    world.labelled(LABELLED)
    world.train()
    world.arrives("a.jsonl", {JANE: "a form letter", "T-11": "text of 11"})
    world.classify()
    world.arrives("a.jsonl", {"T-12": "a form letter"}, NEXT)
    world.classify(day=NEXT)
    paid = sum(world.paid.values())
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
    assert world.holds(f'"{JANE}"') == []
    assert not [place for place in world.holds("a form letter") if "/reuse/" in place]
    assert world.classify(day=NEXT).classified == 1
    assert world.table(run_key(NEXT, None)) == {"T-12": "like a form letter"}
    assert sum(world.paid.values()) == paid
    world.arrives("a.jsonl", {"T-13": "a form letter", "T-14": "text of 11"}, NEXT + timedelta(days=1))
    world.classify(day=NEXT + timedelta(days=1))
    assert sum(world.paid.values()) == paid + 3


@pytest.mark.parametrize("world", [REUSES], indirect=True)
def test_a_text_that_another_document_of_the_batch_has_is_reused_as_before(
    world: World, tmp_path: Path
) -> None:
    world.labelled(LABELLED)
    world.train()
    world.arrives("a.jsonl", {JANE: "a form letter", "T-11": "a form letter"})
    world.classify()
    paid = sum(world.paid.values())
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
    world.arrives("a.jsonl", {"T-12": "a form letter"}, NEXT)
    world.classify(day=NEXT)
    assert sum(world.paid.values()) == paid
    assert world.forget(tmp_path, "--document-id", "T-11", "--yes").exit_code == 0
    assert not [place for place in world.holds("a form letter") if "/reuse/" in place]


@pytest.mark.parametrize("world", [REUSES], indirect=True)
def test_all_reused_documents_of_a_run_can_be_forgotten(world: World, tmp_path: Path) -> None:
    world.labelled(LABELLED)
    world.train()
    for day in (DAY, NEXT):
        world.arrives("a.jsonl", {JANE: "a form letter"}, day)
        prepared = world.prepare(day)
        world.load(prepared)
    assert world.forget(tmp_path, "--document-id", JANE, "--yes").exit_code == 0
    assert world.holds("a form letter", JANE) == []
    # The tasks behind prepare_batches are cleared.
    assert world.load(prepared).documents_in == 0
    assert world.export(run_key(NEXT, None)) == 0
