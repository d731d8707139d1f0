"""Check that a training does not lose too many documents, or a whole label, to rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nightsort.classifier_spec.quality import is_above
from nightsort.training.checks import MAX_NAMED, TrainingDataError, counted, label_text
from nightsort.wording import number_of

_SEVERAL_ROWS: Final = 3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.training.split_assignment import SplitAssignment


def check_rejected_share(spec: ClassifierSpec, *, rejected: int, read: int) -> str | None:
    """Check that not more documents were rejected than ``quality.max_rejected_share`` allows.

    :param spec: with the share, and whether more is an error or a warning.
    :param rejected: number of rejected documents.
    :param read: number of all documents.
    :returns: the warning, if there is one.
    :raises TrainingDataError: too many were rejected.
    """
    most = spec.quality.max_rejected_share
    if not is_above(rejected, read, most):
        return None
    message = (
        f"{rejected:,} of {number_of(read, 'document')} were rejected, {rejected / read:.1%}; "
        f"quality.max_rejected_share allows {most:.1%}. Correct these documents, or raise the share"
    )
    if spec.quality.when_over == "fail":
        raise TrainingDataError(message)
    return message


def check_lost_labels(
    spec: ClassifierSpec, assignment: SplitAssignment, rejected: Mapping[str, Mapping[str, int]]
) -> None:
    """Check that no label is missing from the training because its documents were rejected.

    A label that is left out because it is small is not lost, unless it would be large enough with its
    rejected documents. The label of a row that cannot be read may be a part of its text, so it counts if
    several rows have it.

    :param spec: with the limits for small labels.
    :param assignment: the labels that are trained on, and those that are not.
    :param rejected: for each label the reasons for which its documents were rejected, with their numbers.
    :raises TrainingDataError: labels are lost; names each with the reasons.
    """
    left_out = spec.small_labels == "leave_out"
    lost = []
    for label in sorted(rejected):
        reasons = rejected[label]
        kept = sum(assignment.counts.get(label, assignment.left_out.get(label, {})).values())
        lost_documents = sum(reasons.values())
        large_enough = kept + lost_documents > spec.min_documents_per_label
        certain = lost_documents >= _SEVERAL_ROWS or set(reasons) != {"unreadable_row"}
        if large_enough if left_out and label not in assignment.counts else not kept and certain:
            lost.append(f"{label_text(label)} ({counted(reasons)})")
    if lost:
        more = f" and {len(lost) - MAX_NAMED} more" if len(lost) > MAX_NAMED else ""
        raise TrainingDataError(
            f"{number_of(len(lost), 'label')} would be lost, because documents were rejected: "
            f"{', '.join(lost[:MAX_NAMED])}{more}. Correct these documents, or remove them from the source"
        )
