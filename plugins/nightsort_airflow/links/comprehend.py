"""
Links to the AWS console, in the partition and region of the task's connection.

Airflow asks a link for its address when the task ends in a worker. That is too late for a task that waits in
the triggerer, and never comes for one that ends there. So the operators store the address as soon as they
know what there is to open (see :meth:`nightsort_airflow.waiting.ComprehendWaiting.persist_link`).

AWS documents no addresses of its console. These follow the provider's links and what the console shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.providers.amazon.aws.links.base_aws import BaseAwsLink
from airflow.sdk import BaseOperatorLink

from nightsort.layout import S3

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class ConsoleLink(BaseOperatorLink):
    """A link to a page of the AWS console. Not for use by itself."""

    name: ClassVar[str]
    page: ClassVar[str]

    @classmethod
    def address(cls, *, partition: str, region: str, **ids: str) -> str | None:
        """
        Return the page's address; None in a partition whose console has no known address.

        :param partition: the AWS partition, for instance ``aws-cn``.
        :param region: the AWS region.
        :param ids: what the page shows.
        """
        domain = BaseAwsLink.get_aws_domain(partition)
        return f"https://console.{domain}{cls.page.format(region=region, **ids)}" if domain else None

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the address that the operator stored; empty where it started nothing.

        :param operator: the task.
        :param ti_key: the task instance.
        """
        address: str = operator.console_links.get(self.xcom_key, "")
        return address


class ComprehendClassificationJobLink(ConsoleLink):
    """The console's page on one classification job (``job_id``)."""

    name = "Job in the AWS console"
    page = "/comprehend/home?region={region}#/analysis-job-details/classification/{job_id}"


class ComprehendClassifierVersionLink(ConsoleLink):
    """The console's page on one version of a document classifier (``arn``)."""

    name = "Version in the AWS console"
    page = "/comprehend/home?region={region}#classifier-version-details/{arn}"


class ComprehendEndpointLink(ConsoleLink):
    """The console's list of endpoints; the address of a single one is not known."""

    name = "Endpoints in the AWS console"
    page = "/comprehend/home?region={region}#endpoints"


class S3Link(ConsoleLink):
    """The console's page on an object or a folder in S3 (``uri``). Not for use by itself."""

    page = "/s3/{kind}/{bucket}?region={region}&prefix={key}"

    @classmethod
    def address(cls, *, partition: str, region: str, uri: str = "", **ids: str) -> str | None:
        """
        Return the page's address; None where the data are not in S3.

        :param partition: the AWS partition, for instance ``aws-cn``.
        :param region: the AWS region.
        :param uri: the object; or the folder, which ends in a slash.
        :param ids: nothing more.
        """
        if not uri.startswith(S3):
            return None
        bucket, _, key = uri.removeprefix(S3).partition("/")
        kind = "object" if key and not key.endswith("/") else "buckets"
        return super().address(partition=partition, region=region, kind=kind, bucket=bucket, key=quote(key))


class JobOutputLink(S3Link):
    """What a classification job wrote."""

    name = "Output in S3"


class TrainingDataLink(S3Link):
    """What a version is trained with, and what Nightsort reports of it."""

    name = "Training data in S3"
