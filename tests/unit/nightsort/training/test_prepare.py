"""From labelled documents to the files that Comprehend trains and tests on."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from nightsort.classifier_spec.model import ClassifierSpec, load_spec
from nightsort.sources.source_files import SourceError
from nightsort.storage import plain_access
from nightsort.training.prepare import PreparedTraining, TrainingDataError, prepare_training_data

Labelled = list[tuple[str, str]]


def documents(*labels: str, each: int = 60) -> Labelled:
    return [(label, f"document {number} of {label}") for number in range(each) for label in labels]


class Classifier:
    """A spec over a CSV of labelled documents in a folder."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.source = folder / "labelled.csv"
        self._file = folder / "spec.yaml"
        self._folder = folder
        self._changes = changes

    def spec(self) -> ClassifierSpec:
        labelled = {"uri": str(self.source), "format": "csv", "header": False, "columns": ["label", "text"]}
        keys = {
            "name": "tickets",
            "mode": "MULTI_CLASS",
            "labelled": labelled,
            "incoming": {"uri": "s3://bucket/incoming/{day}/", "format": "lines"},
            "work_uri": str(self._folder / "work"),
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            **self._changes,
        }
        self._file.write_text(yaml.safe_dump(keys))
        return load_spec(self._file)

    def prepare(self, rows: Labelled) -> PreparedTraining:
        with self.source.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return prepare_training_data(self.spec(), plain_access())


def rows_of(uri: str) -> Labelled:
    with Path(uri).open(newline="", encoding="utf-8") as file:
        return [(label, text) for label, text in csv.reader(file, strict=True)]


def rejects_of(prepared: PreparedTraining) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in Path(prepared.rejects_uri).read_bytes().splitlines()]


def test_every_document_is_in_exactly_one_place(tmp_path: Path) -> None:
    rows = documents("a", "b", each=100)
    dirty = [("a", "  "), ("", "no label"), rows[0], ("a", "both"), ("b", "both")]

    prepared = Classifier(tmp_path).prepare(rows + dirty)

    training, test = rows_of(prepared.training_uri), rows_of(prepared.test_uri)
    assert sorted(training + test) == sorted(rows)
    assert (prepared.training_documents, prepared.test_documents) == (len(training), len(test))
    assert prepared.documents_read == len(rows) + len(dirty) == 205
    assert (prepared.rejected, prepared.duplicates, prepared.left_out_documents) == (4, 1, 0)
    assert Counter(reject["reason"] for reject in rejects_of(prepared)) == {
        "blank": 1,
        "no_label": 1,
        "conflicting_labels": 2,
    }


def test_files_lie_below_the_version(tmp_path: Path) -> None:
    prepared = Classifier(tmp_path).prepare(documents("a", "b"))

    assert re.fullmatch(r"v[0-9a-f]{12}", prepared.version)
    folder = tmp_path / "work" / "training" / prepared.version
    assert {file.name for file in folder.iterdir()} == {
        "training.csv",
        "test.csv",
        "test.txt",
        "report.json",
        "documents.parquet",
        "rejects.jsonl",
    }
    assert prepared.training_uri == f"{folder}/training.csv"
    assert prepared.training_bytes == (folder / "training.csv").stat().st_size


def test_test_documents_stand_in_the_order_of_the_test_file(tmp_path: Path) -> None:
    prepared = Classifier(tmp_path).prepare(
        [(label, f'"{text}",\nyes') for label, text in documents("a", "b")]
    )

    texts = [text for _, text in rows_of(prepared.test_uri)]
    assert Path(prepared.test_documents_uri).read_text().split("\n") == [*texts, ""]


