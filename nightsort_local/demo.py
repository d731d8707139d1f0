"""The demo of `make run`: train once, then classify one more day of the sample at every call."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import botocore
from botocore.exceptions import ClientError

from nightsort.storage import plain_access
from nightsort.tables.schema import ensure_schema
from nightsort_local import postgres, sample_corpus
from nightsort_local.actions import follow, print_access, start
from nightsort_local.home import INSTALLED
from nightsort_local.night_report import read_known_labels, read_night, show_night
from nightsort_local.stack_settings import enter

if TYPE_CHECKING:
    from datetime import date

    from nightsort.storage import Access
    from nightsort_local.progress import Progress
    from nightsort_local.stack import LocalStack

CLASSIFIER = "aws-services"
# Written last, so that an interrupted upload is repeated.
MARKER = f"{sample_corpus.BUCKET}/sample-corpus.json"


def run_demo(stack: LocalStack, progress: Progress) -> bool:
    """Train, classify a day and print the result.

    :param stack: the stack; it is started if it does not run.
    :param progress: shows the steps.
    :returns: whether all runs succeeded.
    """
    # One thread, because making two samples at once would slow down the start of the stack.
    with ThreadPoolExecutor(1) as background:
        sample = background.submit(sample_corpus.aws_services)
        start(stack, progress)
        # boto3 and fsspec find the local AWS by the environment.
        enter(stack.environment())
        access = plain_access()
        others = None
        if not _has_samples(access):
            with progress.step("Uploading the sample corpus"):
                sample_corpus.upload_sample(access, sample.result(), progress=progress.detail)
            others = background.submit(_upload_other_sample, access)
        succeeded = _train_and_classify(stack, access, progress)
        if others is not None:
            others.result()
    if succeeded:
        _show_ways_on(stack, progress)
    return succeeded


def _train_and_classify(stack: LocalStack, access: Access, progress: Progress) -> bool:
    trained = _has_usable_version(stack) or follow(stack, f"train_{CLASSIFIER}", {}, progress).succeeded
    if not trained:
        return False
    day, is_new = _next_day(stack)
    if not is_new:
        progress.console.print(
            f"All {len(sample_corpus.days())} days of the sample are classified; {day} is classified again."
        )
    if not follow(stack, f"classify_{CLASSIFIER}", {"day": day.isoformat()}, progress).succeeded:
        return False
    truth = access.path(sample_corpus.truth_uri(CLASSIFIER, day)).read_text(encoding="utf-8")
    with postgres.connect(stack.home, "nightsort") as connection:
        report = read_night(connection, CLASSIFIER, day, read_known_labels(truth, "|"))
    show_night(progress.console, report)
    return True


def _has_samples(access: Access) -> bool:
    marker = access.path(MARKER)
    return marker.exists() and json.loads(marker.read_text(encoding="utf-8")) == _wanted_samples()


def _upload_other_sample(access: Access) -> None:
    """Upload the sample that the demo does not use, then the marker."""
    sample_corpus.upload_sample(access, sample_corpus.aws_topics())
    access.path(MARKER).write_text(json.dumps(_wanted_samples()), encoding="utf-8")


def _wanted_samples() -> dict[str, str]:
    return {"botocore": botocore.__version__}


def _has_usable_version(stack: LocalStack) -> bool:
    """Return whether a version is active and still exists in the local Comprehend."""
    with postgres.connect(stack.home, "nightsort") as connection:
        ensure_schema(connection)
        row = connection.execute(
            "SELECT arn FROM nightsort.classifier_versions WHERE classifier = %s AND active", (CLASSIFIER,)
        ).fetchone()
    if row is None:
        return False
    try:
        boto3.client("comprehend").describe_document_classifier(DocumentClassifierArn=row[0])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
    return True


def _next_day(stack: LocalStack) -> tuple[date, bool]:
    """Return the first day of the sample without a complete run, or the last day and False."""
    with postgres.connect(stack.home, "nightsort") as connection:
        done = {
            row[0]
            for row in connection.execute(
                "SELECT day FROM nightsort.classification_runs"
                " WHERE classifier = %s AND state = 'complete' AND source_uri IS NULL",
                (CLASSIFIER,),
            )
        }
    days = sample_corpus.days()
    left = [day for day in days if day not in done]
    return (left[0], True) if left else (days[-1], False)


def _show_ways_on(stack: LocalStack, progress: Progress) -> None:
    query = "SELECT day, document_id, label, score FROM nightsort.latest_predictions LIMIT 20"
    console = progress.console
    console.print()
    print_access(console, stack)
    ours = "nightsort-local" if INSTALLED else ".venv/bin/nightsort-local"
    for what, command in (
        ("Look at the table", f"""eval "$({ours} env)"; psql -c '{query}'"""),
        ("Classify the next day", f"{ours} demo" if INSTALLED else "make run"),
        ("Stop, and keep the data", f"{ours} down" if INSTALLED else "make stop"),
    ):
        console.print(f"\n{what}:\n  {command}", soft_wrap=True)
