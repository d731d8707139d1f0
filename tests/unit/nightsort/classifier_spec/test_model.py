"""A spec that cannot work is refused with file, key and remedy, before anything is paid."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from nightsort.classifier_spec.model import ClassifierSpec, SpecError, load_spec, load_specs
from nightsort.classifier_spec.source import SpecPart

if TYPE_CHECKING:
    from pathlib import Path

TOLD = {"import_path": "airflow.providers.smtp.notifications.smtp.SmtpNotifier"}
NIGHTLY = {"schedule": "0 2 * * *", "notifiers": [TOLD]}
GOOD: dict[str, Any] = {
    "name": "support-tickets",
    "mode": "MULTI_CLASS",
    "labelled": {"uri": "s3://bucket/labelled/", "format": "csv"},
    "incoming": {"uri": "s3://bucket/incoming/{day}/", "format": "jsonl", "id_column": "id"},
    "work_uri": "s3://bucket/nightsort/support-tickets/",
    "data_access_role_arn": "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess",
}


def load(folder: Path, **changes: Any) -> ClassifierSpec:
    file = folder / "x.yaml"
    file.write_text(
        yaml.safe_dump({key: value for key, value in {**GOOD, **changes}.items() if value != "-"})
    )
    return load_spec(file)


def refused(folder: Path, **changes: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load(folder, **changes)
    return str(caught.value)


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    spec = load(tmp_path)

    assert (spec.language, spec.label_delimiter, spec.timezone, spec.schedule) == ("en", None, "UTC", None)
    assert (spec.aws_conn_id, spec.db_conn_id) == ("aws_default", "nightsort_db")
    assert (spec.test_share, spec.threshold, spec.budget.run_usd) == (0.1, 0.5, 100.0)
    assert (spec.min_documents_per_label, spec.recommended_documents_per_label) == (10, 50)
    assert (spec.labelled.text_column, spec.labelled.label_column) == ("text", "label")
    assert (spec.batch.max_documents, spec.batch.max_bytes) == (1_000_000, 5_000_000_000)
    assert spec.batch.endpoint_below is None
    assert spec.vpc is None


def test_a_small_night_needs_an_endpoint(tmp_path: Path) -> None:
    spec = load(tmp_path, batch={"endpoint_below": 500}, real_time={"hours": "08:00-18:00"})
    assert spec.batch.endpoint_below == 500


def paths(part: SpecPart, within: str = "") -> list[str]:
    """List the fields of a spec, and of its parts that are not in one of the two lists as a whole."""
    found = []
    for name in type(part).model_fields:
        path, value = within + name, getattr(part, name)
        if isinstance(value, SpecPart) and path not in DECIDED:
            found += paths(value, f"{path}.")
        else:
            found.append(path)
    return found


def with_other_value(part: Any, path: str) -> Any:
    name, _, rest = path.partition(".")
    value = with_other_value(getattr(part, name), rest) if rest else object()
    return part.model_copy(update={name: value})


DECIDED = ClassifierSpec.CHANGES_TRAINING_DATA | ClassifierSpec.DOES_NOT_CHANGE_MODEL


def test_each_field_is_a_training_setting_or_is_known_to_be_none(tmp_path: Path) -> None:
    """A new field fails here until somebody decides whether it changes the model."""
    spec = load(tmp_path)
    fields = paths(spec)
    settings = {
        path
        for path in fields
        if with_other_value(spec, path).training_settings() != spec.training_settings()
    }

    assert settings == {"mode", "language", "label_delimiter", "kms.model_key_id"}
    assert sorted([*settings, *DECIDED]) == sorted(fields)
    assert not ClassifierSpec.CHANGES_TRAINING_DATA & ClassifierSpec.DOES_NOT_CHANGE_MODEL


def test_work_uri_loses_its_last_slash(tmp_path: Path) -> None:
    assert load(tmp_path).work_uri == "s3://bucket/nightsort/support-tickets"


def test_multi_label_joins_labels_with_a_bar_unless_told_otherwise(tmp_path: Path) -> None:
    assert load(tmp_path, mode="MULTI_LABEL").label_delimiter == "|"
    assert load(tmp_path, mode="MULTI_LABEL", label_delimiter="\t").label_delimiter == "\t"


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        ("parquet", "s3://bucket/nightsort/support-tickets/predictions"),
        ({"format": "parquet"}, "s3://bucket/nightsort/support-tickets/predictions"),
        ({"uri": "s3://lake/nightsort/"}, "s3://lake/nightsort"),
        ({"uri": "/data/lake/"}, "/data/lake"),
        ("-", None),
    ],
)
def test_results_are_exported_where_the_spec_says_or_below_work_uri(
    tmp_path: Path, given: Any, uri: str | None
) -> None:
    assert load(tmp_path, export=given).export_uri == uri


def test_a_spec_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path).mode = "MULTI_LABEL"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"name": "Support_Tickets"}, "name", "for instance support-tickets"),
        ({"name": "a" * 41}, "name", "shorten it to 40"),
        ({"name": "a--b"}, "name", "single hyphens"),
        ({"name": 7}, "name", "put it in quotes"),
        ({"name": ["a", "b"]}, "name", 'must be one text, but is ["a", "b"]'),
        ({"name": "-"}, "name", "is missing; add it, for instance  name: support-tickets"),
        (
            {"mode": "MULTICLASS"},
            "mode",
            '"MULTICLASS" is not a value for mode; choose MULTI_CLASS, MULTI_LABEL',
        ),
        ({"language": "ja"}, "language", "choose en, es, de, it, fr, pt"),
        ({"export": "csv"}, "export.format", '"csv" is not a value for format; choose parquet'),
        ({"export": True}, "export", "must contain keys, but is true"),
        ({"export": {"url": "s3://b/c"}}, "export.url", 'Did you mean "uri"?'),
        ({"export": {"uri": "s3://lake/{day}/"}}, "export.uri", "write one fixed prefix"),
        ({"export": {"uri": "gs://lake/n"}}, "export.uri", "use s3://"),
        ({"export": {"uri": "s3://bucket/labelled/x"}}, "export.uri", "results would be read as documents"),
        ({"export": {"uri": "s3://bucket/incoming"}}, "export.uri", "give export.uri its own prefix"),
        (
            {"small_labels": "drop"},
            "small_labels",
            '"drop" is not a value for small_labels; choose error, leave_out',
        ),
        ({"input_format": "LINES"}, "input_format", "is not a value for input_format; choose ONE_DOC"),
        ({"label_delimiter": "|"}, "label_delimiter", "is only for MULTI_LABEL"),
        ({"mode": "MULTI_LABEL", "label_delimiter": ","}, "label_delimiter", "choose one of"),
        ({"mode": "MULTI_LABEL", "label_delimiter": "||"}, "label_delimiter", "choose one of"),
        ({"work_uri": "s3://Bucket/x"}, "work_uri", "the bucket in lower case"),
        ({"work_uri": "gs://bucket/x"}, "work_uri", "use s3://"),
        ({"work_uri": "s3://bucket/{day}"}, "work_uri", "one fixed prefix"),
        ({"work_uri": "s3://bucket/" + "x" * 900}, "work_uri", "shorten it to 800"),
        ({"work_uri": "s3://bucket/labelled/work"}, "work_uri", "give work_uri its own prefix"),
        ({"data_access_role_arn": "arn:aws:iam::123:role/x"}, "data_access_role_arn", "is not a role's ARN"),
        ({"aws_conn_id": ""}, "aws_conn_id", "at least 1 character"),
        ({"schedule": "0 25 * * *"}, "schedule", "is not a cron expression"),
        ({"schedule": "0 2 * *"}, "schedule", "five fields"),
        ({"schedule": "0 0 31 2 *"}, "schedule", "does not exist"),
        ({"schedule": "@hourly"}, "schedule", "more than one run a day"),
        (
            {"schedule": "0 2 1 1 *", "incoming": {"uri": "s3://bucket/in/{day:%Y-%m}/", "format": "lines"}},
            "schedule",
            "would never read s3://bucket/in/2026-02/",
        ),
        ({"no_files": "skip"}, "no_files", "choose ok, warn, fail"),
        ({"drift": "tell"}, "drift", "choose off, warn, notify"),
        ({"drift": True}, "drift", "choose off, warn, notify"),
        ({"drift": "notify"}, "drift", "needs notifiers"),
        (
            {"incoming": {"uri": "s3://bucket/in/", "format": "lines", "by_hand": ["s3://bucket/*/"]}},
            "incoming.by_hand.0",
            "write one fixed prefix",
        ),
        (
            {"incoming": {"uri": "s3://bucket/in/", "format": "lines", "by_hand": ["/data"]}},
            "incoming.by_hand.0",
            "use s3:// for both",
        ),
        ({"schedule": "0,30 2 * * *"}, "schedule", "more than one run a day"),
        ({"timezone": "Berlin"}, "timezone", "Europe/Berlin"),
        ({"test_share": 0.6}, "test_share", "at most 0.5, but is 0.6"),
        ({"test_share": 0}, "test_share", "more than 0"),
        ({"threshold": 1}, "threshold", "less than 1"),
        ({"threshold": True}, "threshold", "valid number"),
        ({"min_documents_per_label": 9}, "min_documents_per_label", "at least 10"),
        ({"recommended_documents_per_label": 5}, "recommended_documents_per_label", "raise it"),
        ({"promotion": {"metric": "f1"}}, "promotion.metric", "choose macro_f1, micro_f1, accuracy"),
        ({"promotion": {"least_gain": -0.1}}, "promotion.least_gain", "at least 0"),
        ({"batch": {"max_documents": 1_000_001}}, "batch.max_documents", "at most 1000000"),
        ({"batch": {"endpoint_below": 500}}, "batch.endpoint_below", "needs real_time"),
        ({"batch": {"endpoint_below": 0}}, "batch.endpoint_below", "at least 1, but is 0"),
        ({"batch": {"endpoint_below": 10_001}}, "batch.endpoint_below", "at most 10000"),
        ({"batch": {"endpoint_below": "500"}}, "batch.endpoint_below", "valid integer"),
        ({"batch": {"endpoint_below": 0.5}}, "batch.endpoint_below", "valid integer"),
        ({"batch": {"max_bytes": 5_000_000_001}}, "batch.max_bytes", "at most 5000000000"),
        ({"budget": {"run_usd": 0}}, "budget.run_usd", "more than 0"),
        ({"budget": {"when_over": "warn"}}, "budget.when_over", "choose fail, ask"),
        ({"quality": {"max_failed_share": 1.5}}, "quality.max_failed_share", "at most 1"),
        ({"reuse": {"days": 0}}, "reuse.days", "at least 1"),
        ({"reuse": {"days": 367}}, "reuse.days", "at most 366"),
        ({"reuse": {"days": 1.5}}, "reuse.days", "valid integer"),
        ({"quality": {"max_rejected_share": -0.1}}, "quality.max_rejected_share", "at least 0"),
        ({"quality": {"when_over": "ask"}}, "quality.when_over", "choose fail, warn"),
        ({"budget": {"usd": 5}}, "budget.usd", "is not a key of the spec"),
        ({"budget_usd_per_run": 5}, "budget_usd_per_run", "is not a key of the spec"),
        ({"training_time_limit_hours": 0}, "training_time_limit_hours", "more than 0"),
        ({"loaded_by": "6:00", **NIGHTLY}, "loaded_by", '"6:00" is not a time; write for instance "06:30"'),
        ({"loaded_by": 630, **NIGHTLY}, "loaded_by", "put it in quotes"),
        ({"loaded_by": "06:00", "notifiers": [TOLD]}, "loaded_by", "needs a schedule"),
        ({"loaded_by": "06:00", "schedule": "0 2 * * *"}, "loaded_by", "or nobody is notified"),
        ({"notifiers": [{"import_path": "Mailer"}]}, "notifiers.0.import_path", "package.module.ClassName"),
        ({"notifiers": [{**TOLD, "args": {}}]}, "notifiers.0.args", 'Did you mean "arguments"'),
        (
            {"notifiers": [{**TOLD, "arguments": {"bot_token": "x"}}]},
            "notifiers.0.arguments",
            "bot_token looks",
        ),
        ({"kms": {"model_key_id": "alias/mine"}}, "kms.model_key_id", "use the key's id or its ARN"),
        ({"kms": {"output_key_id": "schlüssel"}}, "kms.output_key_id", "is not a KMS key"),
        ({"vpc": {"subnets": ["subnet-1"]}}, "vpc.security_group_ids", "needs both lists"),
        ({"vpc": {"subnets": ["a_b"], "security_group_ids": ["sg-1"]}}, "vpc.subnets", "is not an id"),
        ({"vpc": {"subnets": "subnet-1"}}, "vpc.subnets", "must be a list"),
        ({"tags": {"aws:team": "x"}}, "tags", "do not begin with aws:"),
        ({"tags": {f"k{n}": "" for n in range(51)}}, "tags", "AWS accepts 50"),
        ({"tags": {"k": "v" * 257}}, "tags", "257 characters"),
        ({"lable_delimiter": "|"}, "lable_delimiter", 'Did you mean "label_delimiter"?'),
        ({"kms": 5}, "kms", "must contain keys"),
    ],
)
def test_what_cannot_work_is_refused_with_key_and_remedy(
    tmp_path: Path, changes: dict[str, Any], key: str, says: str
) -> None:
    message = refused(tmp_path, **changes)

    assert message.startswith(f"{tmp_path / 'x.yaml'}: {key}: ")
    assert says in message
    assert "\n" not in message


def test_every_problem_gets_a_line_of_its_own(tmp_path: Path) -> None:
    message = refused(tmp_path, mode="X", test_share=2, labelled={"uri": "s3://bucket/a", "format": "cvs"})

    assert [re.match(r".*?x\.yaml: ([\w.]+): ", line)[1] for line in message.splitlines()] == [  # type: ignore[index]
        "mode",
        "labelled.format",
        "test_share",
    ]
    assert 'labelled.format: "cvs" is not a value for format; choose csv, tsv, jsonl, parquet' in message


def test_rows_of_a_query_need_an_id(tmp_path: Path) -> None:
    message = refused(tmp_path, incoming={"sql": "SELECT text FROM tickets", "conn_id": "db"})

    assert "incoming.id_column: is missing" in message


def test_one_broken_spec_hurts_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(GOOD))
    (tmp_path / "b.yml").write_text("name: [")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({**GOOD, "mode": "X"}))
    (tmp_path / "d.yaml").write_text(yaml.safe_dump({**GOOD, "name": "other"}))
    (tmp_path / "notes.txt").write_text("no spec")

    loaded = load_specs([tmp_path])

    assert list(loaded.specs) == ["support-tickets", "other"]
    assert [error.file.name for error in loaded.errors] == ["b.yml", "c.yaml"]


def test_of_two_specs_with_one_name_the_later_file_is_the_error(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text(yaml.safe_dump(GOOD))

    loaded = load_specs([tmp_path / "one", tmp_path / "two"])

    assert list(loaded.specs) == ["support-tickets"]
    assert str(tmp_path / "one" / "x.yaml") in str(loaded.errors[0])
    assert loaded.errors[0].file == tmp_path / "two" / "x.yaml"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    loaded = load_specs([tmp_path / "nowhere"])

    assert "there is no such folder" in str(loaded.errors[0])


def test_two_hundred_specs_are_read_well_within_two_seconds(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump({**GOOD, "name": f"n{number}"}))

    started = time.process_time()
    loaded = load_specs([tmp_path])

    assert len(loaded.specs) == 200
    assert time.process_time() - started < 2


@pytest.mark.parametrize("written", ["off", '"off"', "warn"])
def test_off_needs_no_quotes(tmp_path: Path, written: str) -> None:
    """YAML 1.1 reads the word as false."""
    load(tmp_path)
    file = tmp_path / "x.yaml"
    file.write_text(f"{file.read_text()}drift: {written}\n")
    assert load_spec(file).drift == written.strip('"')


@pytest.mark.parametrize(("written", "days"), [("off", None), ("null", None), ("30", 30)])
def test_days_of_reuse_may_be_off(tmp_path: Path, written: str, days: int | None) -> None:
    assert load(tmp_path, reuse={"days": yaml.safe_load(written)}).reuse.days == days
