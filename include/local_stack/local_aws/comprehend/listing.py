"""Filters, order and pages of the List operations."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from include.local_stack.local_aws.comprehend.errors import ApiError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from include.local_stack.local_aws.comprehend.store import Resource

PAGE = 100
"""Results of a page when MaxResults is not given (service model)."""


def select(
    resources: Iterable[Resource],
    request: Mapping[str, Any],
    matches: Mapping[str, Callable[[Resource, Any], bool]],
) -> list[Resource]:
    """Return the resources that pass the request's Filter, in the order that the filter implies.

    SubmitTimeBefore lists the oldest first, SubmitTimeAfter the newest first (service model); without either
    the newest come first (assumed).

    Args:
        matches: a test for each member of the Filter beyond the two times.
    """
    criteria = request.get("Filter", {})
    if len(criteria) > 1:
        raise ApiError(
            "InvalidFilterException",
            f"INVALID_FILTER: Only one filter may be set at a time, not {', '.join(sorted(criteria))}.",
        )
    found = sorted(
        resources, key=lambda resource: resource.number, reverse="SubmitTimeBefore" not in criteria
    )
    for name, value in criteria.items():
        if name == "SubmitTimeBefore":
            found = [resource for resource in found if resource.properties["SubmitTime"] < value]
        elif name == "SubmitTimeAfter":
            found = [resource for resource in found if resource.properties["SubmitTime"] > value]
        else:
            found = [resource for resource in found if matches[name](resource, value)]
    return found


def page(items: Sequence[tuple[str, Any]], request: Mapping[str, Any], member: str) -> dict[str, Any]:
    """Return one page as the answer of a List operation.

    Args:
        items: all results in order, each with a key that stays its own while others come and go.
        member: the answer's list.
    """
    size = request.get("MaxResults", PAGE)
    start = 0
    if "NextToken" in request:
        last = _read_token(request["NextToken"])
        keys = [key for key, _ in items]
        # Where the last one shown is gone, its position is the best that is left.
        start = keys.index(last["key"]) + 1 if last["key"] in keys else max(0, last["position"] - 1)
    answer: dict[str, Any] = {member: [item for _, item in items[start : start + size]]}
    end = start + size
    if end < len(items):
        answer["NextToken"] = _write_token({"key": items[end - 1][0], "position": end})
    return answer


def _write_token(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _read_token(token: str) -> dict[str, Any]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token.encode()))
        return {"key": str(content["key"]), "position": int(content["position"])}
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise invalid_request(
            "INVALID_NEXT_TOKEN: The NextToken is none that this operation gave."
        ) from error
