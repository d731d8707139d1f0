"""A classifier whose files are local, and its labelled documents."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from nightsort.classifier_spec.model import ClassifierSpec

if TYPE_CHECKING:
    from pathlib import Path


def local_spec(folder: Path, **changes: Any) -> ClassifierSpec:
    settings: dict[str, Any] = {
        "name": "tickets",
        "description": "Who answers a ticket?",
        "mode": "MULTI_CLASS",
        "labelled": {"uri": f"{folder}/labelled/", "format": "csv"},
        "incoming": {"uri": f"{folder}/incoming/{{day}}/", "format": "jsonl", "id_column": "id"},
        "work_uri": f"{folder}/work",
        "data_access_role_arn": "arn:aws:iam::123456789012:role/ComprehendAccess",
        **changes,
    }
    return ClassifierSpec.model_validate(settings)


def write_labelled(folder: Path, documents: int = 30) -> None:
    """Documents of two labels, in turn."""
    (folder / "labelled").mkdir(parents=True, exist_ok=True)
    with (folder / "labelled" / "tickets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("label", "text"))
        for number in range(documents):
            label = ("billing", "technical")[number % 2]
            writer.writerow((label, f"secret text {number} on {label} matters"))
