"""KMS keys are taken in the forms that AWS takes, each where it takes them."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort_local.local_aws.comprehend.encryption import check_keys
from nightsort_local.local_aws.comprehend.errors import ApiError

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:us-east-1:123456789012:key/{KEY_ID}"
ALIAS = "alias/nightsort"


@pytest.mark.parametrize("key", [KEY_ID, KEY_ARN, "mrk-1234abcd12ab34cd56ef1234567890ab"])
def test_ids_and_key_arns_go_everywhere(key: str) -> None:
    check_keys({"VolumeKmsKeyId": key, "ModelKmsKeyId": key, "OutputDataConfig": {"KmsKeyId": key}})


@pytest.mark.parametrize("alias", [ALIAS, f"arn:aws:kms:us-east-1:123456789012:{ALIAS}"])
def test_an_alias_goes_for_the_output_only(alias: str) -> None:
    check_keys({"OutputDataConfig": {"KmsKeyId": alias}})
    for member in ("VolumeKmsKeyId", "ModelKmsKeyId"):
        with pytest.raises(ApiError, match=f"KmsKeyValidationException: .*{member}"):
            check_keys({member: alias})


@pytest.mark.parametrize(
    "request_", [{"VolumeKmsKeyId": "my key"}, {"OutputDataConfig": {"KmsKeyId": "key"}}]
)
def test_anything_else_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="KmsKeyValidationException"):
        check_keys(request_)
