"""The parts of a classifier spec that name the KMS keys and the network of Comprehend."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from nightsort.classifier_spec.problems import Problem, refuse, refuse_keys, shown
from nightsort.classifier_spec.source import SpecPart
from nightsort.comprehend import limits


class Kms(SpecPart):
    """KMS keys for the service's volumes, the model and the output; ``None``: AWS chooses."""

    volume_key_id: str | None = Field(None, min_length=1, max_length=limits.MAX_KMS_KEY_ID)
    model_key_id: str | None = Field(None, min_length=1, max_length=limits.MAX_KMS_KEY_ID)
    output_key_id: str | None = Field(None, min_length=1, max_length=limits.MAX_KMS_KEY_ID)

    @field_validator("volume_key_id", "model_key_id", "output_key_id")
    @classmethod
    def _check_ascii(cls, key_id: str | None) -> str | None:
        if key_id is not None and not key_id.isascii():
            raise refuse(f"{shown(key_id)} is not a KMS key; use the key's id or its ARN")
        return key_id

    @field_validator("volume_key_id", "model_key_id")
    @classmethod
    def _check_no_alias(cls, key_id: str | None) -> str | None:
        if key_id is not None and (key_id.startswith("alias/") or ":alias/" in key_id):
            raise refuse(
                f"{shown(key_id)} is an alias, which Comprehend accepts for the output only; "
                "use the key's id or its ARN"
            )
        return key_id


class Vpc(SpecPart):
    """The VPC in which Comprehend reads the data; both lists empty: no VPC."""

    security_group_ids: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        problems = []
        for key, ids, limit in (
            ("security_group_ids", self.security_group_ids, limits.MAX_SECURITY_GROUPS),
            ("subnets", self.subnets, limits.MAX_SUBNETS),
        ):
            if len(ids) > limit:
                problems.append(Problem(key, f"has {len(ids)} entries; Comprehend accepts {limit}"))
            problems += [
                Problem(key, f"{shown(value)} is not an id like sg-0a1b2c or subnet-0a1b2c")
                for value in ids
                if not limits.VPC_ID_PATTERN.fullmatch(value) or len(value) > limits.MAX_VPC_ID
            ]
        if bool(self.security_group_ids) != bool(self.subnets):
            missing = "subnets" if self.security_group_ids else "security_group_ids"
            problems.append(Problem(missing, "is empty; a VPC needs both lists (or vpc: null)"))
        if problems:
            raise refuse_keys(problems)
        return self