def test_units_of_the_test_are_billed_per_hundred_characters_and_at_least_three(tmp_path: Path) -> None:
    rows = [(label, text + "x" * 500) for label, text in documents("a", "b", each=40)] + documents(
        "c", each=40
    )

    prepared = Classifier(tmp_path).prepare(rows)

    expected = sum(max(3, -(-len(text) // 100)) for _, text in rows_of(prepared.test_uri))
    assert prepared.test_units == expected


def test_the_same_data_in_another_order_is_the_same_version(tmp_path: Path) -> None:
    rows = documents("a", "b", "c")
    first = Classifier(tmp_path).prepare(rows)
    shuffled = list(rows)
    random.Random(1).shuffle(shuffled)

    second = Classifier(tmp_path).prepare([*shuffled, rows[5]])

    assert (second.version, second.fingerprint) == (first.version, first.fingerprint)
    assert second.test_fingerprint == first.test_fingerprint
    assert sorted(rows_of(second.test_uri)) == sorted(rows_of(first.test_uri))


@pytest.mark.parametrize(
    "changes",
    [{"language": "de"}, {"test_share": 0.3}, {"kms": {"model_key_id": "1234"}}],
    ids=["language", "share", "key"],
)
def test_other_training_settings_are_another_version(tmp_path: Path, changes: dict[str, Any]) -> None:
    rows = documents("a", "b")

    assert Classifier(tmp_path, **changes).prepare(rows).version != Classifier(tmp_path).prepare(rows).version


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({}, "v46566ed746db"),
        ({"mode": "MULTI_LABEL", "language": "de", "kms": {"model_key_id": "1234"}}, "v66f8c80b87b9"),
    ],
    ids=["defaults", "all-settings"],
)
def test_a_release_keeps_the_versions_of_the_one_before(
    tmp_path: Path, changes: dict[str, Any], version: str
) -> None:
    """A name that changes means that every classifier is trained again, and paid again."""
    assert Classifier(tmp_path, **changes).prepare(documents("a", "b")).version == version


def test_settings_that_do_not_concern_training_keep_the_version(tmp_path: Path) -> None:
    rows = documents("a", "b")
    other = Classifier(tmp_path, threshold=0.7, budget={"run_usd": None}, schedule="0 3 * * *")

    assert other.prepare(rows).version == Classifier(tmp_path).prepare(rows).version


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [*rows, ("a", "one more")],
        lambda rows: rows[:-1],
        lambda rows: [("b", rows[0][1]), *rows[1:]],
        lambda rows: [(rows[0][0], "other"), *rows[1:]],
        lambda rows: [("b" if label == "a" else "a", text) for label, text in rows],
    ],
    ids=["more", "fewer", "label", "text", "swapped"],
)
def test_other_data_is_another_version(tmp_path: Path, change: Any) -> None:
    rows = documents("a", "b")

    first, second = (Classifier(tmp_path).prepare(data) for data in (rows, change(rows)))

    assert first.version != second.version


def test_while_documents_are_only_added_nothing_trained_on_is_tested(tmp_path: Path) -> None:
    rows = documents("a", "b", "c", each=120)
    random.Random(2).shuffle(rows)
    classifier = Classifier(tmp_path)

    trained: set[str] = set()
    for count in (120, 180, 240, 300, 360):
        prepared = classifier.prepare(rows[:count])
        assert not trained & {text for _, text in rows_of(prepared.test_uri)}
        trained |= {text for _, text in rows_of(prepared.training_uri)}


def test_every_label_is_in_the_test(tmp_path: Path) -> None:
    labels = [f"label {number}" for number in range(60)]

    prepared = Classifier(tmp_path, test_share=0.01).prepare(documents(*labels, each=15))

    assert {label for label, _ in rows_of(prepared.test_uri)} == set(labels)
    assert all(count["test"] >= 1 for count in prepared.labels.values())
    assert {label: count["training"] for label, count in prepared.labels.items()} == Counter(
        label for label, _ in rows_of(prepared.training_uri)
    )


def test_one_text_under_two_labels_is_rejected_with_both_named_and_no_text(tmp_path: Path) -> None:
    rows = documents("a", "b")
    private = "the same private text"

    prepared = Classifier(tmp_path).prepare([*rows, ("a", private), ("b", private), ("a", f"{private}\n")])

    rejects = rejects_of(prepared)
    assert [(reject["row"], reject["reason"]) for reject in rejects] == [
        (row, "conflicting_labels") for row in (120, 121, 122)
    ]
    assert {reject["detail"] for reject in rejects} == {'the same text has the labels "a", "b"'}
    assert "private" not in json.dumps(rejects)
    assert private not in [text for _, text in rows_of(prepared.training_uri) + rows_of(prepared.test_uri)]


