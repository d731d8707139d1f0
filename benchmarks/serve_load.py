"""``nightsort serve`` under more requests than its endpoints can do, and its latency over the endpoint's own.

``python -m benchmarks.serve_load --seconds 600``. All runs at once: the endpoints, on one local AWS with
AWS's rate limits, with 1 and with 4 inference units, and a service for each. Clients send twice the pace;
each request is answered, or refused with ``Retry-After``; of one that is neither, the table has the client's
error and how far the request came. What the endpoint counted (CloudWatch) shows whether a text was classified
twice. The latencies are taken by turns, without rate limits, afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from psycopg.conninfo import make_conninfo

from benchmarks.postgres_server import postgres
from tests.integration.local_aws_server import LocalAwsServer, local_aws
from tests.integration.serve_world import ServeWorld

if TYPE_CHECKING:
    from tests.integration.serve_world import RunningService

TEXT = "a refund of my payment"
DOCUMENTS_PER_SECOND = 2
"""Of one unit."""
LATENCIES = 150


@dataclass
class Load:
    """What the clients of one service saw."""

    units: int
    statuses: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    without_retry_after: int = 0
    waited: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, client: httpx.Client, number: int) -> None:
        """Send one request."""
        began = time.monotonic()
        steps: list[str] = []
        trace = {"trace": lambda step, _: steps.append(step)}
        try:
            answer = client.post("/classify", json={"text": f"{TEXT} {number}"}, extensions=trace)
        except httpx.TransportError as error:
            connection = "new" if any("connect_tcp" in step for step in steps) else "used"
            failed = next((step for step in reversed(steps) if step.endswith(".failed")), "no step")
            with self.lock:
                self.errors[f"{type(error).__name__} at {failed} on a {connection} connection"] += 1
            return
        with self.lock:
            self.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                self.answered[number] += len(answer.json()["results"])
                self.waited.append(time.monotonic() - began)
            elif int(answer.headers.get("Retry-After", 0)) < 1:
                self.without_retry_after += 1


def load(service: RunningService, units: int, seconds: float) -> tuple[Load, int]:
    """Send twice the pace for some seconds; return what was seen, and how many requests there were."""
    seen, began = Load(units), time.monotonic()
    sent: list[Future[None]] = []
    interval = 1 / (2 * DOCUMENTS_PER_SECOND * units)
    with service.client() as client, ThreadPoolExecutor(64 * units) as threads:
        while time.monotonic() - began < seconds:
            sent.append(threads.submit(seen.ask, client, len(sent)))
            time.sleep(max(0.0, began + len(sent) * interval - time.monotonic()))
        for request in sent:
            request.result()
    return seen, len(sent)


def classified(aws: LocalAwsServer, arn: str) -> int:
    """How many texts the endpoint has classified, as CloudWatch counts them."""
    now = datetime.now(timezone.utc)
    metric = {
        "Namespace": "AWS/Comprehend",
        "MetricName": "ConsumedInferenceUnits",
        "Dimensions": [{"Name": "EndpointArn", "Value": arn}],
    }
    stat = {"Metric": metric, "Period": 60, "Stat": "SampleCount"}
    answer = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "all", "MetricStat": stat}],
        StartTime=now - timedelta(hours=2), EndTime=now + timedelta(minutes=1),
    )  # fmt: skip
    return int(sum(answer["MetricDataResults"][0]["Values"]))


def latencies(service: RunningService, aws: LocalAwsServer, arn: str, units: int) -> dict[str, list[float]]:
    """Milliseconds of the endpoint and of the service, by turns, never faster than the pace."""
    found: dict[str, list[float]] = {"endpoint": [], "service": []}
    comprehend = aws.client("comprehend")
    with service.client() as client:
        for _ in range(LATENCIES):
            began = time.perf_counter()
            comprehend.classify_document(EndpointArn=arn, Text=TEXT)
            found["endpoint"].append((time.perf_counter() - began) * 1_000)
            began = time.perf_counter()
            assert client.post("/classify", json={"text": TEXT}).status_code == 200
            found["service"].append((time.perf_counter() - began) * 1_000)
            time.sleep(1.1 / (DOCUMENTS_PER_SECOND * units))
    return found


def report(units: int, seen: Load, sent: int, counted: int, times: dict[str, list[float]]) -> str:
    """One row of the table."""
    taken, refused = seen.statuses[200], seen.statuses[429]
    others = sum(seen.statuses.values()) - taken - refused
    endpoint, service = (statistics.median(times[name]) for name in ("endpoint", "service"))
    errors = (f"{count} {error}" for error, count in seen.errors.items())
    lost = ", ".join([str(sent - sum(seen.statuses.values())), *errors])
    cells = [
        units, sent, taken, refused, seen.without_retry_after, others, lost,
        sum(seen.answered.values()) - len(seen.answered), counted, f"{max(seen.waited):.1f}",
        f"{endpoint:.1f}", f"{service:.1f}", f"{service - endpoint:+.1f}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def run(seconds: float, all_units: list[int]) -> list[str]:
    """Run everything; return the rows of the table."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="serve-"))
        database = stack.enter_context(postgres(Path(folder)))
        aws = stack.enter_context(local_aws())
        dsn = make_conninfo(host=database["PGHOST"], user=database["PGUSER"], dbname=database["PGDATABASE"])
        rows: dict[int, str] = {}

        def one(units: int) -> None:
            world = ServeWorld(aws, dsn, Path(folder) / f"units-{units}", f"served-{units}", "MULTI_CLASS")
            world.folder.mkdir()
            world.write_spec()
            arn = world.open(world.train("v1"), units)
            with world.serving() as service:
                ready.wait()
                seen, sent = load(service, units, seconds)
                counted = classified(aws, arn)
                ended.wait()
                rows[units] = report(units, seen, sent, counted, latencies(service, aws, arn, units))
            world.close(arn)

        def limit(*, on: bool) -> None:
            aws.control.set_behaviour(rate_limits=on)

        ready = threading.Barrier(len(all_units), partial(limit, on=True))
        ended = threading.Barrier(len(all_units), partial(limit, on=False))
        with ThreadPoolExecutor(len(all_units)) as threads:
            for done in [threads.submit(one, units) for units in all_units]:
                done.result()
    return [rows[units] for units in all_units]


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--units", type=int, nargs="+", default=[1, 4])
    given: Any = parser.parse_args(arguments)
    began = os.getloadavg()[0]
    rows = run(given.seconds, given.units)
    loads = f"load {began:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    print(f"{given.seconds:.0f} s of requests; {loads}\n")
    print("| units | requests | 200 | 429 | of these without Retry-After | other | lost | answered twice | "
          "classified by the endpoint | s, longest |  endpoint ms | service ms | added ms |")  # fmt: skip
    print("|--:|" + "--:|" * 12)
    print("\n".join(rows))


if __name__ == "__main__":
    main()
