"""The permissions of an identity, from IAM's policy simulator. No call costs or changes anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from nightsort_airflow.aws_errors import is_denied
from nightsort_airflow.doctor.aws_access import UNREACHABLE
from nightsort_airflow.doctor.findings import cannot_tell, failed, ok

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nightsort_airflow.doctor.findings import Outcome

NOT_SIMULATED: Final = "policies of buckets, keys and the organization are not part of the simulation"


@dataclass(frozen=True)
class Permission:
    """
    One permission that an identity needs.

    :param action: for instance ``s3:GetObject``.
    :param resource: ARN of the resource, or ``*``.
    :param context: condition keys of the request, with their values.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = field(default=())


def check_permissions(
    iam: Any, principal: str, permissions: Iterable[Permission], policy_file: str
) -> Outcome:
    """
    Ask IAM whether an identity has all permissions.

    :param iam: a boto3 client.
    :param principal: ARN of the user or role.
    :param permissions: the permissions that it needs.
    :param policy_file: the file in ``docs/iam`` that grants them.
    """
    wanted = list(dict.fromkeys(permissions))
    if principal.endswith(":root"):
        return ok("the account's root user may do anything")
    try:
        missing = [
            f"{permission.action} on {permission.resource}" for permission in _missing(iam, principal, wanted)
        ]
    except (ClientError, *UNREACHABLE) as error:
        return iam_unanswered(error, f"compare the policies of {principal} with docs/iam/{policy_file}")
    if missing:
        return failed(
            f"{principal} is not allowed {', '.join(missing)} ({NOT_SIMULATED})",
            f"grant it: docs/iam/{policy_file}",
        )
    return ok(
        f"allowed by simulation: {', '.join(dict.fromkeys(permission.action for permission in wanted))}"
    )


def iam_unanswered(error: Exception, by_hand: str) -> Outcome:
    """
    Return the finding for a question that IAM did not answer.

    :param error: what came in place of an answer.
    :param by_hand: how to check without it.
    """
    if isinstance(error, ClientError) and is_denied(error):
        return cannot_tell(
            f"the connection may not call iam:{error.operation_name}",
            f"grant it docs/iam/doctor.json, or {by_hand}",
        )
    return cannot_tell(f"IAM does not answer: {error}", by_hand)


def simulated_principal(iam: Any, caller: str) -> str | None:
    """
    Return the identity to simulate; None where it is neither a user nor a role.

    :param iam: a boto3 client.
    :param caller: an ARN from STS.
    :raises ClientError: when IAM does not return the role of a session.
    """
    head, _, name = caller.partition(":assumed-role/")
    if name:
        # The session's ARN leaves out the path of the role.
        arn: str = iam.get_role(RoleName=name.split("/")[0])["Role"]["Arn"]
        return arn
    return caller if ":user/" in head or head.endswith(":root") else None


def _missing(iam: Any, principal: str, permissions: list[Permission]) -> list[Permission]:
    together: dict[tuple[str, tuple[tuple[str, str], ...]], list[Permission]] = {}
    for permission in permissions:
        together.setdefault((permission.resource, permission.context), []).append(permission)
    missing = []
    for (resource, context), asked in together.items():
        allowed = _allowed(
            iam, principal, [permission.action for permission in asked], resource, dict(context)
        )
        missing += [permission for permission in asked if permission.action not in allowed]
    return missing


def _allowed(
    iam: Any, principal: str, actions: list[str], resource: str, context: Mapping[str, str]
) -> set[str]:
    answer = iam.simulate_principal_policy(
        PolicySourceArn=principal,
        ActionNames=actions,
        ResourceArns=[resource],
        ContextEntries=[
            {
                "ContextKeyName": key,
                "ContextKeyValues": [value],
                "ContextKeyType": "boolean" if value == "true" else "string",
            }
            for key, value in context.items()
        ],
    )
    return {
        result["EvalActionName"]
        for result in answer["EvaluationResults"]
        if result["EvalDecision"] == "allowed"
    }
