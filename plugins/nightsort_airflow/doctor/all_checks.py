"""All checks of a deployment, in the order of the report."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nightsort.classifier_spec.model import spec_folders
from nightsort_airflow.doctor.airflow_parts import (
    airflow_checks,
    airflow_checks_in_a_task,
    pool_slots,
)
from nightsort_airflow.doctor.aws_access import AwsAccess, aws_checks
from nightsort_airflow.doctor.buckets import bucket_checks
from nightsort_airflow.doctor.dag_parsing import parse_in_new_process
from nightsort_airflow.doctor.database import database_checks
from nightsort_airflow.doctor.deployed_code import code_checks
from nightsort_airflow.doctor.endpoints import endpoint_checks
from nightsort_airflow.doctor.findings import Check, failed, ok, warning
from nightsort_airflow.doctor.quotas import quota_checks
from nightsort_airflow.doctor.roles import role_checks
from nightsort_airflow.doctor.versions import version_checks
from nightsort_airflow.spec_loading import read_specs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec, LoadedSpecs
    from nightsort_airflow.doctor.dag_parsing import ParsedDags
    from nightsort_airflow.doctor.findings import Outcome

SPECS: Final = "specs"


def deployment_checks(
    names: Sequence[str] = (),
    *,
    in_a_task: bool,
    parse: Callable[[], ParsedDags] = parse_in_new_process,
) -> Iterator[Check]:
    """
    Return all checks of a deployment.

    :param names: the specs to check; none: all.
    :param in_a_task: whether a task checks, which may not read Airflow's database.
    :param parse: parses the DAG files.
    """
    loaded = read_specs()
    specs = [spec for name, spec in loaded.specs.items() if not names or name in names]
    yield from version_checks()
    yield from _spec_checks(loaded, names)
    dag_ids = [dag_id for spec in specs for dag_id in spec.dag_ids]
    yield from code_checks(dag_ids, parse)
    yield from airflow_checks_in_a_task() if in_a_task else airflow_checks(dag_ids)
    for conn_id in dict.fromkeys(spec.aws_conn_id for spec in specs):
        users = [spec for spec in specs if spec.aws_conn_id == conn_id]
        yield from _checks_on_aws(AwsAccess(conn_id), users, loaded.specs, in_a_task=in_a_task)
    for conn_id in dict.fromkeys(spec.db_conn_id for spec in specs):
        yield from database_checks(conn_id)


def _checks_on_aws(
    access: AwsAccess,
    specs: Sequence[ClassifierSpec],
    all_specs: Mapping[str, ClassifierSpec],
    *,
    in_a_task: bool,
) -> Iterator[Check]:
    identity, *others = aws_checks(access, specs)
    yield from (identity, *others)
    yield from quota_checks(access, (lambda: None) if in_a_task else pool_slots, identity)
    yield from endpoint_checks(access, specs, all_specs, identity)
    yield from role_checks(access, specs, identity)
    yield from bucket_checks(access, specs, identity)


def _spec_checks(loaded: LoadedSpecs[ClassifierSpec], names: Sequence[str]) -> Iterator[Check]:
    """Return a check for each spec, broken or not; with names, only for those."""

    def known_check(subject: str, outcome: Outcome) -> Check:
        return Check(SPECS, subject, lambda: outcome)

    if not loaded.specs and not loaded.errors:
        folders = ", ".join(map(str, spec_folders(os.environ)))
        yield known_check(
            "all", warning(f"there is no spec in {folders}", "write one: docs/classifier-spec.md")
        )
    for name in names:
        if name not in loaded.specs:
            known = ", ".join(loaded.specs) or "none"
            yield known_check(
                name,
                failed(f"there is no valid spec of this name; the valid ones are: {known}", "correct --spec"),
            )
    for name, spec in loaded.specs.items():
        if not names or name in names:
            schedule = spec.schedule or "by hand only"
            yield known_check(name, ok(f"{spec.mode}, {spec.language}, schedule {schedule}"))
    if not names:
        for error in loaded.errors:
            yield known_check(
                "a broken spec",
                failed(" ".join(str(error).split()), "correct it: its DAGs are missing until then"),
            )
