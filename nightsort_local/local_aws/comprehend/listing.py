"""Filters, order and pages of List operations."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.comprehend.errors import ApiError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nightsort_local.local_aws.comprehend.store import Resource

PAGE = 100
"""Results per page without MaxResults (service model)."""

_KEY = secrets.token_bytes(32)


class Order(Enum):
    """The order of a list without a filter of times."""

    OLDEST_FIRST = "oldest first"
    NEWEST_FIRST = "newest first"


def select(
    resources: Iterable[Resource],
    request: Mapping[str, Any],
    matches: Mapping[str, Callable[[Resource, Any], bool]],
    order: Order,
    wrong_filter: str = "InvalidFilterException",
) -> list[Resource]:
    """Return the resources that match the request's Filter, in the order of that filter.

    A Before filter lists the oldest first, an After filter the newest first (service model).

    :param matches: a predicate for each member of the Filter, except the two times.
    :param order: the order without either filter.
    :param wrong_filter: the error code for a Filter with two members.
    """
    criteria = request.get("Filter", {})
    if len(criteria) > 1:
        raise ApiError(
            wrong_filter,
            f"INVALID_FILTER: Only one filter may be set at a time, not {', '.join(sorted(criteria))}.",
        )
    found = sorted(resources, key=lambda resource: resource.number)
    for name, value in criteria.items():
        if name.endswith("TimeBefore"):
            found, order = [resource for resource in found if resource.created < value], Order.OLDEST_FIRST
        elif name.endswith("TimeAfter"):
            found, order = [resource for resource in found if resource.created > value], Order.NEWEST_FIRST
        else:
            found = [resource for resource in found if matches[name](resource, value)]
    return found if order is Order.OLDEST_FIRST else found[::-1]


@dataclass(frozen=True)
class PagePosition:
    """The end of a page, as stored in its NextToken.

    :param key: the last result shown.
    :param number: how many results were shown up to it.
    """

    key: str
    number: int


def page(
    items: Sequence[tuple[str, Any]], request: Mapping[str, Any], member: str, region: str
) -> dict[str, Any]:
    """Return one page of results as the answer of a List operation.

    :param items: all results in order, each with a key that other results do not change.
    :param member: the name of the list in the answer.
    """
    listing = json.dumps([member, region, request.get("Filter", {})], sort_keys=True)
    size = request.get("MaxResults", PAGE)
    start = 0
    if "NextToken" in request:
        last = read_token(request["NextToken"], listing)
        keys = [key for key, _ in items]
        # If the last result was deleted, continue at its position.
        start = keys.index(last.key) + 1 if last.key in keys else max(0, last.number - 1)
    answer: dict[str, Any] = {member: [item for _, item in items[start : start + size]]}
    end = start + size
    if end < len(items):
        answer["NextToken"] = write_token(PagePosition(items[end - 1][0], end), listing)
    return answer


def write_token(position: PagePosition, listing: str) -> str:
    """Return the signed NextToken of a position in a listing. It is valid until the server ends."""
    content = base64.urlsafe_b64encode(json.dumps([position.key, position.number]).encode()).decode()
    return f"{content}.{_signature(content, listing)}"


def read_token(token: str, listing: str) -> PagePosition:
    """Return the position of a NextToken.

    :raises ApiError: the server did not write the token for this listing.
    """
    content, _, signature = token.rpartition(".")
    if not token.isascii() or not hmac.compare_digest(signature, _signature(content, listing)):
        raise invalid_request(
            "INVALID_NEXT_TOKEN: This operation did not return the NextToken for this region and Filter."
        )
    return PagePosition(*json.loads(base64.urlsafe_b64decode(content)))


def _signature(content: str, listing: str) -> str:
    return hmac.digest(_KEY, f"{listing}\n{content}".encode(), "sha256").hex()