def test_labels_with_too_few_documents_are_an_error_or_left_out(tmp_path: Path) -> None:
    rows = documents("a", "b") + documents("small", each=5)

    with pytest.raises(
        TrainingDataError,
        match=r'1 label has fewer than 10 .*"small" \(\d for the training, \d for the test\)',
    ):
        Classifier(tmp_path).prepare(rows)
    assert not (tmp_path / "work").exists()

    prepared = Classifier(tmp_path, small_labels="leave_out").prepare(rows)

    assert prepared.left_out_labels == ["small"]
    assert prepared.left_out_documents == 5
    assert set(prepared.labels) == {"a", "b"}
    assert {label for label, _ in rows_of(prepared.training_uri) + rows_of(prepared.test_uri)} == {"a", "b"}
    assert any("left out" in warning for warning in prepared.warnings)


@pytest.mark.parametrize(("each", "fits"), [(10, False), (11, True)])
def test_a_label_needs_ten_documents_to_train_on_and_one_to_test(
    tmp_path: Path, each: int, fits: bool
) -> None:
    rows = documents("a", "b", each=200) + documents("rare", each=each)
    classifier = Classifier(tmp_path, test_share=0.01)

    if fits:
        assert classifier.prepare(rows).labels["rare"] == {"training": 10, "test": 1}
    else:
        with pytest.raises(
            TrainingDataError,
            match=r'"rare" \(9 for the training, 1 for the test\).*11 in all\. Add documents',
        ):
            classifier.prepare(rows)


def test_leaving_a_label_out_of_a_multi_label_set_keeps_the_document(tmp_path: Path) -> None:
    rows = [(f"a|{'rare|' if n < 3 else ''}b", f"document {n}") for n in range(80)]

    prepared = Classifier(tmp_path, mode="MULTI_LABEL", small_labels="leave_out").prepare(rows)

    written = rows_of(prepared.training_uri) + rows_of(prepared.test_uri)
    assert {label for label, _ in written} == {"a|b"}
    assert (len(written), prepared.left_out_documents) == (80, 0)


def test_multi_label_cells_are_sorted_and_tidy(tmp_path: Path) -> None:
    rows = [("b|a", f"x {n}") for n in range(40)] + [("|a||a|", f"y {n}") for n in range(40)]

    prepared = Classifier(tmp_path, mode="MULTI_LABEL").prepare(rows)

    assert {label for label, _ in rows_of(prepared.training_uri)} == {"a|b", "a"}
    assert {label: sum(count.values()) for label, count in prepared.labels.items()} == {"a": 80, "b": 40}


def test_one_text_with_two_label_sets_is_kept_in_multi_label_on_one_side(tmp_path: Path) -> None:
    rows = [("a|b", f"x {n}") for n in range(60)] + [("a", f"x {n}") for n in range(60)]

    prepared = Classifier(tmp_path, mode="MULTI_LABEL", test_share=0.3).prepare(rows)

    training, test = (
        {text for _, text in rows_of(uri)} for uri in (prepared.training_uri, prepared.test_uri)
    )
    assert not training & test
    assert prepared.training_documents + prepared.test_documents == 120
    assert "120 documents with the same text" in prepared.warnings[0]


def test_another_delimiter_is_used_in_the_files(tmp_path: Path) -> None:
    rows = [("a|1~b|2", f"x {n}") for n in range(80)]

    prepared = Classifier(tmp_path, mode="MULTI_LABEL", label_delimiter="~").prepare(rows)

    assert set(prepared.labels) == {"a|1", "b|2"}
    assert {label for label, _ in rows_of(prepared.training_uri)} == {"a|1~b|2"}


