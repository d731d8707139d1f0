"""Nights on a local folder and a real PostgreSQL, with a Comprehend that takes no time."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import date
from typing import TYPE_CHECKING, Any

from upath import UPath

from nightsort.batches.prepare import PreparedBatches, prepare_batches
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.naming import BatchName, run_key
from nightsort.storage import plain_access
from nightsort.tables.load import load_predictions
from nightsort.tables.reuse import empty_dropped, runs_to_reuse
from nightsort.tables.runs import finish_run
from nightsort.tables.unsent import load_rejects, load_reused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import psycopg

    from nightsort.batches.prepare import Batch
    from nightsort.tables.run_counts import RunCounts

DAY = date(2026, 11, 18)


class Nights:
    """A source by days, and a Comprehend that calls each document by its text and keeps an account.

    As with the real one, a job is found again by its name, which begins with the version: it is paid once.
    """

    def __init__(self, folder: Path, database: psycopg.Connection[Any], **settings: Any) -> None:
        self.folder = folder
        self.database = database
        self.paid: dict[str, int] = {}
        self.spec = ClassifierSpec.model_validate(
            {
                "name": "tickets",
                "mode": "MULTI_CLASS",
                "labelled": {"uri": "/data/labelled.csv", "format": "csv"},
                "incoming": {"uri": f"{folder}/{{day}}/", "format": "jsonl", "id_column": "id"},
                "work_uri": f"{folder}/work",
                "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
                "batch": {"max_documents": 4},
                "quality": {"max_rejected_share": 1.0, "max_failed_share": 1.0},
                **settings,
            }
        )

    def arrives(self, name: str, documents: dict[str, str], day: date = DAY) -> str:
        file = self.folder / day.isoformat() / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in documents.items()))
        return str(file)

    def classify(
        self, day: date = DAY, source_uri: str | None = None, version: str = "v1"
    ) -> tuple[PreparedBatches, RunCounts]:
        prepared = self.prepare(day, source_uri, version)
        jobs = {}
        for batch in prepared.batches:
            archive = self.load(batch, version)
            jobs[batch.name] = {"job_id": f"job-{batch.name}", "output_uri": str(archive)}
            self.paid.setdefault(f"{version}-{batch.name}", batch.units)
        self.load_unsent(prepared, version)
        return prepared, self.finish(prepared, jobs, version=version, source_uri=source_uri)

    def prepare(self, day: date = DAY, source_uri: str | None = None, version: str = "v1") -> PreparedBatches:
        """Prepare a night for a version, as if its jobs were started at once."""
        key, access = run_key(day, source_uri), plain_access()
        empty_dropped(self.database, self.spec, access, key)
        runs = runs_to_reuse(self.database, self.spec, access, version=version, run_key=key)
        return prepare_batches(
            self.spec,
            access,
            run_key=key,
            day=day,
            source_uri=source_uri,
            started=lambda batches: {
                batch.name for batch in batches if f"{version}-{batch.name}" in self.paid
            },
            version=version,
            runs=runs,
        )

    def load_unsent(self, prepared: PreparedBatches, version: str = "v1") -> None:
        """Load the rejects and the reused documents."""
        rejects = UPath(prepared.rejects_uri)
        load_rejects(self.database, spec=self.spec, run_key=prepared.run_key, rejects_path=rejects)
        access = plain_access()
        load_reused(self.database, spec=self.spec, access=access, version=version, prepared=prepared)

    def load(self, batch: Batch, version: str = "v1") -> UPath:
        """Load the output of a batch; return where it is."""
        archive = self._output(batch)
        load_predictions(
            self.database,
            spec=self.spec,
            version=version,
            run_key=BatchName.parse(batch.name).run_key,
            batch=batch.name,
            archive=archive,
            manifest=UPath(batch.manifest_uri),
            access=plain_access(),
        )
        return archive

    def finish(
        self,
        prepared: PreparedBatches,
        jobs: dict[str, Any] | None = None,
        *,
        version: str = "v1",
        source_uri: str | None = None,
        failed_jobs: Sequence[dict[str, Any]] = (),
    ) -> RunCounts:
        """Count the rows of a run."""
        return finish_run(
            self.database,
            spec=self.spec,
            run_key=prepared.run_key,
            version=version,
            prepared=prepared,
            source_uri=source_uri,
            jobs=jobs,
            failed_jobs=failed_jobs,
        )

    def _output(self, batch: Batch) -> UPath:
        file = batch.input_uri.rpartition("/")[2]
        texts = UPath(batch.input_uri).read_text().splitlines()
        lines = [json.dumps({"File": file, "Line": str(n), **self.says(t)}) for n, t in enumerate(texts)]
        content = "\n".join(lines).encode()
        archive = self.folder / f"{batch.name}.tar.gz"
        with tarfile.open(archive, mode="w:gz") as tar:
            member = tarfile.TarInfo("predictions.jsonl")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        return UPath(archive)

    def says(self, text: str) -> dict[str, Any]:
        """What this Comprehend says of a document."""
        return {"Classes": [{"Name": text, "Score": 0.5}]}

    def table(self, run: str = "20261118") -> dict[str, str]:
        """The label of each document of a run; each document has one row."""
        rows = self.database.execute(
            "SELECT document_id, label FROM nightsort.predictions"
            " WHERE run_key = %s AND status <> 'rejected'",
            (run,),
        ).fetchall()
        assert len(dict(rows)) == len(rows)
        return dict(rows)

    def latest(self) -> dict[str, str]:
        rows = self.database.execute("SELECT document_id, label FROM nightsort.latest_predictions").fetchall()
        assert len(dict(rows)) == len(rows)
        return dict(rows)
