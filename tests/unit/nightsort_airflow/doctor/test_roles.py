"""The rights that are asked for are those that the documented policies grant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import NoRegionError

from nightsort_airflow.doctor.aws_access import AwsAccess
from nightsort_airflow.doctor.findings import Check, ok
from nightsort_airflow.doctor.roles import (
    comprehend_permissions,
    data_permissions,
    endpoint_permissions,
    role_checks,
    small_night_permissions,
)
from tests.airflow_environment import ROOT
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


def documented(name: str) -> set[str]:
    statements = json.loads((ROOT / "docs" / "iam" / name).read_text())["Statement"]
    actions = [statement["Action"] for statement in statements]
    return {action for named in actions for action in ([named] if isinstance(named, str) else named)}


def asked(folder: Path, **changes: Any) -> dict[str, str]:
    spec = local_spec(folder, **{"work_uri": "s3://your-bucket/nightsort/tickets", **changes})
    return {right.action: right.resource for right in data_permissions(spec, "us-east-1")}


def test_the_data_access_role_is_asked_for_what_its_policy_grants(tmp_path: Path) -> None:
    rights = asked(tmp_path)
    assert set(rights) == documented("data-access-role-policy.json")
    assert rights["s3:ListBucket"] == "arn:aws:s3:::your-bucket"
    for action in ("s3:GetObject", "s3:PutObject"):
        assert rights[action].startswith("arn:aws:s3:::your-bucket/nightsort/tickets/")


def test_keys_and_a_network_add_what_their_policies_grant(tmp_path: Path) -> None:
    plain = set(asked(tmp_path))
    key = "11111111-2222-3333-4444-555555555555"
    keys = {"volume_key_id": key, "output_key_id": f"arn:aws:kms:us-east-1:123456789012:key/{key}"}
    with_keys = asked(tmp_path, kms=keys)
    assert set(with_keys) - plain == documented("data-access-role-kms-policy.json")
    assert with_keys["kms:CreateGrant"] == with_keys["kms:GenerateDataKey"] == keys["output_key_id"]
    network = {"security_group_ids": ["sg-1"], "subnets": ["subnet-1"]}
    assert set(asked(tmp_path, vpc=network)) - plain == documented("data-access-role-vpc-policy.json")


def test_a_key_behind_an_alias_is_not_asked_for_since_it_is_not_known(tmp_path: Path) -> None:
    assert "kms:GenerateDataKey" not in asked(tmp_path, kms={"output_key_id": "alias/results"})


def test_the_connection_is_asked_for_what_only_a_paid_call_would_show(tmp_path: Path) -> None:
    def actions(**changes: Any) -> set[str]:
        rights = comprehend_permissions(AwsAccess("aws_default"), [local_spec(tmp_path, **changes)])
        return {right.action for right in rights}

    everything = actions(tags={"team": "support"})
    paid = {name for name in documented("airflow-policy.json") if name.startswith("comprehend:")}
    assert everything == {name for name in paid if "Describe" not in name and "List" not in name}
    lean = actions(stop_training_on_kill=False, training_time_limit_hours=None)
    assert lean == {"comprehend:CreateDocumentClassifier", "comprehend:StartDocumentClassificationJob"}


def test_the_connection_is_asked_for_what_the_policies_of_real_time_grant(tmp_path: Path) -> None:
    access, real_time = AwsAccess("aws_default"), {"hours": "08:00-18:00"}
    scaled = local_spec(tmp_path, real_time={**real_time, "autoscale": {"max": 2}})
    small = local_spec(tmp_path, real_time=real_time, batch={"endpoint_below": 500})
    rights = {right.action: right.resource for right in endpoint_permissions(access, [scaled])}
    assert set(rights) == documented("airflow-real-time-policy.json")
    assert rights["comprehend:DeleteEndpoint"].endswith(
        ":123456789012:document-classifier-endpoint/nightsort-tickets"
    )
    fixed = {right.action for right in endpoint_permissions(access, [small])}
    assert {name for name in rights.keys() - fixed if name.startswith("comprehend:")} == set()
    assert fixed.isdisjoint({"iam:CreateServiceLinkedRole", "cloudwatch:PutMetricAlarm"})
    night = {right.action for right in small_night_permissions(access, [scaled, small])}
    assert night == documented("airflow-small-nights-policy.json")
    plain = [local_spec(tmp_path)]
    assert [*endpoint_permissions(access, plain), *small_night_permissions(access, [*plain, scaled])] == []


def test_a_connection_without_a_region_has_its_checks_all_the_same(tmp_path: Path) -> None:
    class WithoutRegion(AwsAccess):
        @property
        def region(self) -> str:
            raise NoRegionError

    spec = local_spec(tmp_path, real_time={"hours": "08:00-18:00"}, batch={"endpoint_below": 500})
    needed = Check("aws", "aws_default", lambda: ok("there"))
    checks = [check.subject for check in role_checks(WithoutRegion("aws_default"), [spec], needed)]
    for doing in ("train and classify", "open and close endpoints", "send small nights"):
        assert f"aws_default: may {doing}" in checks
