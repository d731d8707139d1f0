"""What work costs on AWS: an exact price for classification, a range for training.

Prices are those of :mod:`nightsort.comprehend.limits` (us-east-1, list price), without storage, requests to
S3 and discounts.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from nightsort.comprehend.limits import (
    ENDPOINT_UNIT_USD,
    MIN_ENDPOINT_SECONDS,
    MIN_UNITS,
    MODEL_USD_PER_MONTH,
    TRAINING_USD_PER_HOUR,
    UNIT_CHARACTERS,
    UNIT_USD,
)
from nightsort.errors import NightsortError
from nightsort.wording import number_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from nightsort.arrow.columns import Column

SHORTEST_TRAINING_HOURS = 0.5
"""A training of a few thousand documents took 33 to 40 minutes in all published runs (AWS CLI example,
Terraform acceptance tests, AWS samples); a million took 28 minutes in 2019."""

LONGEST_TRAINING_HOURS = (0.75, 20.0)
"""Hours for a few and for a million documents; the latter took 19 h 28 min in 2020 (notebook by an AWS
architect, hervenivon/aws-experiments-comprehend-custom-classifier)."""


class OverBudgetError(NightsortError):
    """A forecast above the spec's budget. The message has the numbers and what to do."""


@dataclass(frozen=True)
class Forecast:
    """What the classification of some documents will cost.

    :param documents: documents to send.
    :param units: billed units: 100 characters each, at least 3 per document.
    :param usd: price of the units.
    :param paid_usd: the part of it that is already paid, for batches whose jobs were started.
    :param repeated: further documents, which are not sent because one with the same text is.
    :param reused: further documents, which are not sent because an earlier run classified their texts.
    :param saved_usd: what both would have cost.
    """

    documents: int
    units: int
    usd: float
    paid_usd: float = 0.0
    repeated: int = 0
    reused: int = 0
    saved_usd: float = 0.0

    @property
    def least_usd(self) -> float:
        """The lower end, which is the exact price."""
        return self.usd

    @property
    def most_usd(self) -> float:
        """What is compared with the budget."""
        return self.usd

    @property
    def costs_more(self) -> bool:
        """Whether something remains to be paid."""
        return self.usd > self.paid_usd

    def __str__(self) -> str:
        saved = self._saved()
        if not self.documents:
            return f"Nothing to {'send' if saved else 'classify'}: 0.00 USD.{saved}"
        left = usd_text(max(0.0, round(self.usd - self.paid_usd, 4)))
        paid = f" Already paid: {usd_text(self.paid_usd)}; still to pay: {left}." if self.paid_usd else ""
        return (
            f"{number_of(self.documents, 'document')} = {number_of(self.units, 'unit')} of {UNIT_CHARACTERS} "
            f"characters, at least {MIN_UNITS} per document, at {UNIT_USD} USD each = "
            f"{usd_text(self.usd)}.{paid}{saved}"
        )

    def _saved(self) -> str:
        """Return a sentence about what is not sent, with a space before it; empty if all is sent."""
        texts = " or ".join(
            what
            for what, number in (
                ("the same texts", self.repeated),
                ("texts that were classified before", self.reused),
            )
            if number
        )
        if not texts:
            return ""
        others = number_of(self.repeated + self.reused, "further document")
        return f" {others} with {texts} cost nothing: {usd_text(self.saved_usd)} saved."

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return asdict(self)


