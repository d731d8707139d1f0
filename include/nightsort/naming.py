"""Make and parse every name that finds work again. Where files lie is in :mod:`nightsort.layout`.

A name is made from what it stands for (the day, the data, the content). The same work has the same name, so
it is found again instead of being paid for again. If names were made in another way, no earlier work would be
found. ``test_naming.py`` holds literal examples.

========================  ======================================================================
run key                   ``20261118``, or ``20261118-01234567`` if the source was given by hand
batch name                ``<run key>-00000-0123abcd``: its number, and 8 digits of its content's hash
retry name                ``<batch name>-r1-0123abcd``: how often its documents were sent again
base of a job's name      ``<classifier>-<version>-<batch name>`` or ``…-score-<12 digits>``
job name                  ``<base>-g1``, ``<base>-g2``, …
version name              ``v0123456789ab``, ``v0123456789ab-g2``, …: 12 digits of the data's hash
endpoint name             ``nightsort-<classifier>``; of a long name ``nightsort-<21 characters>-01234567``
========================  ======================================================================

**Generations.** Work that was seen to have failed is started again under the next generation of its name. The
first generation of a job is ``-g1``; the first one of a version has no suffix. The reason:

- A job's name is parsed, to find earlier generations of a task's work. The base is any text, because a user
  of the operator chooses ``job_name``, and it may itself end like a generation. A suffix that is always there
  can be cut off safely.
- A version's name is not parsed to find work: the operator counts upwards from the base. The base is also the
  folder of the training data. People read the version's name in the ARN, in the tables and in the names of
  its jobs. Nearly every version has one generation, and then all of these are the same.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

ENDPOINT_PREFIX: Final = "nightsort-"
"""What the name of every endpoint of Nightsort begins with."""

CLASSIFIER_TAG: Final = "nightsort:classifier"
"""The tag of every endpoint of Nightsort; its value is the name of the spec."""

COMMAND_TAG: Final = "nightsort:opened-by-command"
"""The tag of an endpoint that ``nightsort classify`` or ``serve`` opened on the local stack, and closes."""

REJECTS: Final = "rejects"
"""The batch name of documents that were never sent."""

REUSED_BATCH: Final = "reused"
"""The batch name of documents that were not sent, because an earlier run classified their texts."""

MAX_ENDPOINT_NAME: Final = 40
"""Characters of an endpoint's name (model, ComprehendEndpointName)."""

BATCH_OF_RUN: Final = r"\d{5,}-[0-9a-f]{8}"
"""What follows the run key in the name of a batch, as a pattern."""

_RETRY: Final = r"r[1-9]\d*-[0-9a-f]{8}"
_BATCH_NAME: Final = re.compile(rf"(.+)-({BATCH_OF_RUN})")
_BATCH_OF_JOB: Final = re.compile(rf".+?-(\d{{8}}(?:-[0-9a-f]{{8}})?-{BATCH_OF_RUN}(?:-{_RETRY})?)")
_JOB_NAME: Final = re.compile(r"(.+)-g([1-9]\d*)", re.DOTALL)
_VERSION_NAME: Final = re.compile(r"(v[0-9a-f]{12})(?:-g([1-9]\d*))?")


def run_key(day: date, source_uri: str | None) -> str:
    """Name a run: its day, and a hash of the source if it is given by hand.

    :param day: the day whose documents are classified.
    :param source_uri: takes the place of the spec's incoming source; ``None``: nothing does.
    :returns: the run key.
    """
    key = f"{day:%Y%m%d}"
    return key if source_uri is None else f"{key}-{hashlib.sha256(source_uri.encode()).hexdigest()[:8]}"


def is_night(run_key: str) -> bool:
    """Return whether a run is the night of its day: its documents are the spec's, not given by hand.

    :param run_key: made by :func:`run_key`.
    """
    return "-" not in run_key


def run_day(run_key: str) -> date:
    """Return the day that a run classifies.

    :param run_key: made by :func:`run_key`.
    :returns: its day.
    :raises ValueError: the key does not begin with a day.
    """
    try:
        return datetime.strptime(run_key[:8], "%Y%m%d").date()
    except ValueError:
        raise ValueError(f"run key {run_key!r} does not begin with a day, as in 20261118") from None


