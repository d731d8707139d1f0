"""Add to moto's IAM ``SimulatePrincipalPolicy``, and permission checks for it and ``GetRole``.

Programs use these two calls to find out permissions, and AWS denies them to most callers. Where IAM is
enforced, they are checked for callers that IAM knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import IAMException
from moto.iam.responses import IamResponse

from nightsort.comprehend.iam_policies import Access, UnknownConditionError, Verdict, judge
from nightsort_local.local_aws.permissions.identities import UnknownIdentityError, identity_of, policies_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECISIONS = {
    Verdict.ALLOWED: "allowed",
    Verdict.NOT_ALLOWED: "implicitDeny",
    Verdict.DENIED: "explicitDeny",
}


class _AccessDenied(IAMException):
    code = "AccessDenied"


class _InvalidInput(IAMException):
    code = "InvalidInput"


def complete_iam(*, enforced: bool) -> None:
    """Add the policy simulator to moto's IAM in this process.

    :param enforced: whether IAM is enforced; otherwise every simulation returns ``allowed``.
    """

    def simulate(response: Any) -> ActionResult:
        principal = response._get_param("PolicySourceArn")
        if enforced:
            _check(response, "iam:SimulatePrincipalPolicy", principal)
        return ActionResult({"IsTruncated": False, "EvaluationResults": list(results(response, principal))})

    def results(response: Any, principal: str) -> Iterator[dict[str, Any]]:
        policies = policies_of(principal) if enforced else ()
        context = {
            entry["ContextKeyName"]: entry["ContextKeyValues"][0]
            for entry in response._get_param("ContextEntries", [])
        }
        for action in response._get_param("ActionNames"):
            for resource in response._get_param("ResourceArns", ["*"]):
                verdict = (
                    _verdict(policies, Access(action, resource, context)) if enforced else Verdict.ALLOWED
                )
                yield {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": _DECISIONS[verdict],
                }

    def get_role(response: Any) -> ActionResult:
        if enforced:
            name = response._get_param("RoleName")
            _check(response, "iam:GetRole", f"arn:aws:iam::{response.current_account}:role/{name}")
        return ActionResult({"Role": response.backend.get_role(response._get_param("RoleName"))})

    # moto has no extension point: it calls the methods of this class by their names.
    IamResponse.simulate_principal_policy = simulate  # type: ignore[attr-defined]
    IamResponse.get_role = get_role  # type: ignore[assignment,method-assign]


def _check(response: Any, action: str, resource: str) -> None:
    """Deny the call if IAM knows the caller and the caller's policies do not allow the action."""
    try:
        caller = identity_of(response.get_access_key(), response.headers.get("X-Amz-Security-Token"))
    except UnknownIdentityError:
        return
    if _verdict(caller.policies, Access(action, resource)) is not Verdict.ALLOWED:
        raise _AccessDenied(
            f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} because no "
            f"identity-based policy allows the {action} action"
        )


def _verdict(policies: Any, access: Access) -> Verdict:
    try:
        return judge(policies, access)
    except UnknownConditionError as error:
        raise _InvalidInput(str(error)) from error
