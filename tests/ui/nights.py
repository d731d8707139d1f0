"""A stack with a night of each kind: real ones, and for what takes weeks rows as weeks leave them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from nightsort_local import postgres
from nightsort_local.home import SAMPLES
from nightsort_local.local_aws.control.client import LocalAwsControl
from tests.e2e.sample_stack import FIRST, SECOND, SERVICES, command
from tests.made_nights import make_endpoint_day, make_months

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nightsort_local.stack import LocalStack

CLASSIFY = f"classify_{SERVICES}"
ASKING = "asking"
MADE = ("tickets", "reviews", "mails")
UNTRAINED = "chats"
PATIENCE_SECONDS = 900
LAST = datetime.now(timezone.utc).date() - timedelta(days=1)
"""Day of the made nights' last one: it began this morning, so that nothing on a page lies ahead."""


def write_spec(specs: Path, name: str, replaced: str = "", by: str = "") -> None:
    """Write the sample's spec under another name."""
    sample = (SAMPLES / f"{SERVICES}.yaml").read_text(encoding="utf-8")
    changed = sample.replace(f"name: {SERVICES}", f"name: {name}").replace(f"{SERVICES}/work", f"{name}/work")
    changed = changed.replace(
        "Which AWS service does a description belong to? 36 services, text from botocore's models.",
        f"Which team answers {name}?",
    )
    (specs / f"{name}.yaml").write_text(
        changed.replace(replaced, by) if replaced else changed, encoding="utf-8"
    )


def make_nights(stack: LocalStack, specs: Path) -> dict[str, str]:
    """Run the nights; return the ids of the DAG runs by kind."""
    for name in (*MADE, UNTRAINED):
        write_spec(specs, name)
    budget = "budget: {run_usd: 10.0, training_usd: 10.0}"
    write_spec(specs, ASKING, budget, "budget: {run_usd: 0.01, training_usd: 10.0, when_over: ask}")
    demo = command(stack, "demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    with postgres.connect(stack.home, "nightsort") as connection:
        make_months(connection, last=LAST)
        make_endpoint_day(connection, on=LAST)
        # What the page of this month shows.
        connection.execute(
            "UPDATE nightsort.classification_runs SET started_at = now(), repeated = 40, reused = 2,"
            " saved_units = 126, saved_usd = 0.063 WHERE classifier = 'tickets' AND day = %s",
            (LAST - timedelta(days=1),),
        )
        (green,) = connection.execute(
            "SELECT run_id FROM nightsort.classification_runs WHERE classifier = %s AND day = %s",
            (SERVICES, FIRST),
        ).fetchone() or [""]
    control = LocalAwsControl(stack.aws_url, stack.aws_key)
    with control.injected(
        "error_lines", resource="job", share=0.03, code="TEXT_SIZE_LIMIT_EXCEEDED", times=1
    ):
        failures = stack.run_dag(CLASSIFY, {"day": SECOND.isoformat()})
    assert failures.succeeded, failures.log_tails
    third = SECOND.replace(day=SECOND.day + 1)
    with control.injected("fail", resource="job", times=None):
        red = stack.run_dag(CLASSIFY, {"day": third.isoformat()})
    assert not red.succeeded
    assert stack.run_dag(f"train_{ASKING}").succeeded
    stack.api.unpause(f"classify_{ASKING}")
    asked = stack.api.trigger(f"classify_{ASKING}", {"day": FIRST.isoformat()})
    wait_until(
        lambda: _states(stack, asked).get("approve_cost") in ("deferred", "awaiting_input"), "the question"
    )
    return {"green": green, "failures": failures.run_id, "red": red.run_id, "waiting": asked.run_id}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a state; a machine that is busy may take long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.3)


def _states(stack: LocalStack, run: Any) -> dict[str, str]:
    return {task.task_id: task.state for task in stack.api.task_instances(run.dag_id, run.run_id)}