@dataclass(frozen=True)
class BatchName:
    """The name of a batch, and of its input and manifest.

    :param run_key: of its run.
    :param number: its number in the run, from 0.
    :param fingerprint: the first 8 hex digits of its content's hash.
    """

    run_key: str
    number: int
    fingerprint: str

    @classmethod
    def of(cls, run_key: str, number: int, content_hash: str) -> Self:
        """Name a batch by its content.

        :param run_key: of its run.
        :param number: its number in the run.
        :param content_hash: at least 8 hex digits.
        :returns: the name.
        """
        return cls(run_key, number, content_hash[:8])

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a batch's name.

        :param name: made by this class.
        :returns: its parts.
        :raises ValueError: it is no batch's name.
        """
        if (found := _BATCH_NAME.fullmatch(name)) is None:
            raise ValueError(f"{name!r} is not the name of a batch, as in 20261118-00000-0123abcd")
        run_key, digits = found.groups()
        number, _, fingerprint = digits.partition("-")
        return cls(run_key, int(number), fingerprint)

    def __str__(self) -> str:
        return f"{self.run_key}-{self.number:05}-{self.fingerprint}"


@dataclass(frozen=True)
class RetryName:
    """The name of documents of a batch that are sent again, and of their input and manifest.

    :param batch: name of the batch.
    :param attempt: 1 for the first time that documents of the batch are sent again.
    :param fingerprint: the first 8 hex digits of the content's hash.
    """

    batch: str
    attempt: int
    fingerprint: str

    @classmethod
    def of(cls, batch: str, attempt: int, content_hash: str) -> Self:
        """Name a retry by its content.

        :param batch: name of the batch.
        :param attempt: from 1.
        :param content_hash: at least 8 hex digits.
        :returns: the name.
        """
        return cls(batch, attempt, content_hash[:8])

    @staticmethod
    def start(batch: str, attempt: int) -> str:
        """Return what the names of all retries of a batch begin with that are the same attempt.

        :param batch: name of the batch.
        :param attempt: from 1.
        """
        return f"{batch}-r{attempt}-"

    def __str__(self) -> str:
        return f"{self.start(self.batch, self.attempt)}{self.fingerprint}"


@dataclass(frozen=True)
class JobName:
    """The name of a classification job on AWS.

    :param base: names the work; any text.
    :param generation: from 1, which is written too.
    """

    base: str
    generation: int = 1

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read the name of a job, which may be anybody's.

        :param name: the JobName on AWS.
        :returns: its parts; ``None`` if it has no generation.
        """
        found = _JOB_NAME.fullmatch(name)
        return cls(found[1], int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.base}-g{self.generation}"

    def earlier(self) -> Iterator[Self]:
        """Yield the names of the generations before this one, the first one first."""
        return (type(self)(self.base, generation) for generation in range(1, self.generation))

    @property
    def batch(self) -> str | None:
        """The name of the batch or retry that the job classifies; ``None`` if it was made for neither."""
        found = _BATCH_OF_JOB.fullmatch(self.base)
        return found[1] if found else None


def batch_job_base(classifier: str, version: str, batch: str) -> str:
    """Name the work of classifying a batch; :attr:`JobName.batch` reads the batch back.

    :param classifier: name of the spec.
    :param version: name of the version that classifies.
    :param batch: name of the batch, or of a retry.
    :returns: the base of the job's name.
    """
    return f"{classifier}-{version}-{batch}"


def score_job_base(classifier: str, version: str, test_fingerprint: str) -> str:
    """Name the work of scoring a version on the test documents of another one.

    :param classifier: name of the spec.
    :param version: name of the version that is scored.
    :param test_fingerprint: hash of the test documents.
    :returns: the base of the job's name.
    """
    return f"{classifier}-{version}-score-{test_fingerprint[:12]}"


@dataclass(frozen=True)
class VersionName:
    """The name of a classifier version on AWS.

    :param base: names the training; any text where a user of the operator chose it.
    :param generation: from 1, which is not written.
    """

    base: str
    generation: int = 1

    @classmethod
    def of(cls, fingerprint: str) -> Self:
        """Name a version by its training.

        :param fingerprint: hash of data and settings, at least 12 hex digits.
        :returns: the first generation's name.
        """
        return cls(f"v{fingerprint[:12]}")

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read the name of a version, which may be anybody's.

        :param name: the VersionName on AWS.
        :returns: its parts; ``None`` if :meth:`of` did not make its base, since such a base may itself end
            like a generation.
        """
        found = _VERSION_NAME.fullmatch(name)
        return cls(found[1], int(found[2] or 1)) if found else None

    def __str__(self) -> str:
        return self.base if self.generation == 1 else f"{self.base}-g{self.generation}"


def endpoint_name(classifier: str) -> str:
    """Name the endpoint of a classifier, so that it has at most one, whoever opens it.

    :param classifier: name of the spec.
    :returns: the EndpointName on AWS. A name that would be too long is cut, and ends in 8 digits of its hash.
    """
    name = f"{ENDPOINT_PREFIX}{classifier}"
    if len(name) <= MAX_ENDPOINT_NAME:
        return name
    digits = hashlib.sha256(classifier.encode()).hexdigest()[:8]
    return f"{name[: MAX_ENDPOINT_NAME - 9].rstrip('-')}-{digits}"


def version_of(model_arn: str) -> str:
    """Return the name of a classifier version; of a classifier without versions, its own name.

    :param model_arn: its ARN.
    :returns: VersionName.
    """
    return model_arn.rpartition("/")[2]


def endpoint_arn(model_arn: str, name: str) -> str:
    """Return the ARN that an endpoint has or will have: it is in its model's account and region.

    :param model_arn: ARN of the classifier version that it serves.
    :param name: EndpointName.
    :returns: the ARN.
    """
    return f"{model_arn.partition(':document-classifier/')[0]}:document-classifier-endpoint/{name}"
