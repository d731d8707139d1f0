"""Decide whether a night goes through the classifier's open endpoint, instead of a job.

An endpoint is billed by the second, asked or not, so a small night costs nothing there. The endpoint is never
opened for a night. ``docs/adr/0046-a-small-night-takes-the-open-endpoint.md``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nightsort.naming import version_of
from nightsort.real_time.pace import unit_seconds
from nightsort.results.join import ENDPOINT, JOB
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nightsort.opening.plan import Endpoint

PATIENCE_SECONDS: Final = 60
"""How long the endpoint may refuse everything that a night asks: after that, a job is faster."""

JOB_SECONDS: Final = 480
"""What a job takes on AWS, however small it is: published ones took 360 to 480 s."""

_ANSWERS: Final = frozenset({"IN_SERVICE", "UPDATING"})


class Choice(NamedTuple):
    """How the texts of a night are sent.

    :param way: :data:`~nightsort.results.join.JOB` or :data:`~nightsort.results.join.ENDPOINT`.
    :param why: for the log and the row of the run.
    """

    way: str
    why: str


def choose(texts: int, size: int, below: int, endpoint: Endpoint | None, model_arn: str) -> Choice:
    """Choose how the texts of a night are sent.

    :param texts: how many are still to be sent, without those whose result is known.
    :param size: their bytes.
    :param below: ``batch.endpoint_below`` of the spec.
    :param endpoint: the classifier's endpoint; ``None``: there is none.
    :param model_arn: the classifier version of the run.
    """
    sent = number_of(texts, "text")
    if texts >= below:
        return Choice(JOB, f"{sent} to send, not fewer than batch.endpoint_below ({below:,})")
    if endpoint is None:
        return Choice(JOB, f"{sent} to send, but the endpoint is closed")
    if endpoint.status not in _ANSWERS:
        return Choice(JOB, f"{sent} to send, but the endpoint is {endpoint.status}")
    if endpoint.model_arn != model_arn:
        return Choice(
            JOB, f"{sent} to send, but the endpoint serves version {version_of(endpoint.model_arn)}"
        )
    if endpoint.desired_model_arn != model_arn:
        moves = version_of(endpoint.desired_model_arn)
        return Choice(JOB, f"{sent} to send, but the endpoint is being moved to version {moves}")
    seconds = unit_seconds(size, texts) / max(1, endpoint.units)
    takes = f"{_duration(seconds)} at the pace that AWS documents"
    if seconds > JOB_SECONDS:
        return Choice(JOB, f"{sent} to send, but the endpoint would take {takes}, longer than a job")
    return Choice(
        ENDPOINT,
        f"{sent} to send, fewer than batch.endpoint_below ({below:,}), and the endpoint is open: {takes}",
    )


def what_became(chosen: Choice, batches: Iterable[Mapping[str, Any]], notes: Iterable[str]) -> Choice:
    """Return how the texts of a night were really sent.

    :param chosen: what was chosen.
    :param batches: those that were to go through the endpoint and are loaded, as the run's row has them.
    :param notes: what the tasks that sent them said of the endpoint.
    """
    if chosen.way == JOB:
        return chosen
    sources = {batch.get("source", JOB) for batch in batches}
    said = list(dict.fromkeys(notes))
    if sources and ENDPOINT not in sources:
        said = said or ["it did not answer when it was asked, so a job was started"]
    way = ENDPOINT if ENDPOINT in sources or not sources else JOB
    return Choice(way, "; ".join((chosen.why, *said)))


def _duration(seconds: float) -> str:
    if seconds <= 2 * 60:
        return f"about {number_of(math.ceil(seconds), 'second')}"
    return f"about {number_of(math.ceil(seconds / 60), 'minute')}"
