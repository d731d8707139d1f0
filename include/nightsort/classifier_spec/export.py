"""The part of a classifier spec that names where results are written as files."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from nightsort.classifier_spec.source import SpecPart
from nightsort.classifier_spec.uris import fixed_prefix


class Export(SpecPart):
    """Also write results as Parquet files, partitioned by classifier and day.

    :param format: of the files. ``export: parquet`` is short for ``export: {format: parquet}``.
    :param uri: the folder of the partitions, without a slash at its end; ``None``: ``predictions`` below
        ``work_uri``. Several classifiers may share one folder.
    """

    format: Literal["parquet"] = "parquet"
    uri: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_format_alone(cls, data: Any) -> Any:
        return {"format": data} if isinstance(data, str) else data

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        return uri if uri is None else fixed_prefix(uri)
