"""The text of a first spec, with a comment for whatever a person decides."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nightsort.sources.drafts import Draft

_PLAIN: Final = re.compile(r"[A-Za-z_/][\w./-]*(:[\w./-]+)*")
_YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_CHANGE: Final = "  # CHANGE THIS: "
_OF_LABELLED: Final = ("uri", "label_column", "attribute")
_MIN_LABEL: Final = 11


def spec_text(
    name: str,
    draft: Draft,
    *,
    incoming: str | None,
    work_uri: str | None,
    role: str | None,
    language: str | None,
    schedule: str | None,
) -> tuple[str, list[str]]:
    """Return the text of a spec, and the keys whose values a person has to change.

    :param name: of the classifier.
    :param draft: what the labelled documents look like.
    :param incoming: the URI of the new documents; ``None``: an example.
    :param work_uri: likewise.
    :param role: likewise.
    :param language: ``None``: as guessed.
    :param schedule: ``None``: by hand only.
    """
    open_ends = []

    def given(key: str, value: str | None, example: str, what: str) -> str:
        if value is not None:
            return _scalar(value)
        open_ends.append(key)
        return f"{_scalar(example)}{_CHANGE}{what}"

    small = sum(count < _MIN_LABEL for count in draft.labels.values())
    guessed = language or draft.language
    lines = [
        f"# The classifier {name}. All keys: docs/classifier-spec.md. Check it: nightsort validate-spec",
        f"name: {_scalar(name)}",
        f"mode: {draft.mode}"
        + ("  # a document has one label" if draft.mode == "MULTI_CLASS" else "  # or several labels"),
    ]
    if draft.label_delimiter is not None:
        lines.append(f"label_delimiter: {json.dumps(draft.label_delimiter)}")
    lines.append(
        f"language: {given('language', guessed, 'en', 'en, es, de, it, fr or pt; the texts do not tell')}"
    )
    lines += ["", "# Documents with labels, for trainings.", "labelled:", *_mapping(draft.keys)]
    like = {key: value for key, value in draft.keys.items() if key not in _OF_LABELLED}
    if "columns" in like:
        like["columns"] = [column for column in like["columns"] if column != "label"]
    if like["format"] == "augmented_manifest":
        like = {"format": "jsonl", "text_column": "source"}
    uri = given(
        "incoming.uri", incoming, f"s3://my-bucket/{name}/{{day}}/", "where each day's documents arrive"
    )
    lines += [
        "",
        "# New documents, for every night; {day} becomes for instance 2026-11-20. The keys below uri are",
        "# those of the labelled documents: correct them where the new ones differ, such as in a header row.",
        "incoming:",
    ]
    lines += [f"  uri: {uri}", *_mapping(like)]
    if like["format"] not in ("files", "lines") and "id_column" not in like:
        lines.append("  # id_column: id      # without it, an id is made of file and row")
    lines += [
        "",
        "# Where Nightsort and Comprehend write, and the role with which Comprehend reads and writes there.",
        "work_uri: "
        + given("work_uri", work_uri, f"s3://my-bucket/nightsort/{name}", "a prefix in your bucket"),
        "data_access_role_arn: "
        + given(
            "data_access_role_arn",
            role,
            "arn:aws:iam::123456789012:role/NightsortComprehend",
            "see docs/iam/README.md",
        ),
        "",
        "# When a night runs: a cron expression, in timezone. Without it: by hand only.",
        f"schedule: {_scalar(schedule)}" if schedule else '# schedule: "0 2 * * *"',
        "# timezone: Europe/Berlin",
        "",
        "# What a night and a training may cost at most, in USD.",
        "budget:",
        "  run_usd: 10.0",
        "  training_usd: 10.0",
    ]
    if small:
        have = "1 label has" if small == 1 else f"{small} labels have"
        lines += [
            "",
            f"# {have} fewer than {_MIN_LABEL} documents: leave_out trains without, error refuses.",
            "# small_labels: leave_out",
        ]
    return "\n".join(lines) + "\n", open_ends


def _mapping(keys: dict[str, Any]) -> list[str]:
    return [f"  {key}: {_scalar(value)}" for key, value in keys.items()]


def _scalar(value: Any) -> str:
    """Return a value as YAML; JSON is YAML, and short words need no quotes."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    return json.dumps(value, ensure_ascii=False)
