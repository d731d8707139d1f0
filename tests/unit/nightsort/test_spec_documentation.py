"""The page on the spec names every key and its real default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nightsort.classifier_spec.model import (
    BatchLimits,
    Budget,
    ClassifierSpec,
    Export,
    Kms,
    LabelledSource,
    Notifier,
    Promotion,
    Quality,
    RealTime,
    Reuse,
    Vpc,
)
from nightsort.classifier_spec.real_time import Autoscale

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

PAGE = (Path(__file__).parents[3] / "docs" / "classifier-spec.md").read_text()
PARTS: dict[str, type[BaseModel]] = {
    "": LabelledSource,
    "promotion.": Promotion,
    "batch.": BatchLimits,
    "budget.": Budget,
    "quality.": Quality,
    "reuse.": Reuse,
    "export.": Export,
    "real_time.": RealTime,
    "real_time.autoscale.": Autoscale,
    "kms.": Kms,
    "vpc.": Vpc,
    "notifiers.": Notifier,
}


def keys() -> list[tuple[str, FieldInfo]]:
    """Every key of a spec, in dotted form, with its field."""
    of_spec = [(key, of) for key, of in ClassifierSpec.model_fields.items() if f"{key}." not in PARTS]
    return of_spec + [
        (prefix + key, of) for prefix, part in PARTS.items() for key, of in part.model_fields.items()
    ]


@pytest.mark.parametrize(("key", "field"), keys(), ids=[key for key, _ in keys()])
def test_every_key_is_explained_with_its_default(key: str, field: FieldInfo) -> None:
    row = next((line for line in PAGE.splitlines() if re.match(rf"\|.*`{re.escape(key)}`", line)), None)

    assert row is not None, f"docs/classifier-spec.md does not explain {key}"
    if isinstance(field.default, str | float | bool):
        shown = f"{field.default:,}" if type(field.default) is int else str(field.default)
        assert shown.lower() in row.lower()
