"""What is good enough for a spec, but probably not meant, is said by key."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.classifier_spec.warnings import dag_problems, spec_warnings


def spec(work_uri: str = "s3://bucket/work", **incoming: Any) -> ClassifierSpec:
    return ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": "MULTI_CLASS",
            "labelled": {"uri": "s3://bucket/labelled/", "format": "csv"},
            "incoming": {"format": "csv", **incoming} if "sql" not in incoming else incoming,
            "work_uri": work_uri,
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
        }
    )


@pytest.mark.parametrize(
    "incoming",
    [
        {"uri": "s3://bucket/in/{day}/"},
        {"uri": "s3://bucket/in/{day:%Y/%m/%d}/*.csv"},
        {"uri": "s3://bucket/in/", "id_column": "id"},
        {"uri": "s3://bucket/in/", "format": "files"},
        {"sql": "SELECT id, text FROM t", "conn_id": "db", "id_column": "id"},
    ],
)
def test_documents_whose_ids_tell_them_apart_need_no_warning(incoming: dict[str, Any]) -> None:
    assert spec_warnings(spec(**incoming)) == []


@pytest.mark.parametrize(
    ("incoming", "key", "says"),
    [
        ({"uri": "s3://bucket/in/"}, "incoming.id_column", "incoming.uri has no day"),
        ({"uri": "s3://bucket/in/docs.csv"}, "incoming.id_column", "gives its rows the ids of other"),
        ({"uri": "s3://bucket/in/{day:%m-%d}/"}, "incoming.uri", "ids made of its files repeat"),
        ({"uri": "s3://bucket/in/{day:%A}/", "format": "files"}, "incoming.uri", "write the year"),
        (
            {"sql": "SELECT id, text FROM t WHERE m = '{day:%Y-%m}'", "conn_id": "db", "id_column": "id"},
            "incoming.sql",
            "reads all of it, and pays for it",
        ),
    ],
)
def test_ids_that_can_repeat_and_documents_that_are_read_again_are_warned_of(
    incoming: dict[str, Any], key: str, says: str
) -> None:
    (warning,) = spec_warnings(spec(**incoming))

    assert warning.key == key
    assert says in warning.message


def test_a_folder_for_the_work_is_nothing_for_dags() -> None:
    (problem,) = dag_problems(spec("/data/work", uri="s3://bucket/in/{day}/"))

    assert problem.key == "work_uri"
    assert '"/data/work" is a folder, which only the commands can use' in problem.message
    assert problem.message.endswith("write s3://bucket/prefix")
    assert problem in spec_warnings(spec("/data/work", uri="s3://bucket/in/{day}/"))


@pytest.mark.parametrize(
    ("schedule", "hours", "days", "warned"),
    [
        ("0 2 * * *", "08:00-18:00", "mon-sun", True),
        ("0 2 * * *", "08:00-18:00", "mon-fri", True),
        ("0 9 * * *", "08:00-18:00", "mon-fri", False),
        ("0 9 * * 6,0", "08:00-18:00", "mon-fri", True),
        # It is open by the time that the batches are prepared.
        ("45 7 * * *", "08:00-18:00", "mon-sun", False),
        ("0 2 * * *", "22:00-06:00", "mon-sun", False),
        (None, "08:00-18:00", "mon-sun", False),
    ],
)
def test_nights_that_never_meet_an_open_endpoint_are_warned_of(
    schedule: str | None, hours: str, days: str, warned: bool
) -> None:
    small = ClassifierSpec.model_validate(
        {
            **spec(uri="s3://bucket/in/{day}/").model_dump(exclude_unset=True),
            "schedule": schedule,
            "real_time": {"hours": hours, "days": days},
            "batch": {"endpoint_below": 500},
        }
    )
    problems = spec_warnings(small)
    assert [problem.key for problem in problems] == (["batch.endpoint_below"] if warned else [])
    assert not warned or f"the endpoint is closed ({hours}" in problems[0].message
