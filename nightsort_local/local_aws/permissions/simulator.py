"""What moto's IAM lacks: ``SimulatePrincipalPolicy``, and that not everybody may ask what a role may.

Of IAM's calls, these two and ``GetRole`` are the ones that a program makes to find out about rights, and AWS
refuses them to most. So with IAM in force they are judged, for a caller whom IAM knows.
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
    """Give moto's IAM of this process its simulator.

    :param enforced: whether IAM is in force; where it is not, everything is allowed to everybody.
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
                    _judged(policies, Access(action, resource, context)) if enforced else Verdict.ALLOWED
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

    # moto has no other way in: it calls the methods of this class by their names.
    IamResponse.simulate_principal_policy = simulate  # type: ignore[attr-defined]
    IamResponse.get_role = get_role  # type: ignore[assignment,method-assign]


def _check(response: Any, action: str, resource: str) -> None:
    """Refuse a call to a caller whom IAM knows and whose policies do not allow it."""
    try:
        caller = identity_of(response.get_access_key(), response.headers.get("X-Amz-Security-Token"))
    except UnknownIdentityError:
        return
    if _judged(caller.policies, Access(action, resource)) is not Verdict.ALLOWED:
        raise _AccessDenied(
            f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} because no "
            f"identity-based policy allows the {action} action"
        )


def _judged(policies: Any, access: Access) -> Verdict:
    try:
        return judge(policies, access)
    except UnknownConditionError as error:
        raise _InvalidInput(str(error)) from error
