"""The classifier spec: one YAML file with everything that a person decides about one classifier.

Reading the file checks it, so a mistake is found before anything is paid.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from nightsort.classifier_spec.alerts import Notifier, alert_problems
from nightsort.classifier_spec.aws import Kms, Vpc
from nightsort.classifier_spec.batch import BatchLimits
from nightsort.classifier_spec.budget import Approver, Budget
from nightsort.classifier_spec.export import Export
from nightsort.classifier_spec.loading import LoadedSpecs, read_yaml, spec_files, spec_folders
from nightsort.classifier_spec.problems import Problem, SpecError, describe, refuse, refuse_keys, shown
from nightsort.classifier_spec.quality import Quality
from nightsort.classifier_spec.real_time import Autoscale, RealTime
from nightsort.classifier_spec.reuse import Reuse
from nightsort.classifier_spec.schedule import schedule_problem, unread_days
from nightsort.classifier_spec.source import Format, IncomingSource, LabelledSource, Source, SpecPart
from nightsort.classifier_spec.uris import fixed_prefix, overlap
from nightsort.comprehend import limits
from nightsort.layout import S3, WorkLayout

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "Approver",
    "BatchLimits",
    "Budget",
    "ClassifierSpec",
    "Export",
    "Format",
    "IncomingSource",
    "Kms",
    "LabelledSource",
    "LoadedSpecs",
    "Notifier",
    "Problem",
    "Promotion",
    "Quality",
    "RealTime",
    "Reuse",
    "Source",
    "SpecError",
    "Vpc",
    "load_spec",
    "load_specs",
    "spec_folders",
]

ConnectionId = Annotated[str, Field(min_length=1)]


class Promotion(SpecPart):
    """When a new version becomes the active one.

    :param metric: the metric that is compared, on the same test set.
    :param least_gain: how much better the new version must be; at 0.0 any gain is enough.
    """

    metric: Literal["macro_f1", "micro_f1", "accuracy"] = "macro_f1"
    least_gain: float = Field(0.0, ge=0, lt=1, strict=True)


class ClassifierSpec(SpecPart):
    """Everything that a person decides about one classifier; see ``docs`` for each key."""

    name: str = Field(description="Names the DAGs, the classifier, the S3 keys and the jobs.")
    description: str | None = None
    owner: str = Field("nightsort", min_length=1, description="Who answers for it; Airflow shows it.")
    mode: limits.Mode
    language: limits.Language = "en"
    label_delimiter: str | None = Field(
        None, description='MULTI_LABEL: joins labels, default "|". Else None.'
    )
    labelled: LabelledSource
    incoming: IncomingSource
    work_uri: str = Field(description="Where Nightsort and Comprehend write; never ends in a slash.")
    data_access_role_arn: str
    aws_conn_id: ConnectionId = "aws_default"
    db_conn_id: ConnectionId = "nightsort_db"
    schedule: str | None = Field(None, description="Cron, at most one run a day; None: only by hand.")
    timezone: str = "UTC"
    no_files: Literal["ok", "warn", "fail"] = Field("warn", description="What a night without files is.")
    input_format: limits.InputFormat = "ONE_DOC_PER_LINE"
    small_labels: Literal["error", "leave_out"] = "error"
    min_documents_per_label: int = Field(
        limits.MIN_DOCUMENTS_PER_LABEL, ge=limits.MIN_DOCUMENTS_PER_LABEL, strict=True
    )
    recommended_documents_per_label: int = Field(limits.RECOMMENDED_DOCUMENTS_PER_LABEL, ge=1, strict=True)
    test_share: float = Field(0.1, gt=0, le=0.5, strict=True)
    threshold: float = Field(0.5, gt=0, lt=1, strict=True)
    promotion: Promotion = Promotion()
    training_warnings: Literal["accept", "fail"] = "accept"
    stop_training_on_kill: bool = True
    training_time_limit_hours: float | None = Field(24.0, gt=0, le=24 * 30, strict=True)
    budget: Budget = Budget()
    quality: Quality = Quality()
    drift: Literal["off", "warn", "notify"] = Field(
        "warn", description="What is done about a night whose labels are distributed otherwise."
    )
    loaded_by: str | None = Field(None, description="HH:MM in `timezone`; a later night calls the notifiers.")
    notifiers: tuple[Notifier, ...] = ()
    batch: BatchLimits = BatchLimits()
    reuse: Reuse = Reuse()
    export: Export | None = None
    real_time: RealTime | None = Field(None, description="An endpoint at certain hours; None: there is none.")
    kms: Kms = Kms()
    vpc: Vpc | None = None
    tags: dict[str, str] = Field(default_factory=dict)

    # Each field belongs to `training_settings` or to one of these two lists; a test checks it. If a field
    # that changes the model were in none of them, a changed spec would reuse the old version.
    CHANGES_TRAINING_DATA: ClassVar[frozenset[str]] = frozenset(
        {"labelled", "min_documents_per_label", "small_labels", "test_share"}
    )
    """Fields that choose the training and test documents. The hash of these documents covers them."""

    DOES_NOT_CHANGE_MODEL: ClassVar[frozenset[str]] = frozenset(
        {
            "aws_conn_id",
            "batch",
            "budget",
            "data_access_role_arn",
            "db_conn_id",
            "description",
            "drift",
            "export",
            "incoming",
            "input_format",
            "kms.output_key_id",
            "kms.volume_key_id",
            "loaded_by",
            "name",
            "no_files",
            "notifiers",
            "owner",
            "promotion",
            "quality",
            "real_time",
            "recommended_documents_per_label",
            "reuse",
            "schedule",
            "stop_training_on_kill",
            "tags",
            "threshold",
            "timezone",
            "training_time_limit_hours",
            "training_warnings",
            "vpc",
            "work_uri",
        }
    )
    """Fields that may change without a new training."""

    def training_settings(self) -> dict[str, str | None]:
        """Return the settings that make a new version of the classifier, besides the documents.

        A version's name holds a hash of these keys and values, so a new key here gives every classifier a new
        version.
        """
        return {
            "mode": self.mode,
            "language": self.language,
            "label_delimiter": self.label_delimiter,
            "model_key_id": self.kms.model_key_id,
        }

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not limits.SPEC_NAME_PATTERN.fullmatch(name):
            suggestion = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: limits.MAX_SPEC_NAME]
            remedy = f", for instance {suggestion}" if suggestion else ""
            raise refuse(f"{shown(name)} is not a name; use a-z, 0-9 and single hyphens between them{remedy}")
        if len(name) > limits.MAX_SPEC_NAME:
            raise refuse(f"has {len(name)} characters; shorten it to {limits.MAX_SPEC_NAME}")
        return name

    @field_validator("label_delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (len(delimiter) != 1 or delimiter not in limits.LABEL_DELIMITERS):
            choices = "space tab " + " ".join(limits.LABEL_DELIMITERS.replace(" ", "").replace("\t", ""))
            raise refuse(f"{shown(delimiter)} is not a delimiter of Comprehend; choose one of  {choices}")
        return delimiter

    @field_validator("work_uri")
    @classmethod
    def _check_work_uri(cls, uri: str) -> str:
        return fixed_prefix(uri)

    @field_validator("data_access_role_arn")
    @classmethod
    def _check_role(cls, arn: str) -> str:
        least, most = limits.ROLE_ARN_LENGTH
        if not limits.ROLE_ARN_PATTERN.fullmatch(arn) or not least <= len(arn) <= most:
            raise refuse(
                f"{shown(arn)} is not a role's ARN; it looks like arn:aws:iam::123456789012:role/Name"
            )
        return arn

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, cron: str | None) -> str | None:
        if cron is not None and (message := schedule_problem(cron)):
            raise refuse(message)
        return cron

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise refuse(
                f"{shown(name)} is not a time zone; write for instance UTC or Europe/Berlin"
            ) from None
        return name

    @field_validator("vpc")
    @classmethod
    def _no_empty_vpc(cls, vpc: Vpc | None) -> Vpc | None:
        return vpc if vpc and vpc.subnets else None

    @field_validator("drift", mode="before")
    @classmethod
    def _off_is_a_word(cls, drift: Any) -> Any:
        # YAML 1.1 reads off without quotes as false.
        return "off" if drift is False else drift

    @field_validator("real_time", mode="before")
    @classmethod
    def _off_is_none(cls, real_time: Any) -> Any:
        return None if real_time in (False, "off") else real_time

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        if len(tags) > limits.MAX_TAGS:
            raise refuse(f"has {len(tags)} tags; AWS accepts {limits.MAX_TAGS}")
        for key, value in tags.items():
            if not 1 <= len(key) <= limits.MAX_TAG_KEY or key.lower().startswith("aws:"):
                remedy = f"use 1 to {limits.MAX_TAG_KEY} characters that do not begin with aws:"
                raise refuse(f"{shown(key)} is not a tag's key; {remedy}")
            if len(value) > limits.MAX_TAG_VALUE:
                raise refuse(
                    f"the value of {shown(key)} has {len(value)} characters; "
                    f"AWS accepts {limits.MAX_TAG_VALUE}"
                )
        return tags

    @model_validator(mode="before")
    @classmethod
    def _default_delimiter(cls, data: Any) -> Any:
        if (
            isinstance(data, dict)
            and data.get("mode") == "MULTI_LABEL"
            and data.get("label_delimiter") is None
        ):
            return {**data, "label_delimiter": limits.DEFAULT_LABEL_DELIMITER}
        return data

    @model_validator(mode="after")
    def _check_keys_fit(self) -> Self:
        problems = []
        if self.mode == "MULTI_CLASS" and self.label_delimiter is not None:
            problems.append(
                Problem("label_delimiter", "is only for MULTI_LABEL; remove it, or change the mode")
            )
        if self.recommended_documents_per_label < self.min_documents_per_label:
            least = self.min_documents_per_label
            message = f"is below min_documents_per_label ({least}); raise it to {least} or more"
            problems.append(Problem("recommended_documents_per_label", message))
        if self.incoming.sql is not None and self.incoming.id_column is None:
            message = "is missing; rows of a query have no number, so name the column that holds the id"
            problems.append(Problem("incoming.id_column", message))
        written = {"work_uri": self.work_uri, "export.uri": self.export.uri if self.export else None}
        problems += [
            Problem(
                written_key,
                f"{uri} and {key}.uri ({source.uri}) overlap, so results would be read as documents; "
                f"give {written_key} its own prefix",
            )
            for key, source in (("labelled", self.labelled), ("incoming", self.incoming))
            for written_key, uri in written.items()
            if uri is not None and source.uri is not None and overlap(source.uri, uri)
        ]
        if self.schedule and (unread := unread_days(self.schedule, self.incoming.template)):
            message = f"{shown(self.schedule)} would never read {unread}; start it more often"
            problems.append(Problem("schedule", message))
        if self.batch.endpoint_below is not None and self.real_time is None:
            message = "needs real_time, which opens the endpoint; add that, or remove this key"
            problems.append(Problem("batch.endpoint_below", message))
        problems += alert_problems(self.loaded_by, self.schedule, self.notifiers, self.drift)
        if problems:
            raise refuse_keys(problems)
        return self

    @property
    def dag_ids(self) -> list[str]:
        """The ids of its DAGs."""
        kinds = ("train", "classify") if self.real_time is None else ("train", "classify", "serve")
        return [f"{kind}_{self.name}" for kind in kinds]

    @property
    def layout(self) -> WorkLayout:
        """All URIs below ``work_uri``."""
        return WorkLayout(self.work_uri)

    @property
    def local(self) -> bool:
        """Whether the spec names files on local disk."""
        export = self.export.uri if self.export else None
        named = (self.labelled.uri, self.incoming.uri, self.work_uri, export)
        return any(uri is not None and not uri.startswith(S3) for uri in named)

    @property
    def export_uri(self) -> str | None:
        """The folder of the export's partitions; ``None`` if there is no export."""
        return (self.export.uri or self.layout.exports) if self.export else None


