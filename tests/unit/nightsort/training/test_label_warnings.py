"""Labels that nobody meant are named before they are paid for; labels that are meant are not."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.training.label_warnings import label_warnings


def warned(*labels: str, delimiter: str | None = None) -> list[str]:
    values: dict[str, Any] = {
        "name": "tickets",
        "mode": "MULTI_LABEL" if delimiter else "MULTI_CLASS",
        "labelled": {"uri": "s3://bucket/labelled/", "format": "csv"},
        "incoming": {"uri": "s3://bucket/incoming/{day}/", "format": "lines"},
        "work_uri": "s3://bucket/work",
        "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
    }
    if delimiter:
        values["label_delimiter"] = delimiter
    return label_warnings(ClassifierSpec.model_validate(values), dict.fromkeys(labels, 12))


@pytest.mark.parametrize(
    "labels",
    [
        ("bug", "billing", "feature request"),
        ("New York, NY", "Buffalo, NY"),
        ("sports/football", "sports/tennis"),
        ("R&D", "sales"),
        ("+", "="),
        ("C++", "C", "C#"),
        ("😀", "😡"),
        ("don't know", 'the "best"'),
        ("other (please say)", "spam"),
        ("1", "2", "three"),
        ("Pramie", "Prämie"),
        ("a-b", "a", "b"),
        ("nano", "banana", "nullable"),
    ],
)
def test_labels_that_are_meant_are_not_warned_of(labels: tuple[str, ...]) -> None:
    assert warned(*labels) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Bug", "bug"),
        ("STRASSE", "straße"),
        ("very good", "very\u00a0good"),
        ("very good", "very  good"),
        ("very good", "verygood"),
        ("very good", "very\u2009good"),
        ("very good", "very\u3000good"),
        ("bug", "bug\u200b"),
        ("bug", "b\u00adug"),
        ("bug", "\u202abug\u202c"),
        ("bug", "bug\ufe0f"),
        ("bug", "b\u034fug"),
        ("bug", "\uff42\uff55\uff47"),
    ],
)
def test_labels_that_look_alike_are_named_as_a_pair(first: str, second: str) -> None:
    (warning,) = warned(first, second, "other")

    assert "labels look alike" in warning
    assert " (12 documents) and " in warning
    assert '"other"' not in warning
    # What does not show is named by its code point.
    assert not {"\u00a0", "\u2009", "\u3000", "\u200b", "\u00ad", "\u202a", "\ufe0f", "\u034f"} & set(warning)


@pytest.mark.parametrize(
    "label",
    ["['a', 'b']", '["a"]', "['a' 'b']", "{a,b}", "('a', 'b')", "('a',)", "[a, b]", "{'a'}", "array(['a'])"],
)
@pytest.mark.parametrize(("delimiter", "remedy"), [(None, "mode: MULTI_LABEL"), ("|", 'joined by "|"')])
def test_labels_that_look_like_lists_are_named(label: str, delimiter: str | None, remedy: str) -> None:
    (warning,) = warned(label, "other", delimiter=delimiter)

    assert f'look like lists, but each is one class: "{label}". ' in warning
    assert remedy in warning


@pytest.mark.parametrize(
    ("labels", "delimiter", "named", "remedy"),
    [
        (("a;b", "c"), "|", '"a;b"', 'label_delimiter: ";"'),
        (("a;b", "c"), None, '"a;b"', 'set mode: MULTI_LABEL and label_delimiter: ";"'),
        (("a|b", "c"), None, '"a|b"', 'label_delimiter: "|"'),
        (("a", "b", "a, b"), "|", '"a, b"', "by a delimiter of Comprehend"),
        (("a,b", "b,c", "a,c"), None, '"a,b", "a,c", "b,c"', "by a delimiter of Comprehend"),
        (("a", "b", "a/b"), None, '"a/b"', 'label_delimiter: "/"'),
    ],
)
def test_labels_joined_by_another_delimiter_are_named(
    labels: tuple[str, ...], delimiter: str | None, named: str, remedy: str
) -> None:
    (warning,) = warned(*labels, delimiter=delimiter)

    assert f"but each is one class: {named}. " in warning
    assert remedy in warning


@pytest.mark.parametrize(
    "label", ["NULL", "nan", "NaN", "None", "#N/A", "#N/A N/A", "n/a", "NA", "-", "--", "?", "<NA>", "\\N"]
)
def test_labels_that_look_like_missing_values_are_named(label: str) -> None:
    (warning,) = warned(label, "bug")

    assert f'look like missing values, but are classes: "{label}". ' in warning


@pytest.mark.parametrize("labels", [("0", "1", "2"), ("1", "2"), ("0.0", "1.0"), ("00", "01")])
def test_labels_that_are_all_small_whole_numbers_are_named(labels: tuple[str, ...]) -> None:
    (warning,) = warned(*labels)

    assert "all labels are small whole numbers" in warning
    assert f'"{labels[0]}"' in warning


def test_of_many_only_the_first_are_named() -> None:
    (warning,) = warned(*(text for n in range(30) for text in (f"l{n:02}x", f"L{n:02}X")))

    assert warning.count(" documents) and ") == 20
    assert "; and 10 more" in warning


def test_each_kind_has_a_warning_of_its_own() -> None:
    assert len(warned("Bug", "bug", "NULL", "['a']", "c;d")) == 4
