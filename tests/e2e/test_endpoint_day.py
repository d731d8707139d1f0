"""An endpoint's day on a real Airflow, as a user sees it: opened, asked, moved, and closed in each way."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nightsort.naming import CLASSIFIER_TAG, endpoint_name
from nightsort.tables.schema import ensure_schema
from nightsort.tables.versions import ClassifierVersion, promote, record_version
from nightsort_local import postgres
from nightsort_local.stack import LocalStack
from tests.e2e.test_crash_stack import BUCKET, ROLE, Airflow, client, wait_until
from tests.made_texts import WORDS, nightly_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Told = Callable[[str, object], None]

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1_800)]

ASKED, HOURS, BUDGET, FORGOTTEN = "asked", "hours", "budget", "forgotten"
TOKEN = "the-token-of-the-tests-which-nobody-guesses"  # noqa: S105
BUDGET_USD = 0.04
MINUTES_OPEN = 4


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def write_spec(folder: Path, name: str, **real_time: Any) -> None:
    values = {"idle_minutes": None, "budget_usd_day": None, **real_time}
    text = nightly_spec(name, BUCKET, ROLE) + f"real_time: {json.dumps(values)}\n"
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def specs(make_home: Callable[[str], Path]) -> Path:
    """A classifier for each way in which a day ends."""
    folder = make_home("day-specs")
    folder.mkdir()
    later = datetime.now(timezone.utc) + timedelta(hours=6)
    write_spec(folder, ASKED, hours="always")
    # Of a minute, so that the budget is not less than what the hours cost; a person opens it for longer.
    write_spec(
        folder,
        BUDGET,
        hours=f"{clock(later)}-{clock(later + timedelta(minutes=1))}",
        budget_usd_day=BUDGET_USD,
    )
    return folder


@pytest.fixture(scope="module")
def whole_stack(make_home: Callable[[str], Path], specs: Path) -> Iterator[LocalStack]:
    """A stack that starts runs by schedules and promotions, as every other Airflow does."""
    stack = LocalStack(make_home("day"), [specs], first_slot=70, schedules=True)
    stack.up()
    yield stack
    stack.remove()


class Day(Airflow):
    """The stack, its endpoints and what is written down of them."""

    def endpoint(self, name: str) -> dict[str, Any] | None:
        found = client(self.stack, "comprehend").list_endpoints()["EndpointPropertiesList"]
        ours = [each for each in found if each["EndpointArn"].endswith(f"/{endpoint_name(name)}")]
        return ours[0] if ours else None

    def status(self, name: str) -> str | None:
        found = self.endpoint(name)
        return None if found is None else str(found["Status"])

    def openings(self, name: str) -> list[tuple[Any, ...]]:
        return self.query(
            "SELECT opened_why, closing_why, seconds, cost_usd::float8, jsonb_array_length(changes)"
            " FROM nightsort.endpoint_hours WHERE classifier = %s ORDER BY opened_at",
            name,
        )

    def runs(self, dag_id: str) -> list[tuple[str, str]]:
        rows = self.query(
            "SELECT run_type, state FROM dag_run WHERE dag_id = %s ORDER BY id", dag_id, database="airflow"
        )
        return [(str(kind), str(state)) for kind, state in rows]

    def wait_until_closed(self, name: str) -> None:
        wait_until(lambda: self.status(name) is None, f"{name} closed")
        dag_id = f"serve_{name}"
        wait_until(lambda: {state for _, state in self.runs(dag_id)} == {"success"}, f"{dag_id} ended")

    def open_by_hand(self, name: str, **conf: object) -> None:
        self.ask("PATCH", f"/dags/serve_{name}", {"is_paused": False})
        self.ask("POST", f"/dags/serve_{name}/dagRuns", {"logical_date": None, "conf": conf})

    def nightsort(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nightsort", *arguments],
            env=self.stack.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def train(self, name: str, version: str) -> None:
        """Train a version without a DAG, and write it down."""
        comprehend = client(self.stack, "comprehend")
        rows = [f"{label},{words} {n}\n" for n in range(15) for label, words in WORDS.items()]
        client(self.stack, "s3").put_object(Bucket=BUCKET, Key=f"{name}.csv", Body="".join(rows).encode())
        arn = comprehend.create_document_classifier(
            DocumentClassifierName=name,
            VersionName=version,
            DataAccessRoleArn=ROLE,
            LanguageCode="en",
            InputDataConfig={"S3Uri": f"s3://{BUCKET}/{name}.csv"},
        )["DocumentClassifierArn"]

        def trained() -> bool:
            found = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
            return bool(found["DocumentClassifierProperties"]["Status"] == "TRAINED")

        wait_until(trained, arn)
        with postgres.connect(self.stack.home, "nightsort") as connection:
            record_version(connection, ClassifierVersion(name, version, arn, "MULTI_CLASS", "en", "TRAINED"))

    def promote(self, name: str, version: str) -> None:
        """Make a version the active one, and have Airflow know, as the last task of a training does."""
        with postgres.connect(self.stack.home, "nightsort") as connection:
            promote(connection, classifier=name, version=version)
        assets = self.ask("GET", f"/assets?name_pattern={name}/active-version")["assets"]
        self.ask("POST", "/assets/events", {"asset_id": assets[0]["id"], "extra": {}})


@pytest.fixture(scope="module")
def day(whole_stack: LocalStack, specs: Path) -> Day:
    """A stack where each classifier has a version, and the one of the budget is open since."""
    found = Day(whole_stack)
    client(whole_stack, "s3").create_bucket(Bucket=BUCKET)
    # Tables are made by the first task; the doctor's page needs none.
    with postgres.connect(whole_stack.home, "nightsort") as connection:
        ensure_schema(connection)
    for name in (ASKED, BUDGET, HOURS):
        found.train(name, "v1")
        with postgres.connect(whole_stack.home, "nightsort") as connection:
            promote(connection, classifier=name, version="v1")
    names = {f"serve_{name}" for name in (ASKED, BUDGET)}
    wait_until(
        lambda: names <= {dag["dag_id"] for dag in found.ask("GET", "/dags?limit=100")["dags"]}, "DAGs"
    )
    found.open_by_hand(BUDGET, open_hours=1)
    return found


@pytest.fixture(scope="module")
def hours(day: Day, specs: Path) -> datetime:
    """The moment at which the hours of a classifier end that has just got them."""
    end = (datetime.now(timezone.utc) + timedelta(minutes=MINUTES_OPEN)).replace(second=0, microsecond=0)
    write_spec(specs, HOURS, hours=f"{clock(end - timedelta(minutes=30))}-{clock(end)}")
    wait_until(
        lambda: f"serve_{HOURS}" in {dag["dag_id"] for dag in day.ask("GET", "/dags?limit=100")["dags"]},
        "the DAG of the hours",
    )
    day.ask("PATCH", f"/dags/serve_{HOURS}", {"is_paused": False})
    return end


@contextmanager
def serving(day: Day, port: int) -> Iterator[httpx.Client]:
    """``nightsort serve`` for the classifier, with a client that has the token."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nightsort", "serve", ASKED, "--port", str(port)],
        env={**day.stack.environment(), "NIGHTSORT_SERVE_TOKEN": TOKEN},
    )
    http = httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        trust_env=False,
        timeout=240,
    )

    def answers() -> bool:
        assert process.poll() is None
        try:
            return http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "the service")
        yield http
    finally:
        process.terminate()
        process.wait(timeout=240)