def test_a_delimiter_inside_a_listed_label_is_an_error(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"x {n}", "label": ["a|b", "c"]}) for n in range(60)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    labelled = {"uri": str(tmp_path / "x.jsonl"), "format": "jsonl"}

    with pytest.raises(
        TrainingDataError, match=r'the delimiter "\|" is part of a label: "a\|b"; set label_delim'
    ):
        prepare_training_data(
            Classifier(tmp_path, mode="MULTI_LABEL", labelled=labelled).spec(), plain_access()
        )


def test_no_documents_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="holds no labelled documents"):
        Classifier(tmp_path).prepare([])


def test_a_day_without_labelled_documents_is_named_with_the_day(tmp_path: Path) -> None:
    labelled = {"uri": f"{tmp_path}/{{day}}/", "format": "csv"}
    (tmp_path / "2026-11-18").mkdir()
    spec = Classifier(tmp_path, labelled=labelled, work_uri="/elsewhere/work").spec()

    with pytest.raises(TrainingDataError, match="/2026-11-18/ holds no labelled documents"):
        prepare_training_data(spec, plain_access(), day=date(2026, 11, 18))


def test_nothing_but_rejects_is_an_error_that_says_why_and_names_the_rejects(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError) as error:
        Classifier(tmp_path).prepare([("", "a"), ("", "b"), ("a", " ")])

    written = tmp_path / "work" / "training" / "failed" / "rejects.jsonl"
    assert "3 documents rejected, most as no_label: The label is empty" in str(error.value)
    assert "no_label 2, for instance labelled.csv row 0; blank 1, for instance labelled.csv row 2" in str(
        error.value
    )
    assert str(error.value).endswith(f"All rejects are in {written}")
    assert [orjson.loads(line)["row"] for line in written.read_bytes().splitlines()] == [0, 1, 2]


def test_an_error_without_rejects_writes_and_names_no_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"^(?!.*rejects).*needs 2 labels"):
        Classifier(tmp_path).prepare(documents("a"))

    assert not (tmp_path / "work").exists()


def test_without_writing_all_is_checked_and_nothing_is_written(tmp_path: Path) -> None:
    classifier = Classifier(tmp_path)
    written = classifier.prepare([*documents("a", "b"), ("a", " ")])
    shutil.rmtree(tmp_path / "work")

    assert prepare_training_data(classifier.spec(), plain_access(), write=False) == written
    classifier.source.write_text("a,\n")
    with pytest.raises(TrainingDataError, match=r"blank 1, for instance labelled.csv row 0$"):
        prepare_training_data(classifier.spec(), plain_access(), write=False)

    assert not (tmp_path / "work").exists()


def test_nothing_but_conflicts_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"2 of 2 documents were rejected, 100\.0%"):
        Classifier(tmp_path).prepare([("a", "x"), ("b", "x")])


def test_more_rejects_than_the_spec_allows_are_an_error_or_a_warning(tmp_path: Path) -> None:
    rows = [*documents("a", "b"), *[("a", " ")] * 121]
    half = rows[:-1]

    assert Classifier(tmp_path).prepare(half).reject_counts == {"blank": 120}
    with pytest.raises(TrainingDataError, match=r"121 of 241 .*50\.2%.*max_rejected_share allows 50\.0%"):
        Classifier(tmp_path).prepare(rows)

    warned = Classifier(tmp_path, quality={"when_over": "warn"}).prepare(rows)
    assert "121 of 241 documents were rejected" in warned.warnings[0]
    assert Classifier(tmp_path, quality={"max_rejected_share": 0.6}).prepare(rows).rejected == 121


