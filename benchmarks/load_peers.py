"""What one would write with pandas to load a job's output, and with AWS SDK for pandas (awswrangler).

It imports nothing of Nightsort, because awswrangler has an environment of its own: it wants other versions.

    python -m benchmarks.load_peers OUTPUT MANIFEST ...
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd

TABLE = "from_pandas"
CREATE = f"CREATE TABLE IF NOT EXISTS {TABLE} (document_id text, label text, score double precision)"
EMPTY = f"TRUNCATE {TABLE}"


def exploded(archive: Path, manifest: Path) -> pd.DataFrame:
    """Return a row for each label of each document of the manifest, and one for a document without label."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("predictions.jsonl")
        assert member is not None
        output = pd.read_json(member, lines=True)
    column = "Labels" if "Labels" in output else "Classes"
    output = output.explode(column, ignore_index=True)
    output = output.join(pd.DataFrame(output.pop(column).to_list()))
    documents = pd.read_parquet(manifest)
    documents["file"] = documents["file"].astype("str")
    rows = documents.merge(output, how="left", left_on=["file", "line"], right_on=["File", "Line"])
    return rows[["document_id", "Name", "Score"]].set_axis(["document_id", "label", "score"], axis=1)


def with_pandas(pairs: list[tuple[Path, Path]], conn: Any) -> dict[str, float]:
    """Load each batch's rows by ``to_sql``, by a connection of SQLAlchemy's."""
    conn.exec_driver_sql(CREATE)
    conn.exec_driver_sql(EMPTY)
    documents = 0
    for archive, manifest in pairs:
        rows = exploded(archive, manifest)
        rows.to_sql(TABLE, conn, if_exists="append", index=False, chunksize=100_000)
        documents += rows["document_id"].nunique()
    return {"documents": documents}


def with_awswrangler(pairs: list[tuple[Path, Path]]) -> dict[str, int]:
    """Load each batch's rows by ``awswrangler.postgresql.to_sql``, which writes INSERTs of many rows."""
    import awswrangler
    import pg8000

    socket = f"{os.environ['PGHOST']}/.s.PGSQL.5432"
    with pg8000.connect(os.environ["PGUSER"], unix_sock=socket, database=os.environ["PGDATABASE"]) as conn:
        with conn.cursor() as cursor:
            cursor.execute(CREATE)
            cursor.execute(EMPTY)
        conn.commit()
        documents = 0
        for archive, manifest in pairs:
            rows = exploded(archive, manifest)
            awswrangler.postgresql.to_sql(
                rows,
                conn,
                table=TABLE,
                schema="public",
                mode="append",
                use_column_names=True,
                chunksize=10_000,
            )
            documents += rows["document_id"].nunique()
    return {"documents": documents}


if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[1:]]
    print(json.dumps(with_awswrangler(list(zip(files[::2], files[1::2], strict=True)))))
