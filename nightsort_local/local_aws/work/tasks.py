"""Tasks and results, exchanged between server and workers. Light to import: the server starts quickly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from nightsort.comprehend.limits import Mode
    from nightsort_local.local_aws.faults.fault_types import WorkFault


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials of a data access role."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class WorkTask:
    """The common part of trainings and jobs.

    :param resource: the kind of work, as faults name it.
    :param endpoint: the server's URL, for S3.
    :param region: the region of the call.
    :param name: the JobName or the classifier's name; faults match it.
    :param credentials: those of the data access role, where IAM is enforced.
    :param faults: faults to apply. Faults and credentials are set when a worker takes the task.
    """

    resource: ClassVar[Literal["training", "job"]]

    endpoint: str
    region: str
    name: str = ""
    credentials: Credentials | None = None
    faults: tuple[WorkFault, ...] = ()


@dataclass(frozen=True)
class AugmentedManifest:
    """Labelled documents in JSON Lines, as Ground Truth writes them.

    :param uri: its S3 URI, with a key or a key prefix.
    :param attributes: the attributes with labels; their labels are merged.
    :param split: whether its documents are training or test data.
    """

    uri: str
    attributes: tuple[str, ...]
    split: Literal["TRAIN", "TEST"] = "TRAIN"


@dataclass(frozen=True, kw_only=True)
class TrainTask(WorkTask):
    """A training, from CSV (`training`, `test`) or from augmented manifests.

    :param delimiter: the separator of labels in a multi-label cell.
    :param training: S3 URI of the training data, with a key or a key prefix; None with manifests.
    :param test: S3 URI of the test data; None splits off a part of the training data.
    :param output: S3 URI of the output archive, or None.
    :param model_file: path of the model file to write.
    :param min_per_label: minimum of documents per label.
    :param manifests: augmented manifests, instead of `training` and `test`. Without one for TEST, a part of
        the training data is split off.
    """

    resource = "training"

    mode: Mode
    delimiter: str
    training: str | None
    test: str | None
    output: str | None
    model_file: str
    min_per_label: int
    manifests: tuple[AugmentedManifest, ...] = ()


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    :param started: start of the billed interval, in epoch seconds.
    :param ended: end of the billed interval.
    :param metadata: the ClassifierMetadata.
    :param warning: the Message of TRAINED_WITH_WARNING; None for TRAINED.
    """

    started: float
    ended: float
    metadata: dict[str, Any]
    warning: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClassifyTask(WorkTask):
    """A classification job.

    :param source: S3 URI of the documents, with a key or a key prefix.
    :param one_per_line: True for ONE_DOC_PER_LINE, False for ONE_DOC_PER_FILE.
    :param output: S3 URI of the archive to write.
    """

    resource = "job"

    model_file: str
    source: str
    one_per_line: bool
    output: str


Task = TrainTask | ClassifyTask


@dataclass(frozen=True)
class TextClasses:
    """The labels of one document.

    :param mode: MULTI_CLASS or MULTI_LABEL.
    :param classes: the best labels with their scores, best first.
    """

    mode: Mode
    classes: tuple[tuple[str, float], ...]
