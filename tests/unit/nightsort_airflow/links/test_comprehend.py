from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from nightsort_airflow.links.comprehend import ComprehendClassificationJobLink

JOB_ID = "0123456789abcdef0123456789abcdef"


class Operator:
    do_xcom_push = True


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_the_link_leads_to_the_job_in_the_connections_partition_and_region(
    context: dict[str, Any], partition: str, region: str, host: str
) -> None:
    link = ComprehendClassificationJobLink()
    link.persist(
        context=context,
        operator=Operator(),
        region_name=region,
        aws_partition=partition,
        job_id=JOB_ID,
    )
    url = urlsplit(link.format_link(**context["ti"].pushed[link.key]))
    assert (url.scheme, url.netloc, url.query) == ("https", host, f"region={region}")
    assert url.fragment.endswith(JOB_ID)
