"""Delete everything that a comparison made: endpoints, classifiers, and the objects below its prefix."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from nightsort.comprehend.prices import training_cost
from nightsort_local.compare.ledger import CLASSIFIER, ENDPOINT, JOB, Made
from nightsort_local.compare.material import JOBS
from nightsort_local.compare.side import (
    ENDPOINT_USD_PER_SECOND,
    TRAINING_ENDED,
    NotReachedError,
    training_usd,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nightsort_local.compare.side import Side

GONE: Final = frozenset({"ResourceNotFoundException", "JobNotFoundException"})


def delete_everything(side: Side) -> list[str]:
    """Delete what the ledger has and all objects below the prefix; return what could not be deleted, and why.

    No operation of Comprehend stops or deletes a classification job, so jobs are waited for: their output
    would come after the deletion of the objects. They stay in the account's list of jobs.
    """
    steps: tuple[Callable[[Side, Made], None], ...] = (_identify, _stop, _end, _delete, _wait_until_gone)
    left: dict[str, str] = {}
    for step in steps:
        for made in sorted(side.ledger.made.values(), key=_order):
            _take(step, side, made, left)
    problems = [left[key] for key in left if key in side.ledger.made]
    try:
        _delete_objects(side)
    except (ClientError, BotoCoreError) as error:
        problems.append(f"objects below {side.uri('')}: {error}")
    if not problems:
        side.ledger.generation += 1
        side.ledger.seen, side.ledger.training_since = {}, {}
        side.ledger.save()
    return problems


def _take(step: Callable[[Side, Made], None], side: Side, made: Made, left: dict[str, str]) -> None:
    """Take a step of the deletion; note in `left` what it did not do."""
    try:
        step(side, made)
    except (ClientError, BotoCoreError, NotReachedError) as error:
        if _is_gone(error):
            side.ledger.forget(made)
        else:
            left[made.key] = f"{made.kind} {made.id or made.name}: {error}"


def _order(made: Made) -> int:
    """Return the place of a kind: a classifier goes after what uses it."""
    return (ENDPOINT, JOB, CLASSIFIER).index(made.kind)


def _is_gone(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["Error"].get("Code") in GONE


def _identify(side: Side, made: Made) -> None:
    """Find the id of what was asked for just before the process died."""
    if not made.id:
        made.id = side.find(made)
        if not made.id:
            side.ledger.forget(made)


def _stop(side: Side, made: Made) -> None:
    """Stop what costs by the second."""
    if made.kind == ENDPOINT:
        delete_endpoint(side, made)
    elif made.kind == CLASSIFIER and _classifier(side, made)["Status"] not in TRAINING_ENDED:
        side.comprehend.stop_training_document_classifier(DocumentClassifierArn=made.id)


def _end(side: Side, made: Made) -> None:
    """Wait for the end of trainings and jobs, and note what they cost."""
    what = made.name.removeprefix(side.name(""))
    if made.kind == JOB:
        side.job_at_its_end(what, made.id)
        if what in JOBS:
            side.ledger.spent[made.key] = JOBS[what].most_usd
        side.ledger.forget(made)
    elif made.kind == CLASSIFIER and _classifier(side, made)["Status"] != "DELETING":
        found = side.classifier_at_its_end(what, made.id)
        side.ledger.spent[made.key] = max(side.ledger.spent.get(made.key, 0.0), _usd_of(side, what, found))


def _usd_of(side: Side, what: str, found: dict[str, Any]) -> float:
    """Return what a training cost, or a guess at it, if it was stopped and does not show its times."""
    since = side.ledger.training_since.get(what)
    if "TrainingStartTime" in found or found["Status"] != "STOPPED" or since is None:
        return training_usd(found)
    return training_cost(time.time() - since)


def _delete(side: Side, made: Made) -> None:
    if made.kind == CLASSIFIER and _classifier(side, made)["Status"] != "DELETING":
        side.comprehend.delete_document_classifier(DocumentClassifierArn=made.id)


def _wait_until_gone(side: Side, made: Made) -> None:
    while made.kind == CLASSIFIER and _classifier(side, made)["Status"] == "DELETING":
        side.say(f"deleting {made.name}")
        time.sleep(side.place.pause)


def _classifier(side: Side, made: Made) -> dict[str, Any]:
    answer = side.comprehend.describe_document_classifier(DocumentClassifierArn=made.id)
    return dict(answer["DocumentClassifierProperties"])


def delete_endpoint(side: Side, made: Made) -> None:
    """Delete an endpoint, wait until it is gone, and note what it cost."""
    created: float | None = None
    try:
        while True:
            found = side.comprehend.describe_endpoint(EndpointArn=made.id)["EndpointProperties"]
            created = found["CreationTime"].timestamp()
            if found["Status"] in ("IN_SERVICE", "FAILED"):
                side.comprehend.delete_endpoint(EndpointArn=made.id)
            side.say(f"endpoint: {found['Status']}")
            time.sleep(side.place.pause)
    except ClientError as error:
        if not _is_gone(error):
            raise
    if created is not None:
        side.ledger.spent[made.key] = endpoint_usd(time.time() - created)
    side.ledger.forget(made)


def endpoint_usd(seconds: float) -> float:
    """Return the price of an endpoint with one inference unit; the least is a minute."""
    return round(max(60.0, seconds) * ENDPOINT_USD_PER_SECOND, 4)


def _delete_objects(side: Side) -> None:
    """Delete the objects below the prefix, with all versions where the bucket keeps them."""
    for found in list(_objects(side)):
        side.s3.delete_object(Bucket=side.place.bucket, **found)


def _objects(side: Side) -> Iterator[dict[str, str]]:
    where = {"Bucket": side.place.bucket, "Prefix": side.prefix}
    try:
        for page in side.s3.get_paginator("list_object_versions").paginate(**where):
            for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield {"Key": item["Key"], "VersionId": item["VersionId"]}
    except ClientError as error:
        # Listing versions is a permission of its own, which a bucket without versions does not need.
        if error.response["Error"].get("Code") != "AccessDenied":
            raise
        for page in side.s3.get_paginator("list_objects_v2").paginate(**where):
            for item in page.get("Contents", ()):
                yield {"Key": item["Key"]}