@pytest.mark.parametrize("small_labels", ["error", "leave_out"])
def test_a_label_whose_documents_were_all_rejected_is_an_error(tmp_path: Path, small_labels: str) -> None:
    rows = [*documents("a", "b"), *[("lost", " ")] * 11]

    with pytest.raises(TrainingDataError, match=r'1 label would be lost.*"lost" \(blank 11\)'):
        Classifier(tmp_path, small_labels=small_labels).prepare(rows)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("lost,text {n},with a comma", "unreadable_row"),
        ("lost", "unreadable_row"),
        ('lost,""', "blank"),
    ],
)
def test_the_label_of_rows_that_cannot_be_read_is_not_lost_in_silence(
    tmp_path: Path, row: str, reason: str
) -> None:
    rows = [f"{label},{text}" for label, text in documents("a", "b")]
    source = tmp_path / "rows.csv"
    source.write_text("\n".join(["label,text", *rows, *(row.format(n=n) for n in range(12))]))
    labelled = {"uri": str(source), "format": "csv"}

    with pytest.raises(TrainingDataError, match=rf'"lost" \({reason} 12\)'):
        prepare_training_data(Classifier(tmp_path, labelled=labelled).spec(), plain_access())


def test_the_label_of_objects_whose_text_is_none_is_not_lost_in_silence(tmp_path: Path) -> None:
    rows = [{"label": label, "text": text} for label, text in documents("a", "b")]
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(map(json.dumps, [*rows, *[{"label": "lost", "text": 5}] * 3])))
    labelled = {"uri": str(source), "format": "jsonl"}

    with pytest.raises(TrainingDataError, match=r'"lost" \(unreadable_row 3\)'):
        prepare_training_data(Classifier(tmp_path, labelled=labelled).spec(), plain_access())


def test_a_label_whose_files_are_no_text_is_not_lost_in_silence(tmp_path: Path) -> None:
    for label, content in (("a", b"text"), ("b", b"more"), ("lost", b"%PDF-1.7")):
        (tmp_path / "docs" / label).mkdir(parents=True)
        for number in range(20):
            (tmp_path / "docs" / label / f"{number}.txt").write_bytes(b"%s %d" % (content, number))
    labelled = {"uri": f"{tmp_path}/docs/", "format": "files"}

    with pytest.raises(TrainingDataError, match=r'"lost" \(not_text 20\)'):
        prepare_training_data(Classifier(tmp_path, labelled=labelled).spec(), plain_access())


def test_a_label_whose_documents_all_conflict_is_an_error(tmp_path: Path) -> None:
    rows = documents("a", "b")
    twice = [(label, f"same {n}") for n in range(15) for label in ("lost", "a")]

    with pytest.raises(TrainingDataError, match=r'1 label would be lost.*"lost" \(conflicting_labels 15\)'):
        Classifier(tmp_path, small_labels="leave_out").prepare(rows + twice)


def test_a_small_label_is_left_out_whether_or_not_it_lost_documents(tmp_path: Path) -> None:
    rows = [*documents("a", "b"), *[("small", " ")] * 5, *documents("small", each=5)]

    assert Classifier(tmp_path, small_labels="leave_out").prepare(rows).left_out_labels == ["small"]


def test_labels_in_composed_and_decomposed_letters_are_one(tmp_path: Path) -> None:
    rows = documents("Pr\u00e4mie", "Pra\u0308mie", "b", each=30)

    prepared = Classifier(tmp_path).prepare(rows)

    assert {label: sum(count.values()) for label, count in prepared.labels.items()} == {
        "Pr\u00e4mie": 60,
        "b": 30,
    }
    assert {label for label, _ in rows_of(prepared.training_uri)} == {"Pr\u00e4mie", "b"}


def test_labels_that_look_alike_are_named_in_warnings_and_in_errors(tmp_path: Path) -> None:
    pair = r'labels look alike.*"Bug" \(60 documents\) and "bug" \(\d+ documents\)'
    rows = documents("Bug", "other")

    assert re.search(pair, " ".join(Classifier(tmp_path).prepare(rows + documents("bug")).warnings))
    with pytest.raises(TrainingDataError, match=f"fewer than 10 documents.*{pair}"):
        Classifier(tmp_path).prepare(rows + documents("bug", each=3))


def test_one_label_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="needs 2 labels"):
        Classifier(tmp_path).prepare(documents("a"))


