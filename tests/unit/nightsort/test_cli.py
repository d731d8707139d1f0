"""What the command line promises: each step without Airflow, numbers or JSON, exit code 2 with a reason."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from typer.testing import CliRunner

from nightsort.cli import app

if TYPE_CHECKING:
    from typer.testing import Result

PROJECT = Path(__file__).parents[3]


def run(*arguments: Any, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    if code:
        assert "Traceback" not in result.output
    return result


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec of local folders, with 40 labelled documents in two classes and three new ones."""
    (tmp_path / "incoming" / "2026-11-18").mkdir(parents=True)
    rows = [f"{label},{label} text number {n}" for n in range(20) for label in ("BUG", "BILLING")]
    (tmp_path / "labelled.csv").write_text("label,text\n" + "\n".join(rows) + "\n")
    (tmp_path / "incoming" / "2026-11-18" / "new.csv").write_text("id,text\na,one\nb,two\nc,\n")
    values = {
        "name": "tickets",
        "mode": "MULTI_CLASS",
        "labelled": {"uri": str(tmp_path / "labelled.csv"), "format": "csv"},
        "incoming": {"uri": f"{tmp_path}/incoming/{{day}}/", "format": "csv", "id_column": "id"},
        "work_uri": str(tmp_path / "work"),
        "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
    }
    path = tmp_path / "specs" / "tickets.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(values))
    return path


def change(spec: Path, **values: Any) -> Path:
    spec.write_text(yaml.safe_dump({**yaml.safe_load(spec.read_text()), **values}))
    return spec


def job_output(path: Path, *lines: dict[str, Any]) -> Path:
    content = "\n".join(map(json.dumps, lines)).encode()
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return path


