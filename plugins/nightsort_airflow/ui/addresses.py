"""Addresses of the pages, of Airflow's own pages, and of the AWS console, wherever Airflow is mounted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from nightsort_airflow.links.comprehend import (
    ComprehendClassificationJobLink,
    ComprehendClassifierVersionLink,
    S3Link,
)
from nightsort_airflow.ui import PREFIX

if TYPE_CHECKING:
    from nightsort.tables.run_summaries import RunSummary
    from nightsort_airflow.ui.airflow_state import RunFacts


@dataclass(frozen=True)
class Link:
    """
    A link out of the pages.

    :param text: what it says.
    :param address: where it leads.
    """

    text: str
    address: str


class Addresses:
    """
    Addresses for one request.

    :param root_path: the path that the app is mounted at, as in the request's scope; it ends with ours.
    """

    def __init__(self, root_path: str) -> None:
        self.root = root_path.rstrip("/")
        self.airflow = self.root.removesuffix(PREFIX)

    def overview(self) -> str:
        """Return the page of all classifiers."""
        return f"{self.root}/"

    def classifier(self, name: str, anchor: str = "") -> str:
        """Return the page of a classifier, or a part of it."""
        return f"{self.root}/classifiers/{quote(name, safe='')}{f'#{anchor}' if anchor else ''}"

    def drift(self, name: str) -> str:
        """Return the page of a classifier's drift."""
        return f"{self.classifier(name)}/drift"

    def version(self, name: str, version: str, part: str = "") -> str:
        """Return the page of a classifier with one version, or a part of that version."""
        below = f"/{part}" if part else ""
        return f"{self.classifier(name)}/versions/{quote(version, safe='')}{below}"

    def night(self, name: str, run_key: str, part: str = "") -> str:
        """Return the page of a night, or a file of it."""
        below = f"/{part}" if part else ""
        return f"{self.classifier(name)}/nights/{quote(run_key, safe='')}{below}"

    def dag(self, dag_id: str) -> str:
        """Return Airflow's page of a DAG."""
        return f"{self.airflow}/dags/{quote(dag_id, safe='')}"

    def dag_run(self, dag_id: str, run_id: str) -> str:
        """Return Airflow's page of a run."""
        return f"{self.dag(dag_id)}/runs/{quote(run_id, safe='')}"

    def task(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
        """Return Airflow's page of a task, with its log."""
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        return f"{self.dag_run(dag_id, run_id)}/tasks/{quote(task_id, safe='')}{mapped}"

    def required_actions(self, dag_id: str, run_id: str) -> str:
        """Return Airflow's page of the questions of a run."""
        return f"{self.dag_run(dag_id, run_id)}/required_actions"

    def run_links(
        self,
        run: RunSummary | None,
        facts: RunFacts | None,
        arn: str | None = None,
        failed_job: str | None = None,
    ) -> list[Link]:
        """
        Return where to look further when a night is not well: the run, a task's log, a job that failed.

        :param run: the night, if it has a row.
        :param facts: the DAG run, if Airflow knows it.
        :param arn: of a version of the classifier, for partition and region.
        :param failed_job: the id of the last job that failed, if one did.
        """
        links = []
        dag_id, run_id = (facts.dag_id, facts.run_id) if facts else (run and run.dag_id, run and run.run_id)
        if dag_id and run_id:
            if facts and facts.question:
                links.append(Link("Answer the question", self.required_actions(dag_id, run_id)))
            if facts and facts.failed_task:
                task = self.task(dag_id, run_id, facts.failed_task, facts.map_index)
                links.append(Link(f"Log of {facts.failed_task}", task))
            links.append(Link("Run in Airflow", self.dag_run(dag_id, run_id)))
        if address := job_address(arn, failed_job):
            links.append(Link("Failed job in the AWS console", address))
        return links


def job_address(arn: str | None, job_id: str | None) -> str | None:
    """
    Return the page of a classification job in the AWS console.

    :param arn: of the version that classified, for partition and region.
    :param job_id: the job.
    """
    partition, region = _place(arn)
    if not partition or not job_id:
        return None
    return ComprehendClassificationJobLink.address(partition=partition, region=region, job_id=job_id)


def version_address(arn: str) -> str | None:
    """
    Return the page of a version in the AWS console.

    :param arn: of the version.
    """
    partition, region = _place(arn)
    return (
        ComprehendClassifierVersionLink.address(partition=partition, region=region, arn=arn)
        if partition
        else None
    )


def s3_address(arn: str | None, uri: str | None) -> str | None:
    """
    Return the page of an object or a folder in the AWS console.

    :param arn: of a version, for partition and region.
    :param uri: the object.
    """
    partition, region = _place(arn)
    return S3Link.address(partition=partition, region=region, uri=uri) if partition and uri else None


def _place(arn: str | None) -> tuple[str, str]:
    """Return partition and region of an ARN, empty where it is none."""
    parts = (arn or "").split(":")
    return (parts[1], parts[3]) if len(parts) > 5 else ("", "")
