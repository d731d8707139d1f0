"""Comprehend's quotas for Service Quotas, with AWS's default values; moto has only those of VPC."""

from __future__ import annotations

from typing import Any

from moto.servicequotas.models import ServiceQuotasBackend

from nightsort.comprehend.limits import MAX_ACTIVE_CLASSIFICATION_JOBS, MAX_ACTIVE_TRAININGS

_QUOTAS = {
    "L-E65FE76A": ("DocumentClassification max active jobs", MAX_ACTIVE_CLASSIFICATION_JOBS),
    "L-94042C4D": ("DocumentClassifier max active jobs", MAX_ACTIVE_TRAININGS),
}


def add_comprehend_quotas() -> None:
    """Add Comprehend's quotas to moto's Service Quotas in this process."""
    get_other_quota = ServiceQuotasBackend.get_service_quota

    def get_service_quota(backend: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        if service_code != "comprehend" or quota_code not in _QUOTAS:
            return get_other_quota(backend, service_code, quota_code)
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

    # moto has no registry of quotas to extend.
    ServiceQuotasBackend.get_service_quota = get_service_quota  # type: ignore[assignment,method-assign]