def test_it_runs_as_a_module_and_lists_its_commands() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "nightsort", "--help"],
        cwd=PROJECT,
        env={"COLUMNS": "120", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    commands = "validate-spec prepare-training prepare-batches forecast-cost read-predictions init-db"
    for command in commands.split():
        assert command in help_text


class TestValidateSpec:
    def test_good_specs_are_listed_with_their_dags(self, spec: Path) -> None:
        assert "classify_tickets" in run("validate-spec", spec).output
        found = json.loads(run("validate-spec", spec.parent, "--json").stdout)
        assert found == {"specs": ["tickets"], "errors": []}

    def test_what_is_probably_not_meant_is_a_warning(self, spec: Path, tmp_path: Path) -> None:
        shown = run(
            "validate-spec", change(spec, incoming={"uri": f"{tmp_path}/in/", "format": "csv"})
        ).stderr
        assert "Warning: tickets: work_uri: " in shown
        assert "is a folder, which only the commands can use" in shown
        assert "Warning: tickets: incoming.id_column: is missing, and incoming.uri has no day" in shown

    def test_a_bad_one_is_named_with_key_and_remedy_and_code_2(self, spec: Path) -> None:
        result = run("validate-spec", change(spec, mode="MULTI"), code=2)
        assert str(spec) in result.stderr
        assert "mode" in result.stderr

    def test_a_bad_one_hurts_no_other(self, spec: Path) -> None:
        (spec.parent / "other.yaml").write_text("name: [")
        result = json.loads(run("validate-spec", spec.parent, "--json", code=2).stdout)
        assert result["specs"] == ["tickets"]
        assert len(result["errors"]) == 1

    def test_the_folders_of_the_environment_are_the_default(
        self, spec: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NIGHTSORT_SPECS", str(spec.parent))
        assert "tickets" in run("validate-spec").output

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        assert "none.yaml" in run("validate-spec", tmp_path / "none.yaml", code=2).stderr


class TestPrepareTraining:
    def test_it_writes_training_and_test_data(self, spec: Path, tmp_path: Path) -> None:
        result = json.loads(run("prepare-training", spec, "--json").stdout)
        assert Path(result["training_uri"]).is_file()
        assert result["training_documents"] + result["test_documents"] == 40
        shown = run("prepare-training", spec).output
        assert result["version"] in shown
        assert "training documents" in shown

    def test_it_shows_labels_weakest_first_rejects_with_places_and_the_cost(
        self, spec: Path, tmp_path: Path
    ) -> None:
        with (tmp_path / "labelled.csv").open("a") as file:
            file.writelines(f"SPAM,spam number {n}\n" for n in range(12))
            file.write("BUG,\n,no label\n")
        shown = " ".join(run("prepare-training", change(spec, budget={"training_usd": 5.0})).output.split())
        assert re.search(r"label, weakest first training test .SPAM. 1[01] [12] .B", shown)
        assert re.search(r"rejected documents .* blank 1 labelled.csv row 52 ", shown)
        assert re.search(r"no_label 1 labelled.csv row 53 ", shown)
        assert re.search(r"All rejects: \S+/rejects.jsonl", shown)
        assert "no label" not in shown
        assert "Estimate for 52 documents" in shown
        assert "The budget of 5.00 USD per training (budget.training_usd) allows it." in shown

    def test_of_many_labels_the_weakest_are_shown(self, spec: Path, tmp_path: Path) -> None:
        rows = [f"label{number:02d},text {number} {n}" for number in range(40) for n in range(30)]
        (tmp_path / "labelled.csv").write_text("label,text\n" + "\n".join(rows) + "\n")
        shown = run("prepare-training", spec).output
        assert shown.count("label0") + shown.count("label1") + shown.count("label2") >= 30
        assert "and 10 more labels" in shown

    def test_what_an_error_points_to_is_there(self, spec: Path, tmp_path: Path) -> None:
        (tmp_path / "labelled.csv").write_text("label,text\n,one\nBILLING,\n")
        told = run("prepare-training", spec, code=2).stderr
        place = re.search(r"All rejects are in (\S+)", told)
        assert place is not None
        assert len(Path(place[1]).read_text().splitlines()) == 2

    def test_too_few_documents_are_refused_with_the_label(self, spec: Path, tmp_path: Path) -> None:
        (tmp_path / "labelled.csv").write_text("label,text\nBUG,one\nBILLING,two\n")
        assert "BUG" in run("prepare-training", spec, code=2).stderr


class TestPrepareBatches:
    def test_it_writes_batches_and_says_what_they_cost(self, spec: Path) -> None:
        result = json.loads(run("prepare-batches", spec, "--day", "2026-11-18", "--json").stdout)
        assert (result["documents_in"], result["documents_sent"], result["reject_counts"]) == (
            3,
            2,
            {"blank": 1},
        )
        assert Path(result["batches"][0]["input_uri"]).read_text() == "one\ntwo\n"
        shown = run("prepare-batches", spec, "--day", "2026-11-18").output
        assert result["batches"][0]["name"] in shown
        assert "6 units" in shown
        assert re.search(r"blank +1 +2026-11-18/new.csv row 2 ", shown)
        assert "The budget of 100.00 USD per run (budget.run_usd) allows it." in shown

    def test_a_day_without_documents_is_no_error(self, spec: Path) -> None:
        assert "Nothing to classify" in run("prepare-batches", spec, "--day", "2026-11-19").output

    def test_a_source_by_hand(self, spec: Path, tmp_path: Path) -> None:
        source = tmp_path / "incoming" / "by-hand.csv"
        source.write_text("id,text\nx,by hand\n")
        result = json.loads(run("prepare-batches", spec, "--source-uri", source, "--json").stdout)
        assert (result["documents_sent"], result["files"]) == (1, 1)
        assert "-" in result["run_key"]

    @pytest.mark.parametrize("command", ["prepare-batches", "forecast-cost"])
    def test_a_source_that_the_spec_does_not_allow_is_refused_unless_it_is_said(
        self, spec: Path, tmp_path: Path, command: str
    ) -> None:
        source = tmp_path / "elsewhere.csv"
        source.write_text("id,text\nx,by hand\n")
        shown = run(command, spec, "--source-uri", source, code=2).stderr
        assert "is not below incoming.uri or incoming.by_hand" in shown.replace("\n", " ")
        assert "3 units" in run(command, spec, "--source-uri", source, "--anywhere").output

    @pytest.mark.parametrize("command", ["prepare-batches", "forecast-cost"])
    def test_without_a_day_it_is_the_last_complete_one_in_the_time_zone_of_the_spec(
        self, spec: Path, command: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        zone = "Pacific/Kiritimati"
        yesterday = datetime.now(ZoneInfo(zone)).date() - timedelta(days=1)
        result = run(command, change(spec, timezone=zone))
        assert f"Day: {yesterday}, the last complete day ({zone})." in result.stderr
        assert f"incoming/{yesterday}/ holds no file" in caplog.text

    def test_a_day_without_files_fails_where_the_spec_says_so(self, spec: Path) -> None:
        shown = run("prepare-batches", change(spec, no_files="fail"), "--day", "2026-12-25", code=2).stderr
        assert "incoming/2026-12-25/ holds no file" in shown

    def test_a_column_that_is_not_there_is_a_user_error(self, spec: Path, tmp_path: Path) -> None:
        (tmp_path / "incoming" / "2026-11-18" / "new.csv").write_text("id,body\na,one\n")
        assert "text" in run("prepare-batches", spec, "--day", "2026-11-18", code=2).stderr


class TestForecastCost:
    def test_it_says_units_price_and_budget_and_writes_nothing(self, spec: Path, tmp_path: Path) -> None:
        shown = run("forecast-cost", spec, "--day", "2026-11-18").output
        assert "6 units" in shown
        assert "The budget of 100.00 USD per run (budget.run_usd) allows it." in shown
        assert re.search(r"blank +1 +2026-11-18/new.csv row 2 ", shown)
        result = json.loads(run("forecast-cost", spec, "--day", "2026-11-18", "--json").stdout)
        assert result == {
            "documents": 2,
            "units": 6,
            "usd": 0.003,
            "paid_usd": 0.0,
            "repeated": 0,
            "reused": 0,
            "saved_usd": 0.0,
            "rejected": 1,
            "budget_usd": 100.0,
            "within_budget": True,
        }
        assert not (tmp_path / "work").exists()

    def test_above_the_budget_it_ends_with_2(self, spec: Path) -> None:
        change(spec, budget={"run_usd": 0.001})
        result = run("forecast-cost", spec, "--day", "2026-11-18", code=2)
        assert "above the budget" in result.stderr
        values = json.loads(run("forecast-cost", spec, "--day", "2026-11-18", "--json", code=2).stdout)
        assert values["within_budget"] is False

    def test_where_a_person_decides_it_says_so(self, spec: Path) -> None:
        change(spec, budget={"run_usd": 0.001, "when_over": "ask"})
        told = run("forecast-cost", spec, "--day", "2026-11-18", code=2).stderr
        assert "The DAG asks a person for approval (budget.when_over: ask)" in told

    def test_what_reuse_would_have_saved_on_past_nights(self, spec: Path, tmp_path: Path) -> None:
        """Two nights were prepared, of which one input is gone; one night is in the source alone."""
        texts = {"2026-11-16": ["again", "new"], "2026-11-17": ["again", "again"], "2026-11-18": ["again"]}
        for day, written in texts.items():
            folder = tmp_path / "incoming" / day
            folder.mkdir(exist_ok=True)
            rows = "".join(f"{number},{text}\n" for number, text in enumerate(written))
            (folder / "new.csv").write_text(f"id,text\n{rows}")
        for day in ("2026-11-16", "2026-11-17"):
            run("prepare-batches", spec, "--day", day)
        for file in (tmp_path / "incoming" / "2026-11-16").iterdir():
            file.unlink()
        for file in (tmp_path / "work" / "runs" / "20261117" / "input").iterdir():
            file.unlink()

        options = ("--reuse", "--day", "2026-11-18", "--nights", "5")
        found = json.loads(run("forecast-cost", spec, *options, "--json").stdout)

        assert [tuple(night.values()) for night in found["nights"]] == [
            ("20261116", "2026-11-16", 2, "work_uri"),
            ("20261117", "2026-11-17", 2, "source"),
            ("20261118", "2026-11-18", 1, "source"),
        ]
        assert (found["documents"], found["units"], found["usd"]) == (5, 15, 0.0075)
        assert [(saving["days"], saving["documents"], saving["units"]) for saving in found["savings"]] == [
            (None, 1, 3),
            (1, 2, 6),
            (7, 3, 9),
            (30, 3, 9),
            (90, 3, 9),
        ]
        shown = run("forecast-cost", spec, *options).output
        assert "3 nights from 2026-11-16 to 2026-11-18, 2 read from the source again: 5 documents" in shown
        assert re.search(r"reuse.days: 7 +3 +9 +0\.0045 USD +60%", shown)
        assert "--dsn tells versions apart" in shown

    def test_no_night_is_there_for_reuse(self, spec: Path) -> None:
        shown = run("forecast-cost", spec, "--reuse", "--day", "2020-01-31", "--nights", "2").output
        assert "No night from 2020-01-30 to 2020-01-31 has documents" in shown

    def test_a_training_is_forecast_with_its_budget_and_nothing_is_written(
        self, spec: Path, tmp_path: Path
    ) -> None:
        shown = run("forecast-cost", spec, "--training").output
        assert "Estimate for 40 documents" in shown
        assert "The budget of 100.00 USD per training (budget.training_usd) allows it." in shown
        values = json.loads(run("forecast-cost", spec, "--training", "--json").stdout)
        assert (values["documents"], values["rejected"], values["within_budget"]) == (40, 0, True)
        change(spec, budget={"training_usd": 1.0})
        told = run("forecast-cost", spec, "--training", code=2).stderr
        assert "above the budget of 1.00 USD per training. Raise budget.training_usd" in told
        change(spec, budget={"training_usd": None})
        assert "No budget limits a training" in run("forecast-cost", spec, "--training").output
        assert not (tmp_path / "work").exists()

    def test_a_training_that_is_refused_is_no_forecast(self, spec: Path, tmp_path: Path) -> None:
        (tmp_path / "labelled.csv").write_text("label,text\nBUG,one\nBILLING,\n")
        told = run("forecast-cost", spec, "--training", code=2).stderr
        assert "blank 1, for instance labelled.csv row 1" in told
        assert not (tmp_path / "work").exists()

    def test_documents_of_an_earlier_preparation_are_counted_once(self, spec: Path, tmp_path: Path) -> None:
        run("prepare-batches", spec, "--day", "2026-11-18")
        (tmp_path / "incoming" / "2026-11-18" / "late.csv").write_text("id,text\nd,four\n")
        result = json.loads(run("forecast-cost", spec, "--day", "2026-11-18", "--json").stdout)
        assert (result["documents"], result["units"], result["paid_usd"]) == (3, 9, 0.0)


class TestNamesOfSpecs:
    @pytest.fixture(autouse=True)
    def folders(self, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NIGHTSORT_SPECS", str(spec.parent))

    @pytest.mark.parametrize(
        "command",
        [
            ["validate-spec"],
            ["prepare-training"],
            ["prepare-batches", "--day", "2026-11-18"],
            ["forecast-cost", "--day", "2026-11-18"],
            ["forecast-cost", "--training"],
        ],
        ids=" ".join,
    )
    def test_a_name_does_what_the_file_does(self, spec: Path, command: list[str]) -> None:
        name, *options = command
        assert run(name, "tickets", *options).output == run(name, spec, *options).output

    def test_an_unknown_name_is_an_error_with_those_that_there_are(self, spec: Path) -> None:
        told = run("prepare-training", "tikets", code=2).stderr
        assert 'neither a YAML file nor the name of a spec. Did you mean "tickets"?' in told
        assert f"The specs in {spec.parent} are: tickets (NIGHTSORT_SPECS names the folders)" in told

    def test_a_broken_spec_is_found_by_its_name(self, spec: Path) -> None:
        change(spec, mode="MULTI")
        assert f"{spec}: mode" in run("forecast-cost", "tickets", code=2).stderr


def test_what_a_dag_does_is_no_command_but_is_said() -> None:
    told = run("train", "tickets", "--day", "2026-11-18", code=2).stderr
    assert "nightsort-local run-dag train_<name>" in told
    assert "\n│ train " not in run("--help").output


class TestReadPredictions:
    def test_with_a_manifest_each_document_is_accounted_for(self, spec: Path, tmp_path: Path) -> None:
        batch = json.loads(run("prepare-batches", spec, "--day", "2026-11-18", "--json").stdout)["batches"][0]
        entries = [{"Name": "BUG", "Score": 0.75}]
        archive = job_output(
            tmp_path / "output.tar.gz", {"File": f"{batch['name']}.txt", "Line": "1", "Classes": entries}
        )
        rows = tmp_path / "rows.jsonl"
        counts = json.loads(
            run(
                "read-predictions", archive, "--manifest", batch["manifest_uri"],
                "--spec", spec, "--output", rows, "--json",
            ).stdout
        )  # fmt: skip
        assert (counts["documents"], counts["classified"], counts["missing"]) == (2, 1, 1)
        found = {row["document_id"]: row["label"] for row in map(json.loads, rows.read_text().splitlines())}
        assert found == {"a": None, "b": "BUG"}

    def test_without_a_manifest_it_counts(self, tmp_path: Path) -> None:
        archive = job_output(tmp_path / "o.tar.gz", {"File": "f", "Classes": [{"Name": "A", "Score": 1.0}]})
        assert "predictions  1" in run("read-predictions", archive).output

    def test_what_is_no_archive_is_a_user_error(self, tmp_path: Path) -> None:
        path = tmp_path / "not.tar.gz"
        path.write_text("hello")
        assert "not a complete gzip file" in run("read-predictions", path, code=2).stderr

    def test_a_file_that_is_not_there_is_a_user_error(self, tmp_path: Path) -> None:
        missing = tmp_path / "none.tar.gz"
        assert f"{missing} does not exist" in run("read-predictions", missing, code=2).stderr


def test_to_check_a_spec_needs_neither_storage_nor_tables(spec: Path) -> None:
    code = (
        "import sys; from nightsort.cli import app;"
        "app(['validate-spec', sys.argv[1]], standalone_mode=False);"
        "print(sorted({'fsspec', 'upath', 'pyarrow', 'pandas', 'psycopg', 'botocore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(spec)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_database_that_is_not_there_is_a_user_error(tmp_path: Path) -> None:
    assert "connection" in run("init-db", f"host={tmp_path} dbname=none", code=2).stderr
