"""The limits are those of the service model that botocore carries."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest

from nightsort.comprehend import limits

SHAPES: Any = botocore.session.get_session().get_service_model("comprehend")


def constraints(shape: str) -> dict[str, Any]:
    found: dict[str, Any] = SHAPES.shape_for(shape).metadata
    return found


@pytest.mark.parametrize(
    ("shape", "most"),
    [
        ("ComprehendArnName", limits.MAX_CLASSIFIER_NAME),
        ("S3Uri", limits.MAX_S3_URI),
        ("KmsKeyId", limits.MAX_KMS_KEY_ID),
        ("JobName", limits.MAX_JOB_NAME),
        ("ClientRequestTokenString", limits.MAX_CLIENT_REQUEST_TOKEN),
        ("TagKey", limits.MAX_TAG_KEY),
        ("TagValue", limits.MAX_TAG_VALUE),
        ("SecurityGroupId", limits.MAX_VPC_ID),
        ("SubnetId", limits.MAX_VPC_ID),
        ("SecurityGroupIds", limits.MAX_SECURITY_GROUPS),
        ("Subnets", limits.MAX_SUBNETS),
        ("MaxResultsInteger", limits.MAX_LIST_RESULTS),
    ],
)
def test_maximum_is_the_service_models(shape: str, most: int) -> None:
    assert constraints(shape)["max"] == most


def test_delimiters_are_exactly_those_that_the_service_allows() -> None:
    allowed = re.compile(constraints("LabelDelimiter")["pattern"])

    assert [chr(code) for code in range(0x250) if allowed.match(chr(code))] == sorted(limits.LABEL_DELIMITERS)


@pytest.mark.parametrize(
    ("shape", "pattern"),
    [("IamRoleArn", limits.ROLE_ARN_PATTERN), ("S3Uri", limits.S3_URI_PATTERN)],
)
def test_pattern_is_the_service_models(shape: str, pattern: re.Pattern[str]) -> None:
    assert pattern.pattern.replace("\\.", ".") == constraints(shape)["pattern"].replace("\\.", ".")


def test_role_arn_has_the_service_models_length() -> None:
    assert (constraints("IamRoleArn")["min"], constraints("IamRoleArn")["max"]) == limits.ROLE_ARN_LENGTH


def test_modes_and_formats_are_the_service_models() -> None:
    assert tuple(SHAPES.shape_for("DocumentClassifierMode").enum) == limits.MODES
    assert set(SHAPES.shape_for("InputFormat").enum) == set(limits.INPUT_FORMATS)
    assert set(limits.LANGUAGES) <= set(SHAPES.shape_for("LanguageCode").enum)


@pytest.mark.parametrize("name", ["a", "aws-services", "1-2-3", "x" * limits.MAX_SPEC_NAME])
def test_a_good_spec_name_is_a_good_classifier_name(name: str) -> None:
    assert limits.SPEC_NAME_PATTERN.fullmatch(name)
    assert re.match(constraints("ComprehendArnName")["pattern"], name)
    assert len(name) < limits.MAX_CLASSIFIER_NAME
