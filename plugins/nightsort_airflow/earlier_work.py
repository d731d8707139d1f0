"""What earlier runs of a day have done, so that it is neither done nor paid for again."""

from __future__ import annotations

from functools import cached_property
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any

from nightsort.naming import JobName, batch_job_base
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.objects import is_gone
from nightsort_airflow.states import JobStatus, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import psycopg

    from nightsort.batches.plan import Batch
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access


class EarlierWork:
    """
    The jobs of a version over the batches of a run.

    Work whose files are gone does not count: it is done, and paid for, again.

    :param spec: the classifier spec.
    :param run_key: the run.
    :param version: the active version.
    """

    def __init__(self, spec: ClassifierSpec, run_key: str, version: str) -> None:
        self._spec = spec
        self._run_key = run_key
        self._version = version
        self._outputs: dict[str, str] = {}
        self._retries: dict[str, list[dict[str, Any]]] = {}
        self.loaded: set[str] = set()
        """Names of the batches that were loaded, of those that :meth:`started_of` was asked about."""
        self.started: set[str] = set()
        """Names of those whose jobs were started and did not fail, and of :attr:`answered`."""
        self.answered: dict[str, bool] = {}
        """Those that an endpoint was asked about, not a job: whether all of it is answered."""

    def read(self, connection: psycopg.Connection[Any]) -> None:
        """
        Read what the tables know of it.

        :param connection: the database.
        """
        from nightsort.tables.run_rows import loaded_outputs, loaded_retries

        run = {"classifier": self._spec.name, "run_key": self._run_key, "version": self._version}
        self._retries = loaded_retries(connection, **run)
        self._outputs = loaded_outputs(connection, **run)

    def started_of(
        self,
        access: Access,
        database: Callable[[], AbstractContextManager[psycopg.Connection[Any]]],
        batches: Sequence[Batch],
    ) -> set[str]:
        """
        Return the names of the batches that a job was started for and did not fail, or an endpoint answered.

        :param access: storage.
        :param database: opens the tables.
        :param batches: batches of the run.
        """
        from nightsort.tables.runs import loaded_batches

        if not batches:
            return set()
        names = [batch.name for batch in batches]
        with database() as connection:
            rows = loaded_batches(
                connection, classifier=self._spec.name, run_key=self._run_key, batches=names
            )
        self.loaded = {
            name
            for name, batch in rows.items()
            if batch.version == self._version
            and (name not in self._outputs or access.path(self._outputs[name]).exists())
        }
        answers = self._answers(access, names)
        of_jobs = {
            name for name in names if not answers.get(name) and (name in self.loaded or self.has_job(name))
        }
        self.answered = {name: complete for name, complete in answers.items() if name not in of_jobs}
        self.started = of_jobs | self.answered.keys()
        return self.started

    def retries_of(self, batch: str, access: Access) -> list[dict[str, Any]]:
        """
        Return what was sent again of a batch and loaded, up to the first whose files are gone.

        :param batch: its name.
        :param access: storage.
        """
        from nightsort.results.retry import JobOutput

        folder = self._spec.layout.run(self._run_key)

        def there(retry: dict[str, Any]) -> bool:
            found = JobOutput.of(folder, access, retry)
            return bool(found.archive.exists() and found.manifest.exists())

        return [*takewhile(there, self._retries.get(batch, ()))]

    def has_job(self, name: str) -> bool:
        """
        Return whether a job over a batch or a retry runs, or is complete with its output.

        :param name: of the batch or the retry.
        """
        base = batch_job_base(self._spec.name, self._version, name)
        for generation in count(1):
            job = self._hook.find_job(str(JobName(base, generation)))
            if job is None:
                return False
            status = self._hook.job_status(job)
            output = job.get("OutputDataConfig", {}).get("S3Uri", "")
            if status.phase is not Phase.FAILED and not (
                status == JobStatus.COMPLETED and is_gone(output, self._hook)
            ):
                return True
        raise AssertionError("count() does not end")

    @cached_property
    def _hook(self) -> ComprehendClassificationHook:
        return ComprehendClassificationHook(aws_conn_id=self._spec.aws_conn_id)

    def _answers(self, access: Access, batches: Sequence[str]) -> dict[str, bool]:
        """Return the batches of which there are answers of an endpoint, and whether there are all."""
        from nightsort.real_time.answers import StoredAnswers
        from nightsort.storage import names_below

        folder = self._spec.layout.run(self._run_key)
        there = set(names_below(folder.output, access))
        found = {}
        for batch in batches:
            answers = folder.answers(batch, self._version)
            if answers.removeprefix(folder.output) in there:
                stored = StoredAnswers(access, answers)
                complete = stored.is_complete()
                if complete or stored.read():
                    found[batch] = complete
        return found
