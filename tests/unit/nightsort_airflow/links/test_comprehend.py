from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from nightsort_airflow.links.comprehend import (
    ComprehendClassificationJobLink,
    ComprehendClassifierVersionLink,
    JobOutputLink,
    TrainingDataLink,
)

if TYPE_CHECKING:
    from nightsort_airflow.links.comprehend import ConsoleLink

JOB_ID = "0123456789abcdef0123456789abcdef"
ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v1"


class Operator:
    def __init__(self, **links: str) -> None:
        self.console_links = links


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_a_link_leads_into_the_connections_partition_and_region(
    partition: str, region: str, host: str
) -> None:
    address = ComprehendClassificationJobLink.address(partition=partition, region=region, job_id=JOB_ID)
    url = urlsplit(address or "")
    assert (url.scheme, url.netloc, url.query) == ("https", host, f"region={region}")
    assert url.fragment.endswith(JOB_ID)


def test_a_version_has_its_own_page() -> None:
    address = ComprehendClassifierVersionLink.address(partition="aws", region="eu-west-1", arn=ARN)
    assert (address or "").startswith("https://console.aws.amazon.com/comprehend/home?region=eu-west-1#")
    assert (address or "").endswith(ARN)


@pytest.mark.parametrize(
    ("uri", "path", "prefix"),
    [
        ("s3://bucket/a/output.tar.gz", "/s3/object/bucket", "a/output.tar.gz"),
        ("s3://bucket/training/v1/", "/s3/buckets/bucket", "training/v1/"),
        ("s3://bucket/a b&c/ö#1.csv", "/s3/object/bucket", "a b&c/ö#1.csv"),
        ("s3://bucket/", "/s3/buckets/bucket", ""),
    ],
)
def test_objects_and_folders_in_s3_have_pages_whatever_their_keys_look_like(
    uri: str, path: str, prefix: str
) -> None:
    for link in (JobOutputLink, TrainingDataLink):
        url = urlsplit(link.address(partition="aws", region="eu-west-1", uri=uri) or "")
        assert (url.netloc, url.path, url.fragment) == ("console.aws.amazon.com", path, "")
        asked = parse_qs(url.query, keep_blank_values=True)
        assert asked == {"region": ["eu-west-1"], "prefix": [prefix]}


@pytest.mark.parametrize("link", [JobOutputLink, TrainingDataLink])
def test_what_is_not_in_s3_has_no_page(link: type[ConsoleLink]) -> None:
    assert link.address(partition="aws", region="eu-west-1", uri="/data/output.tar.gz") is None
    assert link.address(partition="aws", region="eu-west-1", uri="") is None


def test_a_partition_whose_console_nobody_knows_has_no_links() -> None:
    assert ComprehendClassificationJobLink.address(partition="aws-iso", region="x", job_id=JOB_ID) is None


def test_airflow_gets_the_address_that_the_operator_stored_and_none_where_nothing_was_started() -> None:
    link = ComprehendClassificationJobLink()
    started = Operator(**{link.xcom_key: "https://console"})
    assert link.get_link(started, ti_key=None) == "https://console"  # type: ignore[arg-type]
    assert link.get_link(Operator(), ti_key=None) == ""  # type: ignore[arg-type]


def test_each_link_of_a_task_has_an_xcom_of_its_own() -> None:
    links = (
        ComprehendClassificationJobLink(),
        ComprehendClassifierVersionLink(),
        JobOutputLink(),
        TrainingDataLink(),
    )
    assert len({link.xcom_key for link in links}) == len({link.name for link in links}) == 4
