"""A small classifier with its documents, to try a deployment: three labels that any learner tells apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.made_texts import WORDS

if TYPE_CHECKING:
    from pathlib import Path

BUCKET = "deployed"
NAME = "letters"
DAY = "2026-11-18"
SPEC = f"""\
name: {NAME}
mode: MULTI_CLASS
language: en
labelled: {{uri: "s3://{BUCKET}/labelled/", format: jsonl, text_column: text, label_column: label}}
incoming: {{uri: "s3://{BUCKET}/incoming/{{day}}/", format: jsonl, id_column: id, text_column: text}}
work_uri: s3://{BUCKET}/work
data_access_role_arn: arn:aws:iam::123456789012:role/NightsortComprehendDataAccess
export: parquet
"""


def write_spec(folder: Path) -> None:
    """Write the spec into a folder of specs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.yaml").write_text(SPEC, encoding="utf-8")


def bring_documents(s3: Any, incoming: int = 30) -> None:
    """Put labelled documents, and the day's new ones, one of them blank, into a new bucket.

    :param s3: a boto3 client.
    :param incoming: how many of the day's documents can be classified.
    """
    s3.create_bucket(Bucket=BUCKET)
    labelled = [
        {"label": label, "text": f"{words} {number}"}
        for number in range(30)
        for label, words in WORDS.items()
    ]
    texts = list(WORDS.values())
    new = [{"id": f"d{number}", "text": f"{texts[number % 3]} {number}"} for number in range(incoming)]
    for key, rows in (
        ("labelled/a.jsonl", labelled),
        (f"incoming/{DAY}/a.jsonl", [*new, {"id": "blank", "text": " "}]),
    ):
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
