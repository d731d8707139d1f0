"""Judge whether a list of IAM policies allows an action on a resource.

The doctor judges trust policies with it, and the local AWS every request: moto's own judge ignores
conditions, takes the dots of an ARN for any character, and turns a statement whose condition does not hold
into a denial. Missing here as there: permission boundaries, session policies, policies of resources, policy
variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Verdict(Enum):
    """How a request is judged."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "no statement allows it"
    DENIED = "a statement denies it"


class UnknownConditionError(Exception):
    """A condition cannot be judged here; the message names its operator and key."""


@dataclass(frozen=True)
class Access:
    """What somebody wants to do.

    :param action: ``s3:GetObject``.
    :param resource: its ARN, or ``*``.
    :param context: the condition keys of the request with their values.
    :param service: the AWS service that asks; None for a user or role with policies of its own.
    :param complete: whether the request has no other keys than those of `context`. If it may have others, a
        condition on them cannot be judged.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)
    service: str | None = None
    complete: bool = True


def judge(policies: Iterable[Mapping[str, Any]], access: Access) -> Verdict:
    """Judge by the rule of IAM: what no statement allows is not allowed, and one that denies it wins.

    :param policies: policy documents of an identity; if a service asks, a role's trust policy.
    :param access: what the identity or service wants to do.
    :raises UnknownConditionError: a condition that matters cannot be judged.
    """
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in statements(policy)
        if _applies(statement, access)
    }
    if "Deny" in effects:
        return Verdict.DENIED
    return Verdict.ALLOWED if "Allow" in effects else Verdict.NOT_ALLOWED


def statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the statements of a policy document, where one alone need not be in a list."""
    return _listed(policy.get("Statement", []))


def _applies(statement: Mapping[str, Any], access: Access) -> bool:
    return (
        _covers(statement, "Action", access.action, ignore_case=True)
        and _covers(statement, "Resource", access.resource)
        and _names(statement.get("Principal"), access.service)
        and all(
            _holds(operator, key, _listed(expected), access)
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def _covers(statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool = False) -> bool:
    if f"Not{element}" in statement:
        return not _matches_any(_listed(statement[f"Not{element}"]), value, ignore_case)
    if element not in statement:
        # A trust policy names no resource: the resource is its role.
        return True
    return _matches_any(_listed(statement[element]), value, ignore_case)


def _names(principal: Any, service: str | None) -> bool:
    if service is None or principal == "*":
        return True
    return isinstance(principal, dict) and service in _listed(principal.get("Service", []))


# --- conditions ---------------------------------------------------------------------------------------------

_EXACT = {"StringEquals", "StringEqualsIgnoreCase", "Bool"}
_LIKE = {"StringLike", "ArnLike", "ArnEquals"}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotLike": "ArnLike",
    "ArnNotEquals": "ArnEquals",
}


def _holds(operator: str, key: str, expected: list[Any], access: Access) -> bool:
    value = {name.lower(): value for name, value in access.context.items()}.get(key.lower())
    name, if_exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    known = operator == "Null" or name in _EXACT | _LIKE | _NEGATED.keys()
    if not known or (value is None and not access.complete):
        raise UnknownConditionError(f"the condition {operator} on {key} cannot be judged here")
    if operator == "Null":
        return (value is None) == (str(expected[0]).lower() == "true")
    if name in _NEGATED:
        return value is None or not _compare(_NEGATED[name], expected, value)
    if value is None:
        return if_exists
    return _compare(name, expected, value)


def _compare(operator: str, expected: list[Any], value: str) -> bool:
    texts = [str(text) for text in expected]
    if operator in _LIKE:
        return _matches_any(texts, value)
    if operator == "StringEquals":
        return value in texts
    return value.lower() in [text.lower() for text in texts]


# --- wildcards ----------------------------------------------------------------------------------------------


def _matches_any(patterns: list[str], value: str, ignore_case: bool = False) -> bool:
    return any(_compiled(pattern, ignore_case).fullmatch(value) for pattern in patterns)


@cache
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
