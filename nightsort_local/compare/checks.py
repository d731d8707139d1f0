"""The one list of what the local Comprehend assumes of AWS, each with its check; what matters most is first.

``docs/compare.md`` shows this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nightsort_local.compare.ledger import CLASSIFIER, JOB
from nightsort_local.compare.looks import endpoints, jobs, requests, trainings
from nightsort_local.compare.material import JOBS, TRAININGS
from nightsort_local.compare.side import ENDPOINT_USD_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort_local.compare.ledger import Ledger
    from nightsort_local.compare.side import Side

ENDPOINT_SECONDS: Final = 1_200
"""How long an endpoint exists at most for a minute of questions: its creation takes up to 15 minutes."""

WITH_ENDPOINT, WITH_MORE_TRAININGS = "--endpoint", "--more-trainings"


class Stage(IntEnum):
    """When a check runs. Work that takes long is started at the begin of its stage."""

    REQUESTS = 1
    TRAININGS = 2
    JOBS = 3
    ENDPOINT = 4


@dataclass(frozen=True)
class Check:
    """An assumption, and how it is compared.

    :param name: its name in reports.
    :param assumes: what the local Comprehend does.
    :param matters: what goes wrong if AWS does something else.
    :param stage: when it runs.
    :param look: asks one side; returns what is compared, by name.
    :param trainings: the trainings that it pays for.
    :param jobs: the jobs that it pays for.
    :param option: the option of the command that asks for it; empty for a check that always runs.
    """

    name: str
    assumes: str
    matters: str
    stage: Stage
    look: Callable[[Side], dict[str, Any]]
    trainings: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    option: str = ""

    @property
    def all_trainings(self) -> frozenset[str]:
        """Its trainings, and those of its jobs."""
        return frozenset(self.trainings) | {JOBS[job].training for job in self.jobs}


def most_usd(checks: list[Check], ledger: Ledger) -> float:
    """Return the most that checks may still cost; they share trainings and jobs.

    :param checks: checks that are not done.
    :param ledger: what was made and paid.
    """
    trainings_needed = frozenset[str]().union(*(check.all_trainings for check in checks))
    jobs_needed = {job for check in checks for job in check.jobs}
    usd = sum(
        TRAININGS[name].most_usd for name in trainings_needed if not ledger.is_paid(CLASSIFIER, name, "v1")
    )
    usd += sum(JOBS[name].most_usd for name in jobs_needed if not ledger.is_paid(JOB, name))
    if any(check.stage is Stage.ENDPOINT for check in checks):
        usd += ENDPOINT_SECONDS * ENDPOINT_USD_PER_SECOND
    return round(usd, 4)


def chosen(options: frozenset[str]) -> list[Check]:
    """Return the checks that run with some options, in the order of the list."""
    return [check for check in CHECKS if not check.option or check.option in options]


CHECKS: Final[tuple[Check, ...]] = (
    Check(
        "tokens of jobs",
        "A ClientRequestToken sent again with the same request answers the first job; with another request "
        "it is an InvalidRequestException.",
        "A retry after a lost answer would pay for a batch twice.",
        Stage.JOBS,
        jobs.tokens_of_jobs,
        jobs=("token",),
    ),
    Check(
        "tokens of trainings",
        "The same for trainings.",
        "A retry after a lost answer would fail, or pay for a training twice.",
        Stage.REQUESTS,
        requests.tokens_of_trainings,
        trainings=("classes",),
    ),
    Check(
        "taken names",
        "A second classifier with a name and version that exist is a ResourceInUseException.",
        "Two trainings of one version could run side by side.",
        Stage.REQUESTS,
        requests.names_taken,
    ),
    Check(
        "lists of jobs",
        "A new job is in lists at once; a filter of JobName finds it; lists are oldest first.",
        "A job that was started before a crash would not be found again.",
        Stage.JOBS,
        jobs.lists_of_jobs,
        jobs=("lines", "broken", "no-input"),
    ),
    Check(
        "rows of files by line",
        "LF, CR and CRLF end a line, U+2028 does not; a blank line is a document; every file counts from 0; "
        "files come in no order of keys, lines in order.",
        "Predictions would be joined with the wrong documents.",
        Stage.JOBS,
        partial(jobs.rows_of_files, name="lines"),
        jobs=("lines",),
    ),
    Check(
        "rows of whole files",
        '`Line` is "0"; `File` is the base name, also of files with one base name in two folders.',
        "Predictions would be joined with the wrong documents.",
        Stage.JOBS,
        partial(jobs.rows_of_files, name="files"),
        jobs=("files",),
    ),
    Check(
        "broken documents",
        "A document that is not UTF-8 is an error line, and the rest of its file is ignored; the job ends "
        "COMPLETED.",
        "One broken document would fail a batch, or shift its lines.",
        Stage.JOBS,
        jobs.broken_documents,
        jobs=("broken",),
    ),
    Check(
        "lines of classes",
        "One JSON object a line, as Python writes it: File, Line (a string), the three best Classes with "
        "four decimals.",
        "Outputs could not be read.",
        Stage.JOBS,
        partial(jobs.line_format, name="files"),
        jobs=("files",),
    ),
    Check(
        "lines of label sets",
        "The same with Labels: three, without a threshold.",
        "Outputs could not be read, or labels would be missing.",
        Stage.JOBS,
        partial(jobs.line_format, name="lines"),
        jobs=("lines",),
    ),
    Check(
        "few documents of a label",
        "A header row becomes a label with one document, and labels of one and of three documents train "
        "without a warning.",
        "A header row would be found here and not there, or the other way round.",
        Stage.TRAININGS,
        trainings.few_documents,
        trainings=("classes",),
    ),
    Check(
        "test by label",
        "A tenth of each label is tested, the total is rounded down, and labels with few documents are in no "
        "test.",
        "Metrics of small labels would be better or worse than on AWS.",
        Stage.TRAININGS,
        trainings.split_by_label,
        trainings=("classes",),
    ),
    Check(
        "training of classes",
        "Members of Describe in each state, the output's location, eight metrics with four decimals.",
        "A wait or an evaluation would fail on a missing member.",
        Stage.TRAININGS,
        partial(trainings.training_shown, name="classes"),
        trainings=("classes",),
    ),
    Check(
        "training of label sets",
        "The same for MULTI_LABEL; LabelDelimiter `|` is shown although it was not given.",
        "A wait or an evaluation would fail on a missing member.",
        Stage.TRAININGS,
        partial(trainings.training_shown, name="label-sets"),
        trainings=("label-sets",),
    ),
    Check(
        "matrix of classes",
        "confusion_matrix, labels, type, all_labels in this order, in `output/confusion_matrix.json`; a "
        "square; no last line feed.",
        "An evaluation could not read the matrix.",
        Stage.TRAININGS,
        partial(trainings.confusion_matrix, name="classes"),
        trainings=("classes",),
    ),
    Check(
        "matrix of label sets",
        "[[TN, FP], [FN, TP]] for each label.",
        "An evaluation could not read the matrix.",
        Stage.TRAININGS,
        partial(trainings.confusion_matrix, name="label-sets"),
        trainings=("label-sets",),
    ),
    Check(
        "skipped rows",
        "A row with one column or without a document is skipped: TRAINED_WITH_WARNING.",
        "A training would be lost for one row, or rows would go unnoticed.",
        Stage.TRAININGS,
        partial(trainings.risky_training, name="skipped"),
        trainings=("skipped",),
        option=WITH_MORE_TRAININGS,
    ),
    Check(
        "empty labels",
        "A row without a label ends the training IN_ERROR.",
        "A training would be lost on AWS that passes here, or the other way round.",
        Stage.TRAININGS,
        partial(trainings.risky_training, name="empty-label"),
        trainings=("empty-label",),
        option=WITH_MORE_TRAININGS,
    ),
    Check(
        "untidy labels",
        "A byte order mark belongs to the first label; case and spaces make labels of their own; blank lines "
        "are ignored; a space after the comma belongs to the document.",
        "Labels would be merged or split on AWS that are not here.",
        Stage.TRAININGS,
        partial(trainings.risky_training, name="untidy"),
        trainings=("untidy",),
        option=WITH_MORE_TRAININGS,
    ),
    Check(
        "test data with an unknown label",
        "It ends the training IN_ERROR.",
        "A training would be lost on AWS that passes here, or the other way round.",
        Stage.TRAININGS,
        partial(trainings.risky_training, name="unknown-label"),
        trainings=("unknown-label",),
        option=WITH_MORE_TRAININGS,
    ),
    Check(
        "jobs in Describe",
        "Members in each state; the full path of the archive from the first Describe on; an id of 32 "
        "characters.",
        "Outputs would be looked for in the wrong place.",
        Stage.JOBS,
        jobs.job_shown,
        jobs=("lines",),
    ),
    Check(
        "training without data",
        "IN_ERROR with NO_READ_ACCESS_TO_INPUT; stopping it then does nothing.",
        "A failure would not be told by its reason.",
        Stage.REQUESTS,
        requests.training_without_data,
    ),
    Check(
        "job without input",
        "FAILED with NO_READ_ACCESS_TO_INPUT.",
        "A failure would not be told by its reason.",
        Stage.JOBS,
        jobs.job_without_input,
        jobs=("no-input",),
    ),
    Check(
        "what is not found",
        "ResourceNotFoundException with its recorded text, JobNotFoundException, and "
        "ResourceUnavailableException of ClassifyDocument.",
        "A deleted version would look like a passing problem.",
        Stage.REQUESTS,
        requests.not_found,
    ),
    Check(
        "refused requests",
        "Codes and texts for a language, inputs, tags, filters and classifiers that do not fit.",
        "An error would have another remedy.",
        Stage.REQUESTS,
        requests.refusals,
    ),
    Check(
        "invalid requests",
        "ValidationException with every violated constraint; SerializationException for a wrong type.",
        "An error would have another code.",
        Stage.REQUESTS,
        requests.invalid_requests,
    ),
    Check(
        "deletion in training",
        "ResourceUnavailableException.",
        "Old versions would be deleted too early or never.",
        Stage.REQUESTS,
        requests.deletion,
    ),
    Check(
        "lists of classifiers",
        "Oldest first, with a filter of SubmitTimeAfter newest first; a token of one filter fits no other.",
        "A version would be overlooked.",
        Stage.REQUESTS,
        requests.lists,
    ),
    Check(
        "endpoint",
        "Members, the three best, errors of ClassifyDocument and of changes; its classifier is not deleted.",
        "Little for Nightsort, which has no endpoints; much for other users of the local Comprehend.",
        Stage.ENDPOINT,
        endpoints.endpoint,
        trainings=("classes",),
        option=WITH_ENDPOINT,
    ),
    Check(
        "summaries of classifiers",
        "Newest name first, with its number of versions and its latest one.",
        "Little: Nightsort does not use them.",
        Stage.REQUESTS,
        requests.summaries,
    ),
    Check(
        "tags",
        "Keys are case-sensitive, a second value replaces the first, and removing an absent key is taken.",
        "Little: tags are for bills.",
        Stage.REQUESTS,
        requests.tags,
    ),
)

UNCHECKED: Final = (
    ("ten active jobs and trainings, ten endpoints", "it would block the account's own work"),
    ("5 GB, a million documents, 1,000 and 100 labels", "it would cost hundreds of USD"),
    ("calls a second", "throttling depends on what else the account does"),
    ("keys, networks, policies of models", "they need keys and networks of the account"),
    ("permissions and trust of the data access role", "they need roles that lack one permission each"),
    ("augmented manifests", "each kind of line needs a training of its own"),
    ("how long trainings, jobs and endpoints take", "times say nothing about right and wrong"),
)
"""Assumptions without a check, and why they have none."""
