"""Take what belongs to an account out of what was observed, so that a report can be sent to anybody."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATTERNS: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"arn:aws[a-z-]*:(?:iam|sts|kms)::?[^\s\"',)]+", "<identity>"),
        (r"arn:aws-[a-z-]+:", "arn:aws:"),
        (r"https?://[^\s\"',)]+", "<url>"),
        (r"s3://[^/\s\"',)<]+", "s3://<bucket>"),
        (r"[\w.+-]+@[\w-]+\.[\w.-]+", "<mail>"),
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<uuid>"),
        (r"\b[0-9a-f]{32}\b", "<id>"),
        (r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{8,}\b", "<key>"),
        (r"(?<!\d)\d{12}(?!\d)", "<account>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b", "<time>"),
        (r"(?<![\d.])1[6-9]\d{8}(?:\.\d+)?(?![\d.])", "<time>"),
        (r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", "<address>"),
    )
)
"""What is masked whatever the account is: identities, addresses, ids, keys, account numbers, times."""


_END: Final = "(?![A-Za-z0-9>])"


class Mask:
    """Replace what belongs to an account, in texts and in anything that holds texts.

    :param words: known texts, such as the bucket's name, each with what is written in its place.
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        known = sorted((word for word in words if word), key=len, reverse=True)
        # Whole words: a bucket may have a name that is a part of many others.
        self._patterns = [
            (
                re.compile(rf"(?<![A-Za-z0-9<]){re.escape(word)}{'' if word[-1] in '-/' else _END}"),
                words[word],
            )
            for word in known
        ]

    def __call__(self, value: Any) -> Any:
        """Return a value as JSON holds it, with every text in it masked and every time replaced."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, datetime):
            return "<time>"
        if isinstance(value, dict):
            return {self.text(str(name)): self(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self(item) for item in value]
        return value

    def text(self, text: str) -> str:
        """Return a text without anything that belongs to the account."""
        for pattern, replacement in (*self._patterns, *_PATTERNS):
            text = pattern.sub(replacement, text)
        return text
