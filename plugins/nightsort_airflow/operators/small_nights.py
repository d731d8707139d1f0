"""How the batches of a night are sent: as jobs, or through the classifier's open endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nightsort.batches.plan import Batch
    from nightsort.batches.prepare import PreparedBatches
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.comprehend.prices import Forecast
    from nightsort.real_time.small_nights import Choice
    from nightsort_airflow.earlier_work import EarlierWork


@dataclass(frozen=True)
class Sending:
    """
    How the batches of a night are sent.

    :param chosen: what was chosen; None: the spec has no ``batch.endpoint_below``, or nothing is to be sent.
    :param forecast: of what jobs are billed for.
    :param as_jobs: the forecast if all of it were sent as jobs.
    :param through_endpoint: names of the batches that go through the endpoint, or went through it before.
    """

    chosen: Choice | None
    forecast: Forecast
    as_jobs: Forecast
    through_endpoint: frozenset[str]

    @property
    def way(self) -> dict[str, str] | None:
        """The columns ``way`` and ``way_why`` of the run's row."""
        return {"way": self.chosen.way, "way_why": self.chosen.why} if self.chosen else None

    def __str__(self) -> str:
        from nightsort.comprehend.prices import usd_text
        from nightsort.results.join import ENDPOINT

        if self.chosen is None:
            return str(self.forecast)
        if self.chosen.way != ENDPOINT:
            return f"{self.forecast} Sent as jobs: {self.chosen.why}."
        of_jobs = f" {self.forecast}" if self.forecast.documents else ""
        instead = usd_text(round(self.as_jobs.usd - self.forecast.usd, 4))
        return f"Sent through the endpoint, for 0.00 USD instead of {instead}: {self.chosen.why}.{of_jobs}"

    def endpoint_of(self, spec: ClassifierSpec, run: Mapping[str, Any], batch: Batch) -> dict[str, Any]:
        """
        Return the part of the argument ``job`` about the endpoint; nothing for a batch that is sent as a job.

        :param spec: the classifier spec.
        :param run: the XCom ``run`` of the operator that prepares the batches.
        :param batch: the batch.
        """
        from nightsort_airflow.hooks.endpoint_service import EndpointService

        if batch.name not in self.through_endpoint:
            return {}
        endpoint = {
            "endpoint_arn": EndpointService(spec).arn,
            "batch": batch.to_dict(),
            "folder": spec.layout.run(run["run_key"]).answers(batch.name, run["version"]),
            "job_usd": self._job_usd(spec.budget.run_usd, batch),
        }
        return {"endpoint": endpoint}

    def _job_usd(self, budget: float | None, batch: Batch) -> float | None:
        """Return what a job may cost for texts of a batch without an answer; None: no limit."""
        from nightsort.comprehend.prices import classification_cost
        from nightsort.results.join import ENDPOINT

        # Where a job was chosen, the budget has allowed its price, or a person will be asked.
        if budget is None or self.chosen is None or self.chosen.way != ENDPOINT:
            return None
        others = self.as_jobs.usd - classification_cost(batch.units)
        return round(budget - others, 4)


def sending(spec: ClassifierSpec, model_arn: str, prepared: PreparedBatches, earlier: EarlierWork) -> Sending:
    """
    Choose how the batches of a night are sent, and forecast what that costs. Asks AWS about the endpoint.

    :param spec: the classifier spec.
    :param model_arn: the classifier version of the run.
    :param prepared: the batches.
    :param earlier: what earlier runs have done.
    """
    from nightsort.real_time.small_nights import choose
    from nightsort.results.join import ENDPOINT
    from nightsort_airflow.hooks.endpoint_service import EndpointService

    answered = {name for name, complete in earlier.answered.items() if complete}
    of_jobs = earlier.started - earlier.answered.keys()
    left = [batch for batch in prepared.batches if batch.documents and batch.name not in answered | of_jobs]
    chosen, below = None, spec.batch.endpoint_below
    texts, size = sum(batch.lines for batch in left), sum(batch.bytes for batch in left)
    if below is not None and texts:
        seen = EndpointService(spec).look() if texts < below else None
        chosen = choose(texts, size, below, seen.endpoint if seen else None, model_arn)
    now = {batch.name for batch in left} if chosen and chosen.way == ENDPOINT else set[str]()
    paid = sum(batch.units for batch in prepared.batches if batch.name in of_jobs)

    def forecast(free: set[str]) -> Forecast:
        return _forecast(prepared, [batch for batch in prepared.batches if batch.name not in free], paid)

    through_endpoint = frozenset(now | earlier.answered.keys())
    return Sending(chosen, forecast(answered | now), forecast(answered), through_endpoint)


def _forecast(prepared: PreparedBatches, billed: Sequence[Batch], paid_units: int) -> Forecast:
    from nightsort.comprehend.prices import forecast_classification

    return forecast_classification(
        sum(batch.lines for batch in billed),
        sum(batch.units for batch in billed),
        paid_units=paid_units,
        repeated=prepared.repeated,
        reused=prepared.reused,
        saved_units=prepared.saved_units,
    )


def way_of_run(
    run: Mapping[str, Any],
    mapped: Iterable[Mapping[str, Any]],
    loaded: Mapping[str, Mapping[str, Any]],
    notes: Iterable[str],
) -> dict[str, str] | None:
    """
    Return the columns ``way`` and ``way_why`` once a run is loaded; None: nothing was chosen.

    :param run: the XCom ``run`` of the operator that prepares the batches.
    :param mapped: its return value.
    :param loaded: what the run loaded, by batch.
    :param notes: what the tasks that sent the batches said of the endpoint.
    """
    from nightsort.real_time.small_nights import Choice, what_became

    if not run.get("way"):
        return None
    names = [each["batch"]["name"] for each in mapped if "endpoint" in each["job"]]
    became = what_became(
        Choice(run["way"], run["way_why"]), [loaded[name] for name in names if name in loaded], notes
    )
    return {"way": became.way, "way_why": became.why}