_MODELS: dict[str, type[BaseModel]] = {
    "": ClassifierSpec,
    "labelled": LabelledSource,
    "incoming": IncomingSource,
    "promotion": Promotion,
    "batch": BatchLimits,
    "budget": Budget,
    "budget.approvers": Approver,
    "quality": Quality,
    "reuse": Reuse,
    "export": Export,
    "real_time": RealTime,
    "real_time.autoscale": Autoscale,
    "notifiers": Notifier,
    "kms": Kms,
    "vpc": Vpc,
}


def load_spec(path: Path) -> ClassifierSpec:
    """Read and check one spec.

    :raises SpecError: the file cannot be read, is not YAML, or has problems; one line per problem.
    """
    data = read_yaml(path)
    try:
        return ClassifierSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError(path, describe(error.errors(), _MODELS)) from None


def load_specs(folders: Iterable[Path], *, containing: str = "") -> LoadedSpecs[ClassifierSpec]:
    """Read all specs (``*.yaml``, ``*.yml``) of some folders. A broken spec does not affect others.

    If two specs have the same name, the later file is an error.

    :param containing: leave out the files in which this text does not occur.
    """
    specs: dict[str, ClassifierSpec] = {}
    origin: dict[str, Path] = {}
    errors: list[SpecError] = []
    for folder in folders:
        try:
            files = spec_files(folder, containing=containing)
        except SpecError as error:
            errors.append(error)
            continue
        for file in files:
            try:
                spec = load_spec(file)
            except SpecError as error:
                errors.append(error)
                continue
            if spec.name in specs:
                message = f'"{spec.name}" is already the name of {origin[spec.name]}; choose another name'
                errors.append(SpecError(file, [Problem("name", message)]))
                continue
            specs[spec.name] = spec
            origin[spec.name] = file
    return LoadedSpecs(specs, errors, origin)