@dataclass(frozen=True)
class TrainingForecast:
    """What a training will cost. AWS bills its time, which is not known before.

    :param documents: training and test documents.
    :param hours: shortest and longest time of published trainings of this size.
    :param usd: their prices.
    :param scoring_usd: the exact price if the active version must classify the test documents too.
    """

    documents: int
    hours: tuple[float, float]
    usd: tuple[float, float]
    scoring_usd: float = 0.0

    @property
    def least_usd(self) -> float:
        """The lower end, without the scoring."""
        return self.usd[0]

    @property
    def most_usd(self) -> float:
        """What is compared with the budget: the upper end plus the scoring."""
        return round(self.usd[1] + self.scoring_usd, 4)

    @property
    def costs_more(self) -> bool:
        """Whether something remains to be paid: always, for a training."""
        return True

    def __str__(self) -> str:
        low, high = self.hours
        scoring = (
            f" Scoring the active version on the same test documents may cost {usd_text(self.scoring_usd)} "
            f"more: at most {usd_text(self.most_usd)} in all."
            if self.scoring_usd
            else ""
        )
        return (
            f"Estimate for {number_of(self.documents, 'document')}: {low:.1f} to {high:.1f} h of training at "
            f"{TRAINING_USD_PER_HOUR:.2f} USD/h = {usd_text(self.usd[0])} to {usd_text(self.usd[1])} (from "
            f"published trainings).{scoring} "
            f"Keeping the version costs {usd_text(MODEL_USD_PER_MONTH)} a month."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return asdict(self)


def document_units(texts: Column) -> npt.NDArray[np.int64]:
    """Return the billed units of each document.

    :param texts: a column of strings.
    """
    return units_of(np.asarray(pc.utf8_length(texts)))


def units_of(characters: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the billed units of documents of these lengths.

    :param characters: whole numbers.
    """
    return np.maximum(MIN_UNITS, -(-characters.astype(np.int64) // UNIT_CHARACTERS))


def classification_cost(units: int) -> float:
    """Return the price of classification jobs, in USD, to a hundredth of a cent.

    :param units: billed units of all their documents.
    """
    return round(units * UNIT_USD, 4)


def training_cost(seconds: float) -> float:
    """Return the price of a training, in USD, to a hundredth of a cent.

    :param seconds: from TrainingStartTime to TrainingEndTime.
    """
    return round(seconds / 3600 * TRAINING_USD_PER_HOUR, 4)


def endpoint_cost(seconds: float, units: int) -> float:
    """Return the price of an endpoint, in USD, to a hundredth of a cent.

    :param seconds: from its start until it was deleted, whether it was used or not.
    :param units: its inference units.
    """
    return round(max(math.ceil(seconds), MIN_ENDPOINT_SECONDS) * units * ENDPOINT_UNIT_USD, 4)


def forecast_classification(
    documents: int,
    units: int,
    *,
    paid_units: int = 0,
    repeated: int = 0,
    reused: int = 0,
    saved_units: int = 0,
) -> Forecast:
    """Forecast jobs over documents whose units are counted. The forecast is exact.

    :param documents: documents to send.
    :param units: their billed units.
    :param paid_units: how many of the units are already paid.
    :param repeated: further documents, which are not sent because one with the same text is.
    :param reused: further documents, which are not sent because an earlier run classified their texts.
    :param saved_units: units that both would have cost.
    """
    return Forecast(
        documents,
        units,
        classification_cost(units),
        paid_usd=classification_cost(paid_units),
        repeated=repeated,
        reused=reused,
        saved_usd=classification_cost(saved_units),
    )


def forecast_training(documents: int, test_units: int = 0) -> TrainingForecast:
    """Forecast a training, as a range.

    :param documents: training and test documents.
    :param test_units: billed units of the test documents, if the active version may classify them.
    """
    few, million = LONGEST_TRAINING_HOURS
    hours = (SHORTEST_TRAINING_HOURS, few + (million - few) * min(documents, 1_000_000) / 1_000_000)
    return TrainingForecast(
        documents,
        hours,
        (training_cost(hours[0] * 3600), training_cost(hours[1] * 3600)),
        classification_cost(test_units),
    )


def check_budget(forecast: Forecast | TrainingForecast, budget_usd: float | None) -> None:
    """Check that a forecast is within the budget.

    :param forecast: of a night or of a training.
    :param budget_usd: the spec's ``budget.run_usd`` or ``budget.training_usd``; ``None``: no limit.
    :raises OverBudgetError: the forecast is above the budget, and something remains to be paid.
    """
    if not _allows(forecast, budget_usd):
        what = _budget_of(forecast)
        raise OverBudgetError(
            f"{forecast} This is above the budget of {usd_text(budget_usd or 0)} per {what}. Raise "
            f"budget.{what}_usd in the spec, or choose a source with fewer documents"
        )


def budget_text(forecast: Forecast | TrainingForecast, budget_usd: float | None) -> str:
    """Return a sentence that names the budget and whether it allows what is forecast.

    :param forecast: of a night or of a training.
    :param budget_usd: as for :func:`check_budget`.
    :returns: the sentence.
    """
    what = _budget_of(forecast)
    if budget_usd is None:
        return f"No budget limits a {what} (budget.{what}_usd is null)."
    verdict = "allows it" if _allows(forecast, budget_usd) else "does not allow it"
    return f"The budget of {usd_text(budget_usd)} per {what} (budget.{what}_usd) {verdict}."


def _allows(forecast: Forecast | TrainingForecast, budget_usd: float | None) -> bool:
    return budget_usd is None or not forecast.costs_more or forecast.most_usd <= budget_usd


def _budget_of(forecast: Forecast | TrainingForecast) -> str:
    return "run" if isinstance(forecast, Forecast) else "training"


def usd_text(usd: float) -> str:
    """Return an amount in cents, or in hundredths of a cent below 0.1 USD."""
    return f"{usd:,.4f} USD" if 0 < usd < 0.1 else f"{usd:,.2f} USD"
