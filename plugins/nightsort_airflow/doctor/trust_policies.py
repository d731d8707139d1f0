"""Whether a role's trust policy lets Comprehend assume it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nightsort.comprehend.iam_policies import Access, Verdict, judge, statements
from nightsort.comprehend.role import COMPREHEND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def trust_problem(policy: Mapping[str, Any], *, account: str, sources: Sequence[str]) -> str | None:
    """
    Return why Comprehend could not assume the role; None if it can.

    :param policy: the trust policy.
    :param account: the account whose work it is.
    :param sources: ARNs of what Comprehend works for: classifiers and jobs.
    :raises UnknownConditionError: when it depends on a condition that cannot be evaluated here.
    """
    # Not complete: Comprehend may send other keys than the two below.
    access = Access("sts:AssumeRole", "*", service=COMPREHEND, complete=False)
    allowing = [{**each, "Condition": {}} for each in statements(policy) if each["Effect"] == "Allow"]
    if judge([{"Statement": allowing}], access) is not Verdict.ALLOWED:
        return f"its trust policy does not let {COMPREHEND} do sts:AssumeRole"
    for source in sources:
        context = {"aws:SourceAccount": account, "aws:SourceArn": source}
        verdict = judge([policy], replace(access, context=context))
        if verdict is Verdict.DENIED:
            return f"its trust policy denies Comprehend the role for {source}"
        if verdict is Verdict.NOT_ALLOWED:
            return f"the conditions of its trust policy do not hold for {source} of the account {account}"
    return None
