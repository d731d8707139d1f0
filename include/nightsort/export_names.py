"""Make and parse the names of exported files, and the URIs that they lie below."""

from __future__ import annotations

import re

from nightsort.naming import BATCH_OF_RUN, REJECTS, REUSED_BATCH, run_day


def export_partition(root: str, classifier: str, run_key: str | None = None) -> str:
    """Return where the exported files of a run lie: a prefix that Hive calls a partition.

    :param root: what all partitions lie below.
    :param classifier: name of the spec.
    :param run_key: the run, of which the day counts; ``None``: what lies above all its partitions.
    :returns: a URI that ends in ``/``.
    """
    day = "" if run_key is None else f"day={run_day(run_key).isoformat()}/"
    return f"{root.rstrip('/')}/classifier={classifier}/{day}"


def export_file(run_key: str, batch: str) -> str:
    """Name the exported file of a batch.

    :param run_key: the run.
    :param batch: name of the batch; or :data:`~nightsort.naming.REJECTS`, or
        :data:`~nightsort.naming.REUSED_BATCH`.
    :returns: the file's name.
    """
    return f"{run_key}-{batch}.parquet" if batch in (REJECTS, REUSED_BATCH) else f"{batch}.parquet"


def run_of_export_file(name: str) -> str | None:
    """Return the run of a name that :func:`export_file` made, whichever batches the run has now.

    :param name: any name.
    :returns: the run key; ``None`` if it is another file.
    """
    of_run = rf"{REJECTS}|{REUSED_BATCH}|{BATCH_OF_RUN}"
    found = re.fullmatch(rf"(\d{{8}}(?:-[0-9a-f]{{8}})?)-({of_run})\.parquet", name)
    return found[1] if found else None
