"""How many jobs and trainings the account may have at once, from Service Quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from nightsort.comprehend.limits import MAX_ACTIVE_CLASSIFICATION_JOBS, MAX_ACTIVE_TRAININGS, POOL
from nightsort_airflow.aws_errors import is_denied
from nightsort_airflow.doctor.aws_access import UNREACHABLE
from nightsort_airflow.doctor.findings import Check, cannot_tell, ok, warning

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort_airflow.doctor.aws_access import AwsAccess
    from nightsort_airflow.doctor.findings import Outcome

GROUP: Final = "quotas"

# Codes of the Service Quotas API; include/nightsort/comprehend/limits.py has their sources.
JOBS_QUOTA: Final = "L-E65FE76A"
TRAININGS_QUOTA: Final = "L-94042C4D"


def quota_checks(access: AwsAccess, pool_slots: Callable[[], int | None], needs: Check) -> list[Check]:
    """
    Return the checks of the account's quotas.

    :param access: the AWS connection.
    :param pool_slots: returns the slots of the jobs' pool; None where they are unknown or endless.
    :param needs: the check of the connection.
    """

    def jobs() -> Outcome:
        return _quota(access, JOBS_QUOTA, MAX_ACTIVE_CLASSIFICATION_JOBS, pool_slots())

    def trainings() -> Outcome:
        return _quota(access, TRAININGS_QUOTA, MAX_ACTIVE_TRAININGS, None)

    return [
        Check(GROUP, f"{access.conn_id}: active classification jobs", jobs, (needs,)),
        Check(GROUP, f"{access.conn_id}: active trainings", trainings, (needs,)),
    ]


def _quota(access: AwsAccess, code: str, usual: int, slots: int | None) -> Outcome:
    try:
        answer = access.client("service-quotas").get_service_quota(ServiceCode="comprehend", QuotaCode=code)
    except (ClientError, *UNREACHABLE) as error:
        denied = isinstance(error, ClientError) and is_denied(error)
        why = "the connection may not call servicequotas:GetServiceQuota" if denied else str(error)
        by_hand = "check the quota in AWS's console"
        return cannot_tell(
            f"{why}; AWS's default is {usual}",
            f"grant it docs/iam/doctor.json, or {by_hand}" if denied else by_hand,
        )
    quota = int(answer["Quota"]["Value"])
    if slots is not None and slots > quota:
        return warning(
            f"{quota}, and the pool {POOL} has {slots} slots: jobs above the quota wait",
            f'airflow pools set {POOL} {quota} "Active Comprehend jobs" --include-deferred',
        )
    room = "" if slots is None or slots == quota else f"; the pool {POOL} uses {slots} of them"
    return ok(f"{quota} at once{room}")
