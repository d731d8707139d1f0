"""The statistics of a run as its rows in ``predictions`` have them, counted anew and in another way."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg.rows import dict_row

if TYPE_CHECKING:
    import psycopg


def recounted(conn: psycopg.Connection[Any], run_key: str, classifier: str = "tickets") -> dict[str, Any]:
    """Return what the row of ``run_statistics`` has to hold."""
    histograms: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 20)
    score_sums: defaultdict[str, float] = defaultdict(float)
    reasons: dict[str, Counter[str]] = {"failed": Counter(), "rejected": Counter()}
    examples: defaultdict[str, list[str]] = defaultdict(list)
    confident = []
    for row in _rows(conn, classifier, run_key):
        if row["status"] != "classified":
            reasons[row["status"]][row["reason"]] += 1
            if row["document_id"] is not None and len(examples[row["reason"]]) < 5:
                examples[row["reason"]].append(row["document_id"])
            continue
        for place in range(max(len(row["accepted"]), 1)):
            label, score = row["labels"][place], float(np.float32(row["scores"][place]))
            histograms[label][min(math.floor(score * 20), 19)] += 1
            score_sums[label] += score
        kept = ("batch", "line", "document_id", "labels", "scores")
        confident.append((np.float32(row["score"]), row["batch"], row["line"], {k: row[k] for k in kept}))
    labels = sorted(histograms, key=str.encode)
    return {
        "labels": labels,
        "documents": [sum(histograms[label]) for label in labels],
        "score_sums": [score_sums[label] for label in labels],
        "histograms": [number for label in labels for number in histograms[label]],
        "least_confident": [document for *_, document in sorted(confident, key=lambda each: each[:3])[:50]],
        "examples": dict(examples),
        "failed_reasons": dict(reasons["failed"]),
        "rejected_reasons": dict(reasons["rejected"]),
    }


def stored(conn: psycopg.Connection[Any], run_key: str, classifier: str = "tickets") -> dict[str, Any]:
    """Return the row of ``run_statistics``."""
    with conn.cursor(row_factory=dict_row) as cursor:
        (row,) = cursor.execute(
            "SELECT * FROM nightsort.run_statistics WHERE classifier = %s AND run_key = %s",
            (classifier, run_key),
        ).fetchall()
    return row


def check_statistics(conn: psycopg.Connection[Any], run_key: str, classifier: str = "tickets") -> None:
    """Check that the statistics of a run are those of its rows."""
    found, right = stored(conn, run_key, classifier), recounted(conn, run_key, classifier)
    assert np.allclose(found.pop("score_sums"), right.pop("score_sums"))
    assert {name: found[name] for name in right} == right


def _rows(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT * FROM nightsort.predictions WHERE classifier = %s AND run_key = %s ORDER BY batch, line",
            (classifier, run_key),
        ).fetchall()
