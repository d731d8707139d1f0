"""What the tables know of runs whose results may be used again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from nightsort.reuse.lookup import reusable_runs, stored_runs
from nightsort.reuse.store import empty_results, results_of_run
from nightsort.tables.run_locks import files_alone
from nightsort.training.scoring import split_scoring

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access
    from nightsort.training.scoring import Scoring

log = logging.getLogger(__name__)


def runs_with_rows(conn: psycopg.Connection[Any], classifier: str, runs: Sequence[str]) -> list[str]:
    """Return those runs whose predictions are in the tables, in their order.

    The rows of a run are gone when it was dropped; so its results are not used again.

    :param conn: the database.
    :param classifier: name of the spec.
    :param runs: run keys.
    :returns: run keys.
    """
    with conn.transaction():
        rows = conn.execute(
            "SELECT run_key FROM unnest(%(runs)s::text[]) WITH ORDINALITY AS asked (run_key, number) "
            "WHERE EXISTS (SELECT FROM nightsort.predictions p WHERE p.classifier = %(classifier)s"
            " AND p.run_key = asked.run_key) ORDER BY number",
            {"runs": list(runs), "classifier": classifier},
        ).fetchall()
    return [key for (key,) in rows]


def runs_to_reuse(
    conn: psycopg.Connection[Any], spec: ClassifierSpec, access: Access, *, version: str, run_key: str
) -> list[str]:
    """Return the runs whose results a run may use again, the newest first; none without ``reuse.days``.

    :param conn: the database.
    :param spec: the classifier spec.
    :param access: storage.
    :param version: the version that will classify.
    :param run_key: the run.
    :returns: run keys.
    """
    if spec.reuse.days is None:
        return []
    runs = reusable_runs(spec.layout, access, version=version, run_key=run_key, days=spec.reuse.days)
    return runs_with_rows(conn, spec.name, runs)


def empty_dropped(conn: psycopg.Connection[Any], spec: ClassifierSpec, access: Access, run_key: str) -> None:
    """Forget what is kept of a run that was dropped, whichever version classified it.

    Call it before the run is loaded again: afterwards it has rows, and nothing tells that it was dropped.

    :param conn: the database, with autocommit.
    :param spec: the classifier spec.
    :param access: storage.
    :param run_key: the run.
    """
    kept = results_of_run(spec.layout, access, run_key)
    if not kept or runs_with_rows(conn, spec.name, [run_key]):
        return
    # A load writes its file before its rows are there: wait for it, and ask again.
    with files_alone(conn, spec.name, run_key):
        if runs_with_rows(conn, spec.name, [run_key]):
            return
        for uri in kept:
            empty_results(uri, access)
    log.info("Run %s was dropped, so nothing that is kept of it is used again", run_key)


def versions_of_runs(conn: psycopg.Connection[Any], classifier: str) -> dict[str, str | None]:
    """Return the version that classified each run, by run key.

    :param conn: the database.
    :param classifier: name of the spec.
    """
    with conn.transaction():
        rows = conn.execute(
            "SELECT run_key, version FROM nightsort.classification_runs WHERE classifier = %s", (classifier,)
        ).fetchall()
    return dict(rows)


def scoring_of(
    conn: psycopg.Connection[Any], spec: ClassifierSpec, access: Access, training: str, champion: str
) -> Scoring:
    """Return which test documents of a training the active version has to be asked about.

    :param conn: the database.
    :param spec: the classifier spec.
    :param access: storage.
    :param training: the version whose folder has the test documents.
    :param champion: the active version.
    :raises MissingObjectError: the test documents are gone.
    """
    return split_scoring(
        spec,
        access,
        spec.layout.training(training),
        version=champion,
        runs=lambda: runs_with_rows(conn, spec.name, stored_runs(spec.layout, access, champion)),
    )
