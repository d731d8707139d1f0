"""What the server asks of its workers, as data; light to import, so that the server starts at once."""

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
    """What a training and a job have in common.

    :param resource: what the faults call this kind of work.
    :param endpoint: the server's URL, for S3.
    :param region: the region of the call.
    :param name: the JobName or the classifier's name; faults go by it.
    :param credentials: of the data access role, where IAM is enforced.
    :param faults: what is to go wrong. It and the credentials are filled in when a worker takes the task.
    """

    resource: ClassVar[Literal["training", "job"]]

    endpoint: str
    region: str
    name: str = ""
    credentials: Credentials | None = None
    faults: tuple[WorkFault, ...] = ()


@dataclass(frozen=True)
class AugmentedManifest:
    """Labelled documents as Ground Truth writes them, JSON Lines.

    :param uri: where it is, a key or a key prefix.
    :param attributes: the attributes that hold the labels; several are merged.
    :param split: what its documents are for.
    """

    uri: str
    attributes: tuple[str, ...]
    split: Literal["TRAIN", "TEST"] = "TRAIN"


@dataclass(frozen=True, kw_only=True)
class TrainTask(WorkTask):
    """A training, from CSV (`training`, `test`) or from augmented manifests.

    :param delimiter: what joins the labels of a multi-label cell.
    :param training: where the training data is, a key or a key prefix; None with manifests.
    :param test: where the test data is; None splits a part of the training data off.
    :param output: where the output archive goes, or None.
    :param model_file: the path that the model is written to.
    :param least_per_label: documents that each label must have.
    :param manifests: augmented manifests, instead of `training` and `test`; without one for TEST a part of
        the training data is split off.
    """

    resource = "training"

    mode: Mode
    delimiter: str
    training: str | None
    test: str | None
    output: str | None
    model_file: str
    least_per_label: int
    manifests: tuple[AugmentedManifest, ...] = ()


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    :param started: begin of the billed interval, epoch seconds.
    :param ended: its end.
    :param metadata: the ClassifierMetadata.
    :param warning: the Message that makes it TRAINED_WITH_WARNING: what could not be used of the data.
    """

    started: float
    ended: float
    metadata: dict[str, Any]
    warning: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClassifyTask(WorkTask):
    """A classification job.

    :param source: where the documents are, a key or a key prefix.
    :param one_per_line: ONE_DOC_PER_LINE, else ONE_DOC_PER_FILE.
    :param output: the archive to write.
    """

    resource = "job"

    model_file: str
    source: str
    one_per_line: bool
    output: str


Task = TrainTask | ClassifyTask


@dataclass(frozen=True)
class TextClasses:
    """What a classifier makes of a document.

    :param mode: MULTI_CLASS or MULTI_LABEL.
    :param classes: the best labels and their scores, best first.
    """

    mode: Mode
    classes: tuple[tuple[str, float], ...]
