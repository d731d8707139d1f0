"""Filters, order and pages of the List operations."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.comprehend.errors import ApiError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nightsort_local.local_aws.comprehend.store import Resource

PAGE = 100
"""Results of a page when MaxResults is not given (service model)."""

_KEY = secrets.token_bytes(32)


def select(
    resources: Iterable[Resource],
    request: Mapping[str, Any],
    matches: Mapping[str, Callable[[Resource, Any], bool]],
    wrong_filter: str = "InvalidFilterException",
) -> list[Resource]:
    """Return the resources that pass the request's Filter, in the order that the filter implies.

    A filter on times before lists the oldest first, one on times after the newest first (service model);
    without either the newest come first (assumed).

    :param matches: a test for each member of the Filter beyond the two times.
    :param wrong_filter: the error of a Filter with two members.
    """
    criteria = request.get("Filter", {})
    if len(criteria) > 1:
        raise ApiError(
            wrong_filter,
            f"INVALID_FILTER: Only one filter may be set at a time, not {', '.join(sorted(criteria))}.",
        )
    found = sorted(resources, key=lambda resource: resource.number, reverse=True)
    for name, value in criteria.items():
        if name.endswith("TimeBefore"):
            found = [resource for resource in reversed(found) if resource.created < value]
        elif name.endswith("TimeAfter"):
            found = [resource for resource in found if resource.created > value]
        else:
            found = [resource for resource in found if matches[name](resource, value)]
    return found


@dataclass(frozen=True)
class PagePosition:
    """Where a page ended, as its NextToken holds it.

    :param key: the last result shown.
    :param number: how many results had been shown with it.
    """

    key: str
    number: int


def page(
    items: Sequence[tuple[str, Any]], request: Mapping[str, Any], member: str, region: str
) -> dict[str, Any]:
    """Return one page as the answer of a List operation.

    :param items: all results in order, each with a key that stays its own while others come and go.
    :param member: the answer's list, of which every operation has its own.
    """
    listing = json.dumps([member, region, request.get("Filter", {})], sort_keys=True)
    size = request.get("MaxResults", PAGE)
    start = 0
    if "NextToken" in request:
        last = read_token(request["NextToken"], listing)
        keys = [key for key, _ in items]
        # Where the last one shown is gone, its position is the best that is left.
        start = keys.index(last.key) + 1 if last.key in keys else max(0, last.number - 1)
    answer: dict[str, Any] = {member: [item for _, item in items[start : start + size]]}
    end = start + size
    if end < len(items):
        answer["NextToken"] = write_token(PagePosition(items[end - 1][0], end), listing)
    return answer


def write_token(position: PagePosition, listing: str) -> str:
    """Return the NextToken for a position in a listing; it is signed, and good until the server ends."""
    content = base64.urlsafe_b64encode(json.dumps([position.key, position.number]).encode()).decode()
    return f"{content}.{_signature(content, listing)}"


def read_token(token: str, listing: str) -> PagePosition:
    """Return the position that a NextToken holds.

    :raises ApiError: the server did not write it, or not for this listing.
    """
    content, _, signature = token.rpartition(".")
    if not token.isascii() or not hmac.compare_digest(signature, _signature(content, listing)):
        raise invalid_request(
            "INVALID_NEXT_TOKEN: The NextToken is none that this operation gave for this region and Filter."
        )
    return PagePosition(*json.loads(base64.urlsafe_b64decode(content)))


def _signature(content: str, listing: str) -> str:
    return hmac.digest(_KEY, f"{listing}\n{content}".encode(), "sha256").hex()
