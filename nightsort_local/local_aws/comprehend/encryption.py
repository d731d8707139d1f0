"""KMS keys in requests. Nothing is encrypted here, but an invalid key is refused as on AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.comprehend.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = re.compile(
    r"(arn:aws[^:]*:kms:[^:]+:\d{12}:key/)?(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
_ALIAS = re.compile(r"(arn:aws[^:]*:kms:[^:]+:\d{12}:)?alias/[a-zA-Z0-9/_-]+")


def check_keys(request: Mapping[str, Any]) -> None:
    """Refuse malformed keys. Ids and key ARNs are valid everywhere, aliases only for the output."""
    keys = [(name, request.get(name), False) for name in ("VolumeKmsKeyId", "ModelKmsKeyId")]
    keys.append(("OutputDataConfig.KmsKeyId", request.get("OutputDataConfig", {}).get("KmsKeyId"), True))
    for name, key, may_be_alias in keys:
        if key is None or _KEY.fullmatch(key) or (may_be_alias and _ALIAS.fullmatch(key)):
            continue
        forms = "a key id, a key ARN, an alias or an alias ARN" if may_be_alias else "a key id or a key ARN"
        raise ApiError("KmsKeyValidationException", f"KMS_KEY_INVALID: {name} must be {forms}.")
