"""Texts that a classifier learns from a few examples, and a spec for them."""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    "billing": "invoice refund payment card",
    "technical": "crash error screen update",
    "delivery": "parcel courier street late",
}
"""The labels, and what documents with them are about."""


def nightly_spec(name: str, bucket: str, role: str) -> str:
    """The spec of a classifier with JSON Lines under ``labelled/`` and ``incoming/<day>/``."""
    return f"""
name: {name}
mode: MULTI_CLASS
schedule: "0 2 * * *"
labelled: {{uri: "s3://{bucket}/labelled/", format: jsonl}}
incoming: {{uri: "s3://{bucket}/incoming/{{day}}/", format: jsonl, id_column: id}}
work_uri: s3://{bucket}/work/{name}
data_access_role_arn: {role}
"""
