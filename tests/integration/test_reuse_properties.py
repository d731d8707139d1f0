"""Nights in any order, with repeated texts, promotions, days that are run again and runs that are dropped:
each version is paid once for a text, and the tables are those of nights without reuse."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nightsort.naming import run_key
from nightsort.tables.retention import drop_run, find_runs
from tests.integration.local_nights import DAY, Nights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from upath import UPath

    from nightsort.batches.prepare import Batch, PreparedBatches
    from nightsort.tables.run_counts import RunCounts

pytestmark = pytest.mark.integration

DAYS = 2
TEXTS = [f"text {letter}" for letter in "abcde"]
VERSIONS = ("v1", "v2")
RESULTS = """
SELECT day, version, document_id, status, label, score, labels, scores, accepted, reason
FROM nightsort.predictions WHERE classifier = %s AND run_key = %s ORDER BY document_id
"""


class Arrives(NamedTuple):
    """The documents of a day are these from now on, the text of each by its index."""

    day: int
    texts: Sequence[str]


class Classify(NamedTuple):
    """A day is classified; or prepared alone, as by a task that dies afterwards."""

    day: int
    version: str
    ends: bool


class Drop(NamedTuple):
    """The rows of a day are dropped."""

    day: int


NIGHT = st.integers(0, 4)
STEPS = st.lists(
    st.builds(Arrives, NIGHT, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5))
    | st.builds(Classify, NIGHT, st.sampled_from(VERSIONS), st.sampled_from([True, True, True, False]))
    | st.builds(Drop, NIGHT),
    min_size=4,
    max_size=14,
)


DROPPED = [
    *(Arrives(day, TEXTS[:3]) for day in (0, 1)),
    Classify(0, VERSIONS[0], True),
    Drop(0),
    Classify(0, VERSIONS[1], True),
    Classify(1, VERSIONS[0], True),
]
"""A day is dropped, and loaded again with another version before the next one."""


class VersionedNights(Nights):
    """A Comprehend of which each version has an answer of its own."""

    version = ""

    def load(self, batch: Batch, version: str = "v1") -> UPath:
        self.version = version
        return super().load(batch, version)

    def says(self, text: str) -> dict[str, Any]:
        entries = [(f"{self.version} of {text}", 0.75), ("other", 0.5), (f"least of {text}", 0.25)]
        return {"Labels": [{"Name": name, "Score": score} for name, score in entries]}

    def rows(self, key: str) -> list[tuple[Any, ...]]:
        return self.database.execute(RESULTS, (self.spec.name, key)).fetchall()


class Bill:
    """What a plain account says: which texts each version was paid for in each run."""

    def __init__(self) -> None:
        self.sent: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self.reused: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self.kept: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self.has_rows: set[int] = set()
        self.dropped = False

    def drop(self, day: int) -> None:
        """Forget what every version has said of a day."""
        self.dropped = self.dropped or day in self.has_rows
        self.has_rows.discard(day)
        for texts in (self.sent, self.kept):
            for key in [key for key in texts if key[1] == day]:
                del texts[key]

    def known(self, version: str, day: int) -> set[str]:
        near = (each for each in self.has_rows if abs(each - day) <= DAYS)
        return self.reused[version, day].union(*(self.sent[version, each] for each in near))

    def reusable(self, version: str, day: int) -> set[str]:
        """What a run may reuse: what it has reused before, and what days nearby have kept."""
        near = (self.kept[version, each] for each in range(day - DAYS, day + DAYS + 1))
        return self.reused[version, day].union(*near)


@pytest.mark.parametrize("mode", ["MULTI_CLASS", "MULTI_LABEL"])
@given(steps=STEPS, same_night=st.booleans())
@example(steps=DROPPED, same_night=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_version_is_paid_once_and_the_tables_are_the_same(
    database: psycopg.Connection[Any], mode: str, steps: Sequence[Any], same_night: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        database.execute("TRUNCATE nightsort.predictions, nightsort.classification_runs")
        database.execute("TRUNCATE nightsort.batch_statistics, nightsort.run_statistics")
        given = {"mode": mode, "threshold": 0.5, "batch": {"max_documents": 2}}
        reuse = {"same_night": same_night, "days": DAYS}
        with_reuse, without = (
            VersionedNights(Path(name) / which, database, name=which, reuse=keys, **given)
            for which, keys in (("reusing", reuse), ("paying", {"same_night": False}))
        )
        play(with_reuse, without, steps)


def play(nights: VersionedNights, others: VersionedNights, steps: Sequence[Any]) -> None:
    bill = Bill()
    documents: dict[int, dict[str, str]] = {}
    for step in steps:
        day = DAY + timedelta(step.day)
        if isinstance(step, Arrives):
            documents[step.day] = {f"doc-{number}": text for number, text in enumerate(step.texts)}
            for each in (nights, others):
                each.folder.mkdir(exist_ok=True)
                each.arrives("m.jsonl", documents[step.day], day)
        elif step.day not in documents:
            continue
        elif isinstance(step, Drop):
            bill.drop(step.day)
            for run in find_runs(nights.database, before=day + timedelta(1)):
                if run.day == day:
                    drop_run(nights.database, run)
        else:
            classify(nights, others, bill, step, set(documents[step.day].values()))


def classify(
    nights: VersionedNights, others: VersionedNights, bill: Bill, step: Classify, arrived: set[str]
) -> None:
    day, version = DAY + timedelta(step.day), step.version
    known, paid = bill.known(version, step.day), dict(nights.paid)
    reusable = bill.reusable(version, step.day)
    if not step.ends:
        reused_texts(nights, bill, nights.prepare(day, version=version), step, reusable)
        return
    prepared, counts = nights.classify(day, version=version)
    others.classify(day, version=version)
    sent = [
        text
        for batch in prepared.batches
        if f"{version}-{batch.name}" not in paid
        for text in Path(batch.input_uri).read_text().splitlines()
    ]
    assert sum(nights.paid.values()) - sum(paid.values()) == 3 * len(sent)
    assert not known & set(sent), "paid for what was known"
    if nights.spec.reuse.same_night:
        assert len(sent) == len(set(sent)), "paid twice in a night"
    if not bill.dropped:
        assert set(sent) == arrived - known
    key = run_key(day, None)
    assert nights.rows(key) == others.rows(key)
    adds_up(nights, counts, key)
    bill.sent[version, step.day] |= set(sent)
    bill.has_rows.add(step.day)
    for batch in prepared.batches:
        bill.kept[version, step.day] |= set(Path(batch.input_uri).read_text().splitlines())
    reused_texts(nights, bill, prepared, step, reusable)


def reused_texts(
    nights: VersionedNights, bill: Bill, prepared: PreparedBatches, step: Classify, reusable: set[str]
) -> None:
    """Note what a run has reused: its next preparation for this version does not pay for it."""
    if not prepared.reused:
        return
    import pyarrow.parquet as pq

    file = nights.spec.layout.run(prepared.run_key).reused(step.version)
    rows = pq.read_table(file, columns=["labels"]).to_pylist()
    labels = [row["labels"][0] for row in rows]
    assert all(label.startswith(f"{step.version} of ") for label in labels), "of another version"
    texts = {label.partition(" of ")[2] for label in labels}
    assert texts <= reusable, "reused what was dropped"
    bill.reused[step.version, step.day] = texts


def adds_up(nights: VersionedNights, counts: RunCounts, key: str) -> None:
    assert counts.documents_in == counts.classified + counts.failed + counts.rejected
    assert counts.saved_units == 3 * (counts.repeated + counts.reused)
    sources = dict(
        nights.database.execute(
            "SELECT source, count(*) FROM nightsort.predictions"
            " WHERE classifier = %s AND run_key = %s GROUP BY source",
            (nights.spec.name, key),
        ).fetchall()
    )
    assert (sources.get("repeat", 0), sources.get("reused", 0)) == (counts.repeated, counts.reused)
    ((classified,),) = nights.database.execute(
        "SELECT sum(documents) FROM nightsort.label_statistics WHERE classifier = %s AND run_key = %s",
        (nights.spec.name, key),
    )
    assert classified >= counts.classified
