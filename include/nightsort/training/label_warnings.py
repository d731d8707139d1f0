"""Warn of labels that nobody meant: look-alikes, lists, missing values, numbers of classes.

Comprehend takes every text as a class, so such labels cost money and accuracy, and nobody notices.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from nightsort.comprehend.limits import LABEL_DELIMITERS
from nightsort.sources.cleaning import is_visible
from nightsort.training.checks import MAX_NAMED, label_text, named
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nightsort.classifier_spec.model import ClassifierSpec

# How databases, spreadsheets and libraries write a value that is not there, in lower case, blanks as _.
_MISSING = r"""
    null (null) nil none nan -nan nat na n/a n.a. n.a <na> undefined missing void empty blank \n k.a. s/d n/d
    #n/a #na #n/a_n/a #null! #ref! #value! #name? #div/0! #num! 1.#ind -1.#ind 1.#qnan -1.#qnan"""
_MISSING_VALUES: Final = frozenset(_MISSING.split())
_LIST: Final = re.compile(
    r"""\[.*\] | \{.*\} | \(.*,.*\)  # in brackets
    | .* [\[({] \s* ['"] .* | .* ['"] \s* ,? \s* [\])}] .*  # with a quote beside a bracket""",
    re.VERBOSE,
)
_ALWAYS_SEPARATES: Final = ";|"
_MAY_SEPARATE: Final = ",/+&"
_WHOLE_NUMBER: Final = re.compile(r"\d{1,4}(\.0+)?")


def label_warnings(spec: ClassifierSpec, documents: Mapping[str, int]) -> list[str]:
    """Return warnings about labels that a person may not have meant.

    :param spec: with the mode and the delimiter.
    :param documents: how many documents each label has.
    :returns: one sentence for each kind.
    """
    labels = sorted(documents)
    found = [
        _look_alikes(documents),
        _lists(spec, [label for label in labels if _LIST.fullmatch(label)]),
        _joined(spec, labels),
        _missing_values([label for label in labels if _is_missing_value(label)]),
        _class_indices(labels),
    ]
    return [warning for warning in found if warning is not None]


def _look_alikes(documents: Mapping[str, int]) -> str | None:
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(documents):
        alike[_appearance(label)].append(label)
    groups = [group for group in alike.values() if len(group) > 1]
    if not groups:
        return None
    listed = [
        " and ".join(f"{label_text(label)} ({number_of(documents[label], 'document')})" for label in group)
        for group in groups[:MAX_NAMED]
    ]
    more = f"; and {len(groups) - MAX_NAMED} more" if len(groups) > MAX_NAMED else ""
    return (
        "labels look alike (case, blanks, invisible characters), but each is a class of its own: "
        f"{'; '.join(listed)}{more}. Write each class in one way"
    )


def _appearance(label: str) -> str:
    """Return what a reader sees of a label: no case, no blanks, nothing invisible, no forms of one letter."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return "".join(filter(is_visible, folded))


def _lists(spec: ClassifierSpec, labels: list[str]) -> str | None:
    if not labels:
        return None
    if spec.mode == "MULTI_CLASS":
        remedy = "Write one label, or set mode: MULTI_LABEL and write the labels joined by a label_delimiter"
    else:
        remedy = f'Write the labels joined by "{spec.label_delimiter}", or as lists in a file of JSON Lines'
    return f"labels look like lists, but each is one class: {named(labels)}. {remedy}"


def _joined(spec: ClassifierSpec, labels: list[str]) -> str | None:
    """Warn of labels that seem to be joined by something else than the delimiter."""
    known = set(labels)
    joined: dict[str, str] = {}
    for separator in _ALWAYS_SEPARATES + _MAY_SEPARATE:
        parts = {label: parts for label in labels if (parts := _parts(label, separator))}
        count = Counter(part for label in parts.values() for part in set(label))
        for label, names in parts.items():
            if separator in _ALWAYS_SEPARATES or all(name in known or count[name] > 1 for name in names):
                joined.setdefault(label, separator)
    joined = {label: mark for label, mark in joined.items() if not _LIST.fullmatch(label)}
    if not joined:
        return None
    separator = Counter(joined.values()).most_common(1)[0][0]
    if separator in LABEL_DELIMITERS:
        mode = "mode: MULTI_LABEL and " if spec.mode == "MULTI_CLASS" else ""
        remedy = f'If they are several labels, set {mode}label_delimiter: "{separator}"'
    else:
        remedy = "If they are several labels, join them by a delimiter of Comprehend and set label_delimiter"
    return (
        f'labels look like several labels joined by "{separator}", but each is one class: '
        f"{named(sorted(joined))}. {remedy}"
    )


def _parts(label: str, separator: str) -> list[str]:
    """Return the parts of a label, or none if it is not made of several that show something."""
    parts = [part.strip() for part in label.split(separator)]
    return parts if len(parts) > 1 and all(any(map(str.isalnum, part)) for part in parts) else []


def _is_missing_value(label: str) -> bool:
    text = "_".join(label.casefold().split())
    return text in _MISSING_VALUES or all(unicodedata.category(mark)[0] in "PZ" for mark in label)


def _missing_values(labels: Iterable[str]) -> str | None:
    listed = list(labels)
    if not listed:
        return None
    return (
        f"labels look like missing values, but are classes: {named(listed)}. Leave these documents out, or "
        "leave the label empty: such documents are rejected as no_label"
    )


def _class_indices(labels: list[str]) -> str | None:
    if not labels or not all(map(_WHOLE_NUMBER.fullmatch, labels)):
        return None
    return (
        f"all labels are small whole numbers: {named(labels)}. If they are indices of classes, as in an "
        "augmented manifest, write the names of the classes: predictions have these labels"
    )
