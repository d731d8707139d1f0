"""Links to the AWS console, in the partition and region of the task's connection."""

from __future__ import annotations

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.links.comprehend import ComprehendDocumentClassifierLink

__all__ = ["ComprehendClassificationJobLink", "ComprehendDocumentClassifierLink"]


class ComprehendClassificationJobLink(BaseAwsLink):
    """
    The console's page on one classification job.

    The path follows the provider's link for PII jobs, because AWS documents no console addresses.
    """

    name = "Classification Job"
    key = "comprehend_classification_job"
    format_str = (
        BASE_AWS_CONSOLE_LINK
        + "/comprehend/home?region={region_name}#/analysis-job-details/classification/{job_id}"
    )
