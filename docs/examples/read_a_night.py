"""Look at a classifier's nights with pandas: the runs, the labels by day, rejects, the weakest labels.

    python docs/examples/read_a_night.py "host=… dbname=… user=…" tickets 2026-11-20

Add the folder of the export to read the same night from its files: ``--export s3://my-bucket/exports``.
"""

from __future__ import annotations

import argparse
from datetime import date

import numpy as np
import psycopg

from nightsort.reports import from_files, from_tables


def main(arguments: list[str] | None = None) -> None:
    """Print what the tables, and if named the export, hold of one night."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dsn", help="connection string of the database with the tables")
    parser.add_argument("classifier", help="name of the spec")
    parser.add_argument("day", type=date.fromisoformat, help="the day that the run classified")
    parser.add_argument("--export", help="folder of the exports, to read the night from files, too")
    given = parser.parse_args(arguments)

    with psycopg.connect(given.dsn) as conn:
        runs = from_tables.runs(conn, given.classifier)
        labels = from_tables.label_distribution(conn, given.classifier)
        rejects = from_tables.rejects(conn, given.classifier, given.day)
        night = from_tables.predictions(conn, given.classifier, given.day)
        matrix = from_tables.confusion_matrix(conn, given.classifier)

    print("The last runs", runs.tail(7).to_string(index=False), sep="\n", end="\n\n")
    print("Documents by day and label", labels.tail(7).to_string(), sep="\n", end="\n\n")
    print("Rejects by reason", rejects["reason"].value_counts().to_string(), sep="\n", end="\n\n")

    unsure = night[night["score"] < 0.5].sort_values("score")
    print("Least sure", unsure[["document_id", "label", "score"]].head(10).to_string(index=False), sep="\n")

    if matrix.index.name == "actual":
        found = np.diag(matrix) / matrix.sum(axis="columns")
        print("\nRecall of the weakest labels", found.nsmallest(5).round(3).to_string(), sep="\n")

    if given.export:
        exported = from_files.predictions(given.export, given.classifier, given.day)
        print("\nThe export", from_files.runs(exported).to_string(index=False), sep="\n")


if __name__ == "__main__":
    main()