@pytest.mark.parametrize("small_labels", ["error", "leave_out"])
def test_a_header_row_read_as_data_is_an_error_not_a_class(tmp_path: Path, small_labels: str) -> None:
    rows = [("category", "body"), *documents("a", "b"), ("category", "body")]

    with pytest.raises(
        TrainingDataError, match=r'label "category" looks like the name of a column.*Say header: true'
    ):
        Classifier(tmp_path, small_labels=small_labels).prepare(rows)


def test_a_header_row_in_the_middle_of_joined_files_is_an_error(tmp_path: Path) -> None:
    labelled = {"uri": str(tmp_path / "labelled.csv"), "format": "csv"}
    rows = [("label", "text"), *documents("a", "b")]

    with pytest.raises(TrainingDataError, match=r'label "label" looks like .*Remove this row'):
        Classifier(tmp_path, labelled=labelled).prepare(rows + rows)


def test_labels_of_which_each_has_another_short_text_are_no_header_rows(tmp_path: Path) -> None:
    rows = [(f"{number:03}-code", f"doc{number}") for number in range(30)]

    with pytest.raises(TrainingDataError, match="30 labels have fewer than 10 documents"):
        Classifier(tmp_path).prepare(rows)


@pytest.mark.parametrize("text", ["billing", "a different short text {n}"])
def test_texts_in_place_of_labels_are_an_error_without_the_texts(tmp_path: Path, text: str) -> None:
    rows = [(f"Secret number {n} is what I wrote to you", text.format(n=n)) for n in range(30)]

    with pytest.raises(TrainingDataError, match=r"30 different labels, .* look like texts") as caught:
        Classifier(tmp_path).prepare(rows)

    assert "Secret" not in str(caught.value)


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        prepare_training_data(Classifier(tmp_path).spec(), plain_access())


def test_the_report_tells_lengths_and_counts_per_label(tmp_path: Path) -> None:
    rows = [("a", "x" * length) for length in range(1, 61)] + [
        ("b", "ä" * length) for length in range(11, 72)
    ]

    prepared = Classifier(tmp_path).prepare([*rows, ("a", " ")])

    report = json.loads(Path(prepared.report_uri).read_text())
    by_label = {entry["label"]: entry for entry in report["labels"]}
    assert {key: by_label["a"][key] for key in ("documents", "shortest", "median", "longest")} == {
        "documents": 60,
        "shortest": 1,
        "median": 30.5,
        "longest": 60,
    }
    assert [by_label["b"][key] for key in ("shortest", "median", "longest")] == [11, 41, 71]
    assert by_label["a"]["training"] + by_label["a"]["test"] == 60
    assert report["rejects"]["blank"]["documents"] == 1
    assert "write one" in report["rejects"]["blank"]["remedy"]
    assert report["version"] == prepared.version
    assert report["warnings"] == prepared.warnings


def test_what_travels_between_tasks_is_small_and_plain(tmp_path: Path) -> None:
    labels = [f"label {number:04d}" for number in range(1_000)]

    prepared = Classifier(tmp_path).prepare(documents(*labels, each=25))

    assert len(orjson.dumps(prepared.to_dict())) < 60_000
    assert PreparedTraining(**json.loads(json.dumps(prepared.to_dict()))) == prepared


def test_the_second_time_the_files_are_the_same(tmp_path: Path) -> None:
    rows = documents("a", "b")
    first = Classifier(tmp_path).prepare(rows)
    before = {file.name: file.read_bytes() for file in Path(first.training_uri).parent.iterdir()}

    Classifier(tmp_path).prepare(rows)

    assert {file.name: file.read_bytes() for file in Path(first.training_uri).parent.iterdir()} == before


def test_progress_is_told(tmp_path: Path) -> None:
    classifier = Classifier(tmp_path)
    classifier.prepare(documents("a", "b"))
    told: list[str] = []

    prepare_training_data(classifier.spec(), plain_access(), progress=lambda what, _: told.append(what))

    assert told[0] == "reading documents"
    assert told[-1] == "uploading report.json"
