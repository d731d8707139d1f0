"""What a version was trained with, from the report that lies beside its training data."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from nightsort.naming import REPORT_FILE
from nightsort_airflow.hooks.storage import task_access
from nightsort_airflow.ui import queries
from nightsort_airflow.ui.addresses import s3_address
from nightsort_airflow.ui.guard import USER
from nightsort_airflow.ui.rendering import page
from nightsort_airflow.ui.site import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from nightsort_airflow.ui.site import Site

log = logging.getLogger(__name__)

_LONGEST: Final = 20_000_000


@dataclass(frozen=True)
class Reject:
    """
    Labelled documents that cannot be used, for one reason.

    :param examples: where the first of them are.
    """

    reason: str
    documents: int
    remedy: str
    examples: list[str]


def training_report(request: Request) -> Response:
    """Answer with the report of a version's training data, which is read from S3."""
    site: Site = request.app.state.site
    name, version = request.path_params["classifier"], request.path_params["version"]
    site.require(request.scope[USER], name)
    with site.reading(site.connection_of(name)) as connection:
        found = {each.version: each for each in queries.versions(connection, name)}.get(version)
    if found is None:
        raise NotFoundError(version)
    spec = site.loaded().specs.get(name)
    uri = f"{(found.training_uri or '').rpartition('/')[0]}/{REPORT_FILE}"
    report = None
    if spec is not None and found.training_uri:
        try:
            with task_access(spec.aws_conn_id, local=spec.local).path(uri).open("rb") as file:
                report = orjson.loads(file.read(_LONGEST))
        except Exception as error:
            # Whatever it is, the page says where the report lies.
            log.warning("The report of %s %s cannot be read: %s", name, version, type(error).__name__)
    return page(
        request,
        "training_report",
        title=f"{name}: training data",
        name=name,
        version=found,
        report=report,
        rejects=_rejects(report) if report else [],
        uri=uri,
        console=s3_address(found.arn, uri),
    )


def _rejects(report: Mapping[str, Any]) -> list[Reject]:
    examples = report.get("reject_examples", {})
    rejects = [
        Reject(reason, found["documents"], found["remedy"], examples.get(reason, []))
        for reason, found in report.get("rejects", {}).items()
    ]
    return sorted(rejects, key=lambda reject: -reject.documents)
