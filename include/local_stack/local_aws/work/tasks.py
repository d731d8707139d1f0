"""What the server asks of its workers, as data; light to import, so that the server starts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

MULTI_CLASS = "MULTI_CLASS"
MULTI_LABEL = "MULTI_LABEL"


class TaskError(Exception):
    """A training or a job cannot go on; the text is the Message of its IN_ERROR or FAILED state."""


@dataclass(frozen=True)
class AugmentedManifest:
    """Labelled documents as Ground Truth writes them, JSON Lines.

    Attributes:
        uri: where it is, a key or a key prefix.
        attributes: the attributes that hold the labels; several are merged.
        split: what its documents are for.
    """

    uri: str
    attributes: tuple[str, ...]
    split: Literal["TRAIN", "TEST"] = "TRAIN"


@dataclass(frozen=True)
class TrainTask:
    """A training, from CSV (`training`, `test`) or from augmented manifests.

    Attributes:
        endpoint: the server's URL, for S3.
        delimiter: what joins the labels of a multi-label cell.
        training: where the training data is, a key or a key prefix; None with manifests.
        test: where the test data is; None splits a part of the training data off.
        output: where the output archive goes, or None.
        model_file: the path that the model is written to.
        least_per_label: documents that each label must have.
        manifests: augmented manifests, instead of `training` and `test`; without one for TEST a part of the
            training data is split off.
    """

    endpoint: str
    region: str
    mode: str
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

    Attributes:
        started: begin of the billed interval, epoch seconds.
        ended: its end.
        metadata: the ClassifierMetadata.
        skipped: rows of the data that could not be used.
    """

    started: float
    ended: float
    metadata: dict[str, Any]
    skipped: int


@dataclass(frozen=True)
class ClassifyTask:
    """A classification job.

    Attributes:
        source: where the documents are, a key or a key prefix.
        one_per_line: ONE_DOC_PER_LINE, else ONE_DOC_PER_FILE.
        output: the archive to write.
    """

    endpoint: str
    region: str
    model_file: str
    source: str
    one_per_line: bool
    output: str


Task = TrainTask | ClassifyTask
