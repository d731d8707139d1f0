"""Does a role's trust policy let Comprehend work with it?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from include.nightsort.rights import COMPREHEND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EXACT: Final = ("StringEquals", "StringEqualsIgnoreCase")
_PATTERNS: Final = ("StringLike", "ArnLike", "ArnEquals")


class UnknownConditionError(Exception):
    """A condition of the policy cannot be judged here; the message names it."""


def trust_problem(policy: Mapping[str, Any], *, account: str, sources: Sequence[str]) -> str | None:
    """
    Say why Comprehend would not get the role; None: it gets it.

    :param policy: the trust policy.
    :param account: the account whose work it is.
    :param sources: ARNs of what Comprehend works for: classifiers and jobs.
    :raises UnknownConditionError: it depends on a condition that is unknown here.
    """
    statements = [
        statement
        for statement in _listed(policy.get("Statement", []))
        if _covers(statement, "Action", "sts:AssumeRole") and _names_comprehend(statement.get("Principal"))
    ]
    if not any(statement["Effect"] == "Allow" for statement in statements):
        return f"its trust policy does not let {COMPREHEND} do sts:AssumeRole"
    for source in sources:
        context = {"aws:sourceaccount": account, "aws:sourcearn": source}
        effects = {statement["Effect"] for statement in statements if _holds(statement, context)}
        if "Deny" in effects:
            return f"its trust policy denies Comprehend the role for {source}"
        if "Allow" not in effects:
            return f"the conditions of its trust policy do not hold for {source} of the account {account}"
    return None


def _names_comprehend(principal: Any) -> bool:
    if isinstance(principal, dict):
        return COMPREHEND in _listed(principal.get("Service", []))
    return bool(principal == "*")


def _covers(statement: Mapping[str, Any], element: str, value: str) -> bool:
    return any(_matches(pattern, value, re.IGNORECASE) for pattern in _listed(statement.get(element, [])))


def _holds(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    return all(
        _condition_holds(operator, key, [str(value) for value in _listed(expected)], context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, expected in keys.items()
    )


def _condition_holds(operator: str, key: str, expected: list[str], context: Mapping[str, str]) -> bool:
    # The keys that are sent are always there, so IfExists changes nothing.
    name, value = operator.removesuffix("IfExists"), context.get(key.lower())
    if value is None or name not in (*_EXACT, *_PATTERNS):
        raise UnknownConditionError(f"{operator} on {key}")
    if name in _PATTERNS:
        return any(_matches(pattern, value) for pattern in expected)
    if name == "StringEqualsIgnoreCase":
        return value.lower() in [text.lower() for text in expected]
    return value in expected


def _matches(pattern: str, value: str, flags: int = 0) -> bool:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(text, value, flags) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
