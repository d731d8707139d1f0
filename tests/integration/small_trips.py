"""A trip whose classifier has an endpoint and small nights, and what happens to it at a request."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import Trip, make_trip

# isort: split
from nightsort.classifier_spec.model import BatchLimits
from nightsort.classifier_spec.real_time import RealTime
from nightsort.tables.versions import active_version
from nightsort_airflow.hooks.endpoint_client import EndpointClient
from nightsort_airflow.hooks.endpoint_service import EndpointService
from tests.integration.local_aws_server import wait_until
from tests.integration.recounted import check_statistics
from tests.made_texts import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.local_aws_server import LocalAwsServer

BELOW = 50
ALWAYS = RealTime.model_validate({"hours": "always", "budget_usd_day": None, "idle_minutes": None})
UNITS = 3


class SmallTrip(Trip):
    """A trip whose classifier has an endpoint and small nights."""

    def set(self, **keys: Any) -> None:
        self.spec = self.spec.model_copy(update=keys)

    @property
    def service(self) -> EndpointService:
        return EndpointService(self.spec)

    def label(self, documents: int) -> None:
        if self.spec.mode == "MULTI_CLASS":
            return super().label(documents)
        rows = [
            {"label": f"{first}|{second}", "text": f"{WORDS[first]} {WORDS[second]} {number}"}
            for number in range(documents)
            for first, second in combinations(WORDS, 2)
        ]
        self.put("labelled/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return None

    def open(self, model_arn: str | None = None) -> None:
        service = self.service
        service.open(model_arn or self.active(), 10)
        wait_until(
            lambda: (seen := service.look()) is not None and seen.endpoint.status == "IN_SERVICE",
            "it is open",
        )

    def close(self) -> None:
        service = self.service
        wait_until(service.close, "it can be closed")
        wait_until(lambda: service.look() is None, "it is closed")

    def active(self) -> str:
        with psycopg.connect(self.dsn) as connection:
            found = active_version(connection, self.spec.name)
        assert found is not None
        return found.arn

    def classifying_jobs(self) -> list[str]:
        return [name for name in self.jobs() if "-score-" not in name]

    def row(self) -> dict[str, Any]:
        ((row,),) = self.query("SELECT to_jsonb(run) FROM nightsort.classification_runs AS run")
        found: dict[str, Any] = row
        return found

    def sources(self) -> dict[str, int]:
        return dict(
            self.query(
                "SELECT source, count(*) FROM nightsort.predictions WHERE source IS NOT NULL GROUP BY source"
            )
        )

    def labelled(self) -> list[tuple[Any, ...]]:
        return self.query(
            "SELECT document_id, label, labels, accepted, score FROM nightsort.predictions"
            " WHERE status = 'classified' ORDER BY 1"
        )


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[SmallTrip]:
    monkeypatch.setattr("nightsort.real_time.classify.STORED_TOGETHER", 10)
    made = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip = SmallTrip(made.aws, made.dsn, made.spec)
    if getattr(request, "param", None) == "MULTI_LABEL":
        trip.set(mode="MULTI_LABEL", label_delimiter="|")
    trip.set(real_time=ALWAYS, batch=BatchLimits(max_documents=20, endpoint_below=BELOW))
    trip.label(40)
    trip.train()
    yield trip
    if trip.service.look() is not None:
        trip.close()
    with psycopg.connect(trip.dsn) as connection:
        for (run_key,) in trip.query("SELECT run_key FROM nightsort.run_statistics"):
            check_statistics(connection, run_key, trip.spec.name)


class DeathError(BaseException):
    """The end of a process."""


def at_request(
    monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None], *, of: str = "classify"
) -> list[int]:
    """Do something before this request to the endpoint; return what counts the requests."""
    real, asked = getattr(EndpointClient, of), [0]

    def watched(client: EndpointClient, *arguments: Any) -> Any:
        asked[0] += 1
        if asked[0] == number:
            act()
        return real(client, *arguments)

    monkeypatch.setattr(EndpointClient, of, watched)
    return asked


def dies() -> None:
    raise DeathError
