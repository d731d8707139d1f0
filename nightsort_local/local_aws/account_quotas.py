"""The account's quotas of Comprehend, for Service Quotas: AWS's defaults. moto itself knows VPC's alone."""

from __future__ import annotations

from typing import Any

from moto.servicequotas.models import ServiceQuotasBackend

from nightsort.comprehend.limits import MAX_ACTIVE_CLASSIFICATION_JOBS, MAX_ACTIVE_TRAININGS

_QUOTAS = {
    "L-E65FE76A": ("DocumentClassification max active jobs", MAX_ACTIVE_CLASSIFICATION_JOBS),
    "L-94042C4D": ("DocumentClassifier max active jobs", MAX_ACTIVE_TRAININGS),
}


def know_quotas_of_comprehend() -> None:
    """Let moto's Service Quotas of this process tell those of Comprehend, too."""
    others = ServiceQuotasBackend.get_service_quota

    def get_service_quota(backend: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        if service_code != "comprehend" or quota_code not in _QUOTAS:
            return others(backend, service_code, quota_code)
        name, value = _QUOTAS[quota_code]
        return {
            "ServiceCode": service_code,
            "ServiceName": "Amazon Comprehend",
            "QuotaCode": quota_code,
            "QuotaName": name,
            "Value": float(value),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }

    # moto has no other way in.
    ServiceQuotasBackend.get_service_quota = get_service_quota  # type: ignore[assignment,method-assign]