def test_a_version_is_promoted_while_requests_run(
    day: Day, hours: datetime, told: Told, free_port: int
) -> None:
    """Opened by its schedule, asked from the shell and over HTTP, moved by a promotion, closed by hand."""
    day.ask("PATCH", f"/dags/serve_{ASKED}", {"is_paused": False})
    wait_until(lambda: day.status(ASKED) == "IN_SERVICE", "the endpoint is open")
    said = day.nightsort("classify", ASKED, "invoice refund")
    assert (said.returncode, said.stdout.split()[::2]) == (0, ["billing", "v1"]), said.stderr
    day.train(ASKED, "v2")
    answers: list[tuple[int, str]] = []
    stop = threading.Event()
    with serving(day, free_port) as http:

        def ask() -> None:
            while not stop.wait(0.6):
                answer = http.post("/classify", json={"text": "invoice refund"})
                found = answer.json()["results"][0]["version"] if answer.status_code == 200 else answer.text
                answers.append((answer.status_code, found))

        asker = threading.Thread(target=ask)
        asker.start()
        wait_until(lambda: len(answers) > 2, "answers")
        promoted = time.monotonic()
        day.promote(ASKED, "v2")
        wait_until(lambda: answers[-1] == (200, "v2"), "answers of the new version")
        told("seconds from the promotion to its first answer", round(time.monotonic() - promoted, 1))
        wait_until(lambda: Counter(answers)[200, "v2"] > 2, "more of them")
        stop.set()
        asker.join()
    counts = Counter(answers)
    told("answers while it was promoted", {f"{status} {found}": n for (status, found), n in counts.items()})
    assert set(counts) == {(200, "v1"), (200, "v2")}
    assert answers == sorted(answers), "an answer of the former version after one of the new"
    day.open_by_hand(ASKED, close=True)
    wait_until(lambda: day.status(ASKED) is None, "closed by hand")
    wait_until(lambda: day.openings(ASKED)[0][1] is not None, "the row says why")
    (row,) = day.openings(ASKED)
    assert (row[0], row[1], row[4]) == ("by its hours", "closed by hand", 2)
    kinds = [kind for kind, _ in day.runs(f"serve_{ASKED}")]
    assert kinds == ["scheduled", "asset_triggered", "manual"]


