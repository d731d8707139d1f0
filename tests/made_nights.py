"""Nights and versions as a database holds them after months, without months: made-up numbers, real tables."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg.types.json import Jsonb

from nightsort.comprehend.prices import classification_cost
from nightsort.naming import run_key
from nightsort.opening.bill import Change
from nightsort.opening.record import Record
from nightsort.statistics.counts import BINS
from nightsort.statistics.drift import Night, judge
from nightsort.tables.endpoint_hours import save_opening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import psycopg

FAILED = "missing_from_output"
FIRST_NIGHT = date(2026, 11, 1)
LAST_NIGHT = date(2026, 11, 30)
ARN = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/{name}/version/{version}"


class MadeNights:
    """Nights of one classifier, the same ones for the same name.

    :param conn: the database, with Nightsort's tables.
    :param name: the classifier.
    :param labels: how many labels it has, or their names.
    """

    def __init__(self, conn: psycopg.Connection[Any], name: str, labels: int | Sequence[str] = 12) -> None:
        self.conn = conn
        self.name = name
        self.labels = [f"label-{n:03}" for n in range(labels)] if isinstance(labels, int) else list(labels)
        self.random = np.random.default_rng(sum(name.encode()))
        self.weights = self.random.dirichlet(np.full(len(self.labels), 2.0))
        self.version = ""
        self._f1: float | None = None
        self._before: list[Night] = []

    def train(
        self, version: str, *, quality: float = 0.85, promoted: bool = True, day: date = FIRST_NIGHT
    ) -> None:
        """Write a version, with the decision on it."""
        matrix = self._matrix(quality)
        hits = np.diag(matrix)
        precision = hits / np.maximum(matrix.sum(axis=0), 1)
        recall = hits / np.maximum(matrix.sum(axis=1), 1)
        f1 = float(np.mean(2 * precision * recall / np.maximum(precision + recall, 1e-9)))
        accuracy = float(hits.sum() / matrix.sum())
        against, old = self.version, self._f1
        change = f"macro_f1 {old or 0:.4f} -> {f1:.4f} ({f1 - (old or 0):+.4f})"
        if promoted:
            self.conn.execute(
                "UPDATE nightsort.classifier_versions SET active = false WHERE classifier = %s", (self.name,)
            )
        trained_at = datetime.combine(day, time(1, 30), timezone.utc)
        counts = {
            label: {"training": int(number) * 9, "test": int(number)}
            for label, number in zip(self.labels, matrix.sum(axis=1), strict=True)
        }
        row = {
            "classifier": self.name,
            "version": version,
            "arn": ARN.format(name=self.name, version=version),
            "mode": "MULTI_CLASS",
            "language": "en",
            "status": "TRAINED",
            "test_fingerprint": "5b1f0c2e77",
            "training_uri": f"s3://acme-nightsort/{self.name}/training/{version}/training.csv",
            "training_documents": sum(count["training"] for count in counts.values()),
            "test_documents": int(matrix.sum()),
            "labels": Jsonb(counts),
            "metrics": Jsonb({"macro_f1": f1, "micro_f1": accuracy, "accuracy": accuracy}),
            "confusion_matrix": Jsonb(
                {"type": "multi_class", "labels": self.labels, "confusion_matrix": matrix.tolist()}
            ),
            "training_report": Jsonb(
                {
                    "documents_read": int(matrix.sum()) * 10 + 23,
                    "rejected": 9,
                    "reject_counts": {"blank": 2, "no_label": 7},
                    "duplicates": 14,
                    "left_out_documents": 0,
                    "left_out_labels": [],
                    "warnings": [],
                }
            ),
            "training_seconds": 2140.0,
            "cost_usd": 1.79,
            "trained_at": trained_at,
            "promoted_at": trained_at if promoted else None,
            "active": promoted,
        }
        self._insert("classifier_versions", row)
        decision = {
            "classifier": self.name,
            "version": version,
            "against": against,
            "test_fingerprint": "5b1f0c2e77",
            "metric": "macro_f1",
            "old": old,
            "new": f1,
            "promoted": promoted,
            "reason": "No version was active before."
            if not against
            else f"Better on the same test set: {change}."
            if promoted
            else f"Gain too small on the same test set: {change}; required: any gain.",
            "decided_at": trained_at + timedelta(minutes=3),
        }
        self._insert("promotion_decisions", decision)
        if promoted:
            self.version, self._f1 = version, f1
            self._before = []

    def night(
        self,
        day: date,
        *,
        documents: int = 3200,
        failed: int = 0,
        rejects: Mapping[str, int] | None = None,
        shift: float = 1.0,
        statistics: bool = True,
        **columns: Any,
    ) -> str:
        """Write a night; return its key.

        :param documents: that came in.
        :param failed: of these, how many failed.
        :param rejects: of these, how many were rejected, by reason.
        :param shift: factor of the first label's share.
        :param statistics: whether labels were counted, as they are since version 6 of the tables.
        :param columns: of ``classification_runs``, in place of those of a night that went well.
        """
        rejected = sum((rejects or {}).values())
        classified = documents - failed - rejected
        key = run_key(day, columns.get("source_uri"))
        began = datetime.combine(day + timedelta(days=1), time(2, 0), timezone.utc)
        units = 4 * (classified + failed)
        row = {
            "classifier": self.name,
            "run_key": key,
            "day": day,
            "version": self.version or None,
            "state": "complete",
            "documents_in": documents,
            "classified": classified,
            "failed": failed,
            "rejected": rejected,
            "reasons": Jsonb({FAILED: failed, **(rejects or {})}),
            "batches": Jsonb(self._batches(key, classified + failed, began)),
            "units": units,
            "cost_usd": classification_cost(units),
            "forecast_units": units,
            "forecast_usd": classification_cost(units),
            "dag_id": f"classify_{self.name}",
            "run_id": f"scheduled__{began:%Y-%m-%dT%H:%M:%S}+00:00",
            "started_at": began,
            "finished_at": began + timedelta(minutes=38),
        }
        self._insert("classification_runs", {**row, **columns})
        if statistics and classified:
            self._insert("run_statistics", self._statistics(key, classified, failed, rejects or {}, shift))
        return key

    def _statistics(
        self, key: str, classified: int, failed: int, rejects: Mapping[str, int], shift: float
    ) -> dict[str, Any]:
        weights = self.weights.copy()
        weights[0] *= shift
        counts = self.random.multinomial(classified, weights / weights.sum())
        bins = self._bins()
        # As a load counts: a label without documents is none of the night's.
        labels = [label for label, count in zip(self.labels, counts, strict=True) if count]
        counts = counts[counts > 0]
        histograms = np.array([self.random.multinomial(count, bins) for count in counts])
        middles = (np.arange(BINS) + 0.5) / BINS
        night = Night(labels, counts.tolist())
        verdict = judge(night, list(reversed(self._before)))
        self._before.append(night)
        least = [
            {
                "batch": batch_name(self.name, key),
                "line": line,
                "document_id": self._document_id(),
                "labels": self._alternatives(),
                "scores": [round(0.2 + line / 200, 3), round(0.18 + line / 250, 3), 0.07][: len(self.labels)],
            }
            for line in range(min(50, classified))
        ]
        return {
            "classifier": self.name,
            "run_key": key,
            "labels": labels,
            "documents": counts.tolist(),
            "score_sums": (histograms @ middles).tolist(),
            "histograms": histograms.ravel().tolist(),
            "least_confident": Jsonb(least),
            "examples": Jsonb(
                {
                    reason: [self._document_id() for _ in range(min(3, number))]
                    for reason, number in {**rejects, FAILED: failed}.items()
                    if number
                }
            ),
            "failed_reasons": Jsonb({FAILED: failed} if failed else {}),
            "rejected_reasons": Jsonb(dict(rejects)),
            "drifted": None if verdict.drifted is None else bool(verdict.drifted),
            "drift": Jsonb({k: getattr(v, "item", lambda v=v: v)() for k, v in verdict.to_dict().items()}),
        }

    def _document_id(self) -> str:
        return f"T-{self.random.integers(100_000, 999_999)}"

    def _alternatives(self) -> list[str]:
        """The most likely labels of a document that is hard to tell."""
        most = min(3, len(self.labels))
        return [str(label) for label in self.random.choice(self.labels, most, replace=False, p=self.weights)]

    def _bins(self) -> npt.NDArray[np.float64]:
        shape = np.exp(np.linspace(-3.2, 2.0, BINS))
        shape[-1] *= 2.5
        return np.asarray(shape / shape.sum())

    def _matrix(self, quality: float) -> npt.NDArray[np.int64]:
        size = len(self.labels)
        matrix = np.zeros((size, size), np.int64)
        for row in range(size):
            documents = int(self.random.integers(20, 60))
            right = self.random.binomial(documents, min(0.99, quality * self.random.uniform(0.75, 1.12)))
            matrix[row, row] = right
            others = np.exp(-np.abs(np.arange(size) - row) / 2.0)
            others[row] = 0
            if others.sum():
                matrix[row] += self.random.multinomial(documents - right, others / others.sum())
        return matrix

    def _batches(self, key: str, documents: int, began: datetime) -> list[dict[str, Any]]:
        if not documents:
            return []
        name = batch_name(self.name, key)
        return [
            {
                "name": name,
                "documents": documents,
                "loaded": documents,
                "job_id": job_id(name),
                "job_name": f"{self.name}-{self.version}-{name}-g1",
                "submitted_at": (began + timedelta(minutes=2)).isoformat(),
                "ended_at": (began + timedelta(minutes=35)).isoformat(),
                "output_uri": f"s3://acme-nightsort/{self.name}/output/output.tar.gz",
            }
        ]

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        columns = ", ".join(row)
        values = ", ".join(["%s"] * len(row))
        statement = f"INSERT INTO nightsort.{table} ({columns}) VALUES ({values})"  # noqa: S608
        self.conn.execute(statement, [*row.values()])


def batch_name(classifier: str, key: str) -> str:
    """The name of the first batch of a night, as a hash of its documents makes it."""
    return f"{key}-00000-{_digest(classifier + key)[:8]}"


def job_id(batch: str) -> str:
    """The id that Comprehend gave the job of a batch."""
    return _digest(batch)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def make_months(conn: psycopg.Connection[Any], last: date = LAST_NIGHT, nights: int = 30) -> None:
    """Write some classifiers with everything that a page can show.

    :param last: the day of the last night; it begins at two in the morning after it.
    :param nights: how many nights.
    """
    days = [last - timedelta(days=number) for number in reversed(range(nights))]
    first = days[0]
    labels = [
        *("billing", "bug-report", "cancellation", "complaint", "data-protection", "delivery"),
        *("feature-request", "how-to", "invoice", "login", "outage", "praise", "refund", "sales"),
        *("security", "shipping-damage"),
    ]
    tickets = MadeNights(conn, "tickets", labels)
    tickets.train("v1f82d30c95ba", quality=0.8, day=first - timedelta(days=40))
    tickets.train("v77a40e9b12cf", quality=0.84, day=first - timedelta(days=20))
    tickets.train("v90b6e1d27f35", quality=0.84, promoted=False, day=first - timedelta(days=8))
    tickets.train("v5e0c41d97ab2", quality=0.9, day=first - timedelta(days=1))
    for day in days[:-1]:
        documents = int(3200 + 600 * np.sin(day.toordinal()) + (day.weekday() >= 5) * -1400)
        tickets.night(
            day,
            documents=documents,
            failed=7 if day == days[11] else 0,
            rejects={"blank": 3, "duplicate_id": 2},
            shift=2.2 if day == days[18] else 1.0,
        )
    tickets.night(
        days[-1], documents=3120, rejects={"blank": 4, "duplicate_id": 1, "invalid_utf8": 9}, shift=1.9
    )
    reviews = MadeNights(conn, "reviews", ("negative", "neutral", "positive", "spam"))
    reviews.train("v3f9a6e1207dd", quality=0.93, day=first - timedelta(days=2))
    for day in days[:-1]:
        reviews.night(day, documents=int(reviews.random.normal(4_100, 120)))
    missing = batch_name("reviews", run_key(days[-1], None))
    reviews.night(
        days[-1],
        documents=4_021,
        state="incomplete",
        classified=0,
        units=0,
        cost_usd=0,
        statistics=False,
        message=(
            f"4,021 of 4,021 documents are missing: batch {missing}, job {job_id(missing)[:8]} FAILED: "
            "INTERNAL_ERROR: An internal server error occurred. Clear the tasks of these batches, or the "
            "whole run: finished jobs are not paid for again"
        ),
        failed_jobs=Jsonb(
            [
                {
                    "job_id": job_id(missing),
                    "job_name": f"reviews-v3f9a6e1207dd-{missing}-g2",
                    "status": "FAILED",
                    "message": "INTERNAL_ERROR: An internal server error occurred.",
                }
            ]
        ),
    )
    mails = MadeNights(conn, "mails", 36)
    mails.train("v8d27f0b16c93", quality=0.7, day=first - timedelta(days=1))
    red: dict[str, Any] = {"state": "failed", "message": "12 % of the documents failed"}
    for day in days:
        busy = 900 if day == days[-1] else int(mails.random.normal(900, 60))
        columns = red if day == days[-3] else {}
        mails.night(day, documents=busy, failed=30 if day == days[-1] else 0, **columns)


def make_endpoint_day(conn: psycopg.Connection[Any], name: str = "tickets", on: date = LAST_NIGHT) -> None:
    """Write a day of an endpoint with all that a day may have: a promotion, a pause, a load, its end."""
    day = datetime.combine(on, time(8), timezone.utc)
    random, hour = np.random.default_rng(8), timedelta(hours=1)
    old, new = (ARN.format(name=name, version=version) for version in ("v77a40e9b12cf", "v5e0c41d97ab2"))

    def used(begin: datetime, hours: float, most: float) -> dict[datetime, float]:
        minutes = range(int(60 * hours))
        loads = np.sin(np.linspace(0, np.pi, len(minutes))) * random.uniform(0.3, 1, len(minutes)) * most
        return {
            begin + timedelta(minutes=minute): round(float(load), 4)
            for minute, load in zip(minutes, loads, strict=True)
            if load > 0.05
        }

    morning = Record(
        name, f"arn:{name}", day, "by its hours",
        (Change(day, 1, old), Change(day + 2.4 * hour, 1, new)),
        seen_at=day + 4.6 * hour, ready_at=day + hour / 6, usage=used(day + hour / 5, 3.9, 0.8),
        closing_why="nobody asked for 30 minutes", closed_at=day + 4.6 * hour,
    )  # fmt: skip
    begin = day + 6 * hour
    afternoon = Record(
        name, f"arn:{name}", begin, "by hand",
        (Change(begin, 1, new), Change(begin + hour, 2, new), Change(begin + 2.5 * hour, 1, new)),
        seen_at=day + 10 * hour, ready_at=begin + hour / 6,
        usage={**used(begin + hour / 5, 3.6, 0.7), **used(begin + hour, 1.5, 1.7)},
        closing_why="outside of its hours, 08:00-18:00 mon-fri", closed_at=day + 10 * hour,
    )  # fmt: skip
    for record in (morning, afternoon):
        save_opening(conn, record)
