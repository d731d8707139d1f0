"""Looks at trainings that are paid for: what Describe shows, the metrics, and the confusion matrix."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort_local.compare.side import Side

_TIMES: Final = ("SubmitTime", "TrainingStartTime", "TrainingEndTime", "EndTime")
RUNNING: Final = ("SUBMITTED", "TRAINING")


def form_of_scores(scores: list[float]) -> dict[str, Any]:
    """Return what can be compared of scores of two models: never the scores."""
    return {
        "from 0 to 1": all(0 <= score <= 1 for score in scores),
        "decimals": max((len(repr(score).partition(".")[2]) for score in scores), default=0) <= 4,
        "type": sorted({type(score).__name__ for score in scores}),
    }


def training_shown(side: Side, name: str) -> dict[str, Any]:
    """Return what Describe shows of a training, in each state and at the end."""
    found = side.training(name)
    metadata = found.get("ClassifierMetadata", {})
    metrics: dict[str, float] = metadata.get("EvaluationMetrics", {})
    times = [found[member] for member in _TIMES if member in found]
    seen = side.ledger.seen.get(name, {})
    return {
        "state": found["Status"],
        "message": found.get("Message", ""),
        "members": sorted(found),
        **{f"members while {state}": seen[state] for state in RUNNING if state in seen},
        "input": found["InputDataConfig"],
        "output": found["OutputDataConfig"],
        "times in order": times == sorted(times),
        "members of the metadata": sorted(metadata),
        "metrics": {"names": sorted(metrics), "values": form_of_scores(list(metrics.values()))},
    }


def split_by_label(side: Side) -> dict[str, Any]:
    """Count the documents that were trained and tested, of each label."""
    side.trained("classes")
    metadata = side.training("classes")["ClassifierMetadata"]
    matrix, _ = _confusion_matrix(side, "classes")
    return {
        "trained": metadata["NumberOfTrainedDocuments"],
        "tested": metadata["NumberOfTestDocuments"],
        "tested by label": {
            label: sum(row)
            for label, row in zip(matrix["labels"], matrix["confusion_matrix"], strict=True)
            if sum(row)
        },
    }


def few_documents(side: Side) -> dict[str, Any]:
    """Look for the header row and the label of three documents among the labels."""
    found = side.training("classes")
    seen: dict[str, Any] = {"state": found["Status"], "message": found.get("Message", "")}
    if "ClassifierMetadata" in found:
        seen["labels"] = found["ClassifierMetadata"]["NumberOfLabels"]
        seen["all labels"] = _confusion_matrix(side, "classes")[0]["all_labels"]
    return seen


def confusion_matrix(side: Side, name: str) -> dict[str, Any]:
    """Return the form of a confusion matrix and of its archive."""
    side.trained(name)
    matrix, body = _confusion_matrix(side, name)
    cells = matrix["confusion_matrix"]
    tested = side.training(name)["ClassifierMetadata"]["NumberOfTestDocuments"]
    return {
        "members of the archive": _archive(side, name)[1],
        "members in order": list(matrix),
        "type": matrix["type"],
        "labels are sorted": matrix["labels"] == sorted(matrix["labels"]),
        "all labels": matrix["all_labels"],
        "one part for each label": len(cells) == len(matrix["labels"]),
        "two rows of two for each label": all(
            len(cell) == 2 and all(isinstance(row, list) and len(row) == 2 for row in cell) for cell in cells
        ),
        "each label's part counts every test document": matrix["type"] != "multi_label"
        or all(sum(map(sum, cell)) == tested for cell in cells),
        "ends with a line feed": body.endswith(b"\n"),
        "escapes other scripts": b"\\u" in body,
    }


def risky_training(side: Side, name: str) -> dict[str, Any]:
    """Return how a training on doubtful data ended, and what it learnt."""
    found = side.training(name)
    seen: dict[str, Any] = {
        "state": found["Status"],
        "message": found.get("Message", ""),
        "members": sorted(found),
    }
    if metadata := found.get("ClassifierMetadata"):
        seen["documents"] = [metadata["NumberOfTrainedDocuments"], metadata["NumberOfTestDocuments"]]
        matrix, files = _archive(side, name)
        seen["members of the archive"] = files
        seen["all labels"] = json.loads(matrix)["all_labels"]
    return seen


def _confusion_matrix(side: Side, name: str) -> tuple[dict[str, Any], bytes]:
    body = _archive(side, name)[0]
    return json.loads(body), body


def _archive(side: Side, name: str) -> tuple[bytes, list[str]]:
    files = archive_files(side.read(side.training(name)["OutputDataConfig"]["S3Uri"]))
    return next(body for file, body in files.items() if file.endswith("confusion_matrix.json")), list(files)


def archive_files(archive: bytes) -> Mapping[str, bytes]:
    """Return the files of a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        opened = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in opened.items() if file is not None}
