"""URIs of a classifier spec: what a source may name, and where Nightsort may write."""

from __future__ import annotations

import os
import re
from datetime import date
from fnmatch import fnmatchcase
from typing import Final

from nightsort.classifier_spec.day_template import any_day, before_day, render, template_problem
from nightsort.classifier_spec.problems import refuse, shown
from nightsort.comprehend.limits import MAX_S3_URI, MAX_WORK_URI, S3_URI_PATTERN
from nightsort.layout import S3, local_path

_WILDCARD: Final = re.compile(r"[*?\[]")
_SET: Final = re.compile(r"\[!?[^/][^/\]]*\]")
_SOME_DAY: Final = date(2026, 11, 20)
_LITERAL: Final = "write [[], [*] or [?] where such a character belongs to a name"


def uri_problem(uri: str) -> str | None:
    """Return the problem of a URI (S3, ``file://`` or a local path), or ``None`` if it is valid."""
    if not uri.strip():
        return "is empty; write s3://bucket/key"
    if uri != uri.strip():
        return f"{shown(uri)} begins or ends with a space; remove it"
    if not uri.isprintable():
        return f"{shown(uri)} has a control character; remove it"
    if uri.startswith("arn:"):
        return f"{shown(uri)} is an ARN; write s3://bucket/key"
    if uri.startswith("~"):
        return f"{shown(uri)}: ~ has no meaning here; write the whole path of the folder"
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.\-]+)(::|:/|:$)|(data):", uri)
    if scheme is None or uri.startswith("file:///"):
        return _path_problem(uri)
    if not uri.startswith(S3):
        name = f"{scheme[1] or scheme[3]}{'::' if scheme[2] == '::' else '://'}"
        return f"{shown(uri)}: {name} cannot be read; use s3:// (in lower case) or a local path"
    if not S3_URI_PATTERN.fullmatch(uri):
        return f"{shown(uri)} is not an S3 URI; write s3://bucket/key, the bucket in lower case"
    if len(uri) > MAX_S3_URI:
        return f"has {len(uri)} characters, but an S3 URI may have {MAX_S3_URI}; shorten the key"
    return _path_problem(uri)


def _path_problem(uri: str) -> str | None:
    path = uri.split("://", 1)[-1]
    if "//" in path:
        return f"{shown(uri)} has an empty folder name (//); write one /"
    if uri.startswith(S3) and {".", ".."} & set(path.split("/")):
        return f"{shown(uri)} has a folder . or .., which S3 does not know; write the key itself"
    return None


def source_uri_problem(template: str) -> str | None:
    """Return the problem of a source's URI, and the remedy; ``None`` if it is valid.

    :param template: a file, a prefix that ends in ``/`` or a glob, with or without ``{day}``.
    """
    if message := template_problem(template):
        return message
    uri = render(template, _SOME_DAY)
    if message := uri_problem(uri):
        return message
    if re.fullmatch(r"s3://[^/]*/?", uri):
        return f"{shown(template)} names a whole bucket; add a file, a prefix that ends in / or a glob"
    if before_day(template).count("/") < 3 and uri.startswith(S3):
        return f"{shown(template)} has the day in the name of the bucket; put it behind the bucket"
    return _glob_problem(template, uri)


def _glob_problem(template: str, uri: str) -> str | None:
    if not _WILDCARD.search(uri):
        return None
    if literal := _existing_path_with_bracket(uri):
        return f"{shown(template)}: {literal} exists, but [ begins a set of characters; {_LITERAL}"
    if "[" in _SET.sub("", uri):
        return f"{shown(template)} has a [ without ]; {_LITERAL}"
    if any("**" in part and part != "**" for part in uri.split("/")):
        return f"{shown(template)} has ** inside a name; it stands for any folders: write it between slashes"
    if uri.endswith("/"):
        below = "" if uri.endswith("/**/") else f", or {shown(template + '**/*')} for all folders below"
        return (
            f"{shown(template)} is a glob that ends in /, so it matches no file; "
            f"write {shown(f'{template}*')}{below}"
        )
    return None


def _existing_path_with_bracket(uri: str) -> str | None:
    """Return a local folder or file whose name holds the ``[`` of a URI."""
    if uri.startswith(S3):
        return None
    parts = local_path(uri).split("/")
    paths = ("/".join(parts[: number + 1]) for number, part in enumerate(parts) if "[" in part)
    return next(filter(os.path.exists, paths), None)


def fixed_folder(template: str) -> str:
    """Return the folder that holds the documents of all days: what comes before a day or a wildcard.

    :param template: a source's URI.
    :returns: a URI that ends in ``/``, or nothing for a path in the current folder.
    """
    before = before_day(template)
    wildcard = _WILDCARD.search(before)
    return before[: before.rfind("/", 0, wildcard.start() if wildcard else None) + 1]


def fixed_prefix(uri: str) -> str:
    """Return the prefix (or folder) below which Nightsort writes, without a slash at its end.

    :raises PydanticCustomError: the URI is not a fixed prefix.
    """
    if message := fixed_prefix_problem(uri):
        raise refuse(message)
    return uri.rstrip("/") or "/"


def fixed_prefix_problem(uri: str) -> str | None:
    """Return why a URI is not a fixed prefix (or folder); ``None`` if it is one."""
    if message := uri_problem(uri):
        return message
    if any(character in uri for character in "{}*?["):
        return f"{shown(uri)} has a placeholder or wildcard; write one fixed prefix"
    if len(uri) > MAX_WORK_URI:
        return f"has {len(uri)} characters; shorten it to {MAX_WORK_URI}"
    return None


def overlap(template: str, work_uri: str) -> bool:
    """Return whether a source may read files below ``work_uri``, or is below it itself."""
    source, work = _parts(any_day(template)), _parts(work_uri)
    is_prefix = source[-1] == ""
    for pattern, name in zip(source[:-1] if is_prefix else source, work, strict=False):
        if "**" in pattern:
            return True
        if not fnmatchcase(name, pattern):
            return False
    return is_prefix or len(source) > len(work)


def _parts(uri: str) -> list[str]:
    return (uri if uri.startswith(S3) else local_path(uri)).split("/")