def test_its_budget_closes_it(day: Day, told: Told) -> None:
    day.wait_until_closed(BUDGET)
    (row,) = day.openings(BUDGET)
    told("closed by its budget", f"{row[2]:.0f} s, {row[3]} USD of {BUDGET_USD}: {row[1]}")
    assert row[0] == "by hand"
    assert "budget_usd_day" in row[1]
    # Nothing opens it again that day.
    day.open_by_hand(BUDGET, open_hours=1)
    day.wait_until_closed(BUDGET)
    assert len(day.openings(BUDGET)) == 1


def test_the_end_of_its_hours_closes_it(day: Day, hours: datetime, told: Told) -> None:
    wait_until(lambda: len(day.openings(HOURS)) == 1, "opened by its schedule")
    day.wait_until_closed(HOURS)
    (row,) = day.openings(HOURS)
    ((closed,),) = day.query("SELECT closed_at FROM nightsort.endpoint_hours WHERE classifier = %s", HOURS)
    told("closed at the end of its hours", f"{(closed - hours).total_seconds():.1f} s after it: {row[1]}")
    assert row[0] == "by its hours"
    assert row[1].startswith("outside of its hours")
    assert closed >= hours
    # A second scheduled run looks whether it is closed.
    wait_until(lambda: day.runs(f"serve_{HOURS}") == [("scheduled", "success")] * 2, "the run of the closing")
    assert len(day.openings(HOURS)) == 1


def test_what_nobody_looks_after_is_named_by_the_doctor_and_closed_by_the_command(
    day: Day, told: Told
) -> None:
    comprehend = client(day.stack, "comprehend")
    day.train(FORGOTTEN, "v1")
    comprehend.create_endpoint(
        EndpointName=endpoint_name(FORGOTTEN),
        ModelArn=comprehend.list_document_classifiers(Filter={"DocumentClassifierName": FORGOTTEN})[
            "DocumentClassifierPropertiesList"
        ][0]["DocumentClassifierArn"],
        DesiredInferenceUnits=2,
        Tags=[{"Key": CLASSIFIER_TAG, "Value": FORGOTTEN}],
    )
    wait_until(lambda: day.status(FORGOTTEN) == "IN_SERVICE", "the endpoint without a spec")
    doctor = day.nightsort("doctor").stdout
    line = next(line for line in doctor.splitlines() if FORGOTTEN in line)
    told("the doctor", line.strip())
    assert "2 inference units, 86.40 USD a day, and there is no spec of this name here" in doctor
    shown = day.nightsort("close-endpoints")
    assert shown.returncode == 0
    assert (
        f"{endpoint_name(FORGOTTEN)}  IN_SERVICE  {FORGOTTEN}/version/v1 with 2 inference units"
        in shown.stdout
    )
    closed = day.nightsort("close-endpoints", FORGOTTEN, "--yes")
    told("close-endpoints", closed.stdout.strip().splitlines()[-1])
    assert (closed.returncode, closed.stderr) == (0, "")
    wait_until(lambda: day.status(FORGOTTEN) is None, "closed")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Told:
    """Takes what a user would see, for the report of the tests."""

    def tell(what: str, seen: object) -> None:
        record_property(what, seen)
        print(f"{what}: {seen}")

    return tell
