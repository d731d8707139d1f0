"""Looks at classification jobs: what Describe shows, and every part of their output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from nightsort_local.compare.ledger import JOB, Made
from nightsort_local.compare.looks.trainings import archive_files, form_of_scores
from nightsort_local.compare.material import JOBS
from nightsort_local.compare.side import refusal

if TYPE_CHECKING:
    from nightsort_local.compare.side import Side

RUNNING: Final = ("SUBMITTED", "IN_PROGRESS")


def job_shown(side: Side) -> dict[str, Any]:
    """Return what Describe shows of a job, in each state and at the end."""
    found = side.job("lines")
    seen = side.ledger.seen.get("job lines", {})
    return {
        "state": found["JobStatus"],
        "members": sorted(found),
        **{f"members while {state}": seen[state] for state in RUNNING if state in seen},
        "input": found["InputDataConfig"],
        "output": found["OutputDataConfig"],
        "length of the id": len(found["JobId"]),
    }


def job_without_input(side: Side) -> dict[str, Any]:
    """Return how a job ended that had no input."""
    found = side.job("no-input")
    return {"state": found["JobStatus"], "message": found.get("Message", ""), "members": sorted(found)}


def _lines(side: Side, name: str) -> tuple[list[dict[str, Any]], bytes, list[str]]:
    """Return the lines of a job's output, as JSON and as bytes, and the files of its archive."""
    found = side.job(name)
    files = archive_files(side.read(found["OutputDataConfig"]["S3Uri"]))
    body = files.get("predictions.jsonl", b"")
    return [json.loads(line) for line in body.decode().splitlines()], body, list(files)


def line_format(side: Side, name: str) -> dict[str, Any]:
    """Return the form of the lines of a job's output."""
    lines, body, files = _lines(side, name)
    good = [line for line in lines if "ErrorCode" not in line]
    member = next((found for found in ("Classes", "Labels") if good and found in good[0]), "")
    scores = [[item["Score"] for item in line.get(member, ())] for line in good]
    return {
        "files of the archive": files,
        "members of a line": sorted({tuple(line) for line in good}),
        "type of Line": sorted({type(line.get("Line")).__name__ for line in good}),
        "members of a class": sorted({tuple(item) for line in good for item in line.get(member, ())}),
        "classes of a line": sorted({len(found) for found in scores}),
        "best first": all(found == sorted(found, reverse=True) for found in scores),
        "scores": form_of_scores([score for found in scores for score in found]),
        "as Python writes JSON": body == "".join(f"{json.dumps(line)}\n" for line in lines).encode(),
        "escapes other scripts": b"\\u" in body,
        "ends with a line feed": body.endswith(b"\n"),
    }


def rows_of_files(side: Side, name: str) -> dict[str, Any]:
    """Return the line numbers of each input file, with error codes, and whether the files are in order."""
    lines, _, _ = _lines(side, name)
    rows: dict[str, list[Any]] = {}
    for line in lines:
        row = line.get("Line")
        rows.setdefault(line["File"], []).append(f"{row} {line['ErrorCode']}" if "ErrorCode" in line else row)
    order = list(dict.fromkeys(line["File"] for line in lines))
    return {
        **{f"lines of {file}": found for file, found in sorted(rows.items())},
        "files in the order of their keys": order == sorted(order),
    }


def broken_documents(side: Side) -> dict[str, Any]:
    """Return what becomes of a document that is not UTF-8, and of an empty file."""
    found = side.job("broken")
    seen: dict[str, Any] = {"state": found["JobStatus"], "message": found.get("Message", "")}
    if found["JobStatus"] == "COMPLETED":
        errors = [line for line in _lines(side, "broken")[0] if "ErrorCode" in line]
        seen |= rows_of_files(side, "broken")
        seen["error lines"] = [{**line, "Line": type(line.get("Line")).__name__} for line in errors]
    return seen


def tokens_of_jobs(side: Side) -> dict[str, Any]:
    """Send the token of a job again, with the same request and with another."""
    first = side.start_job("token")
    job = JOBS["token"]
    request = side.job_request(job, side.trained(job.training))
    return {
        "the same request": _again(side, first, request),
        "another request": _again(side, first, {**request, "JobName": side.name("token-other")}),
    }


def _again(side: Side, first: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = side.comprehend.start_document_classification_job(**request)
    except ClientError as error:
        return refusal(error)
    if answer["JobId"] != first:
        side.ledger.put(Made(JOB, request["JobName"], answer["JobId"], answer["JobId"]))
        side.ledger.spent[f"{JOB} again {request['JobName']}"] = JOBS["token"].most_usd
    return {"same job": answer["JobId"] == first, "members": sorted(set(answer) - {"ResponseMetadata"})}


def lists_of_jobs(side: Side) -> dict[str, Any]:
    """List jobs: order and filters. Of other jobs in the account nothing is kept."""
    wanted = {side.start_job(name): name for name in ("lines", "broken", "no-input")}
    listing = side.comprehend.list_document_classification_jobs

    def own(pages: Any) -> list[str]:
        return [
            wanted[item["JobId"]]
            for page in pages
            for item in page["DocumentClassificationJobPropertiesList"]
            if item["JobId"] in wanted
        ]

    by_name = {"JobName": side.name("lines")}
    return {
        "without a filter": own(
            side.comprehend.get_paginator("list_document_classification_jobs").paginate()
        ),
        "filter of a name": own([listing(Filter=by_name)]),
        "two filters": side.answer(
            "list_document_classification_jobs", Filter={**by_name, "JobStatus": "COMPLETED"}
        ),
        "an untrained name": own([listing(Filter={"JobName": side.name("never-started")})]),
    }
