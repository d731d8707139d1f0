"""The operator that sends failed documents again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nightsort_airflow.comprehend_requests import batch_job
from nightsort_airflow.earlier_work import EarlierWork
from nightsort_airflow.operators.spec_operator import SpecOperator
from nightsort_airflow.run_xcoms import PREPARED_KEY, RUN_KEY, approval, pulled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context


class PrepareRetriesOperator(SpecOperator):
    """
    Write the documents that failed for a curable reason as input of jobs of their own, one for each batch.

    A run sends the failed documents of a batch again once: by itself with ``quality.retry_failed``, otherwise
    only when the day is run again. What an endpoint did not classify, and a job can, is sent in any case. The
    outputs of the jobs decide which documents these are, so the task,
    done again, prepares the same retries under the same names. If they would bring the run above
    ``budget.run_usd``, and above what a person approved, nothing is sent again, and a warning says so.

    The return value is a list with one dict per retry, the arguments of the mapped task group, as from
    :class:`~nightsort_airflow.operators.classification.PrepareBatchesOperator`. ``batch`` is the batch as it
    was loaded, with ``job`` (of its first output) and ``retry`` (what is sent again).

    :param spec: The classifier spec.
    :param prepare_task_id: The task of
        :class:`~nightsort_airflow.operators.classification.PrepareBatchesOperator`.
    :param load_task_id: The mapped task of
        :class:`~nightsort_airflow.operators.classification.LoadPredictionsOperator`.
    :param approve_task_id: The task that asks a person about the cost. (default: None: there is none)
    """

    def __init__(
        self, *, prepare_task_id: str, load_task_id: str, approve_task_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.prepare_task_id = prepare_task_id
        self.load_task_id = load_task_id
        self.approve_task_id = approve_task_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Write what is sent again; return one dict per retry."""
        from nightsort.results.join import ENDPOINT

        (run,) = pulled(context, [self.prepare_task_id], RUN_KEY)
        (mapped,) = pulled(context, [self.prepare_task_id])
        batches = {each["batch"]["name"]: each["batch"] for each in mapped}
        prepared = []
        unbilled = 0
        with self.fail_on_input_errors(f"send failed documents of run {run['run_key']} again"):
            for load in pulled(context, [self.load_task_id]):
                batch = batches[load["batch"]]
                unbilled += batch["units"] if load["job"].get("source") == ENDPOINT else 0
                if retry := self._retry(run, batch, load):
                    prepared.append({**batch, "job": load["job"], "retry": retry})
            if prepared and not self._within_budget(context, batches.values(), prepared, unbilled):
                return []
        self.written_to = self.spec.layout.run(run["run_key"]).uri
        self.written_rows = sum(batch["retry"]["documents"] for batch in prepared)
        return [{"batch": batch, "job": batch_job(self.spec, run, batch["retry"])} for batch in prepared]

    def _retry(
        self, run: dict[str, Any], mapped: dict[str, Any], load: dict[str, Any]
    ) -> dict[str, Any] | None:
        from nightsort.batches.plan import Batch
        from nightsort.results.curable import CURABLE, NEEDS_A_JOB
        from nightsort.results.join import ENDPOINT
        from nightsort.results.retry import JobOutput, line_results, prepare_retry

        reasons = set(CURABLE) if mapped["again"] else set[str]()
        if load["job"].get("source") == ENDPOINT and not load["retries"]:
            reasons |= NEEDS_A_JOB.keys()
        if reasons.isdisjoint(load["reasons"]):
            return None
        batch = Batch.from_dict(mapped)
        folder = self.spec.layout.run(run["run_key"])
        first, *again = (
            JobOutput.of(folder, self.access, of)
            for of in ({**load["job"], "name": batch.name}, *load["retries"])
        )
        retry = prepare_retry(
            self.spec,
            self.access,
            run_key=run["run_key"],
            batch=batch,
            results=line_results(self.spec, first, again),
            attempt=len(again) + 1,
            reasons=reasons,
            started=EarlierWork(self.spec, run["run_key"], run["version"]).has_job,
        )
        return asdict(retry) if retry else None

    def _within_budget(
        self,
        context: Context,
        batches: Iterable[dict[str, Any]],
        prepared: list[dict[str, Any]],
        unbilled: int = 0,
    ) -> bool:
        """Whether the run with all its retries costs no more than the budget, or than a person approved.

        Units that an endpoint classified are not billed.
        """
        from nightsort.comprehend.prices import classification_cost, usd_text

        budget = self.spec.budget.run_usd
        if budget is None:
            return True
        (night,) = pulled(context, [self.prepare_task_id], PREPARED_KEY)
        earlier = (retry for batch in batches for retry in batch["retries"])
        retries = (*earlier, *(batch["retry"] for batch in prepared))
        units = night["units"] - unbilled + sum(retry["units"] for retry in retries)
        cost = classification_cost(units)
        if cost <= max(budget, approval(context, self.approve_task_id).get("approved_usd") or 0.0):
            return True
        self.log.warning(
            "Failed documents are not sent again: the run would cost %s, more than budget.run_usd (%s). "
            "Raise the budget and run the day again",
            usd_text(cost),
            usd_text(budget),
        )
        return False
