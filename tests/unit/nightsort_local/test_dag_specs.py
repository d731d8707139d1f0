"""A DAG whose spec is broken or missing is explained at once, and so is a param that nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightsort_local.dag_specs import spec_problem, unknown_params
from nightsort_local.home import SAMPLES

SAMPLE = (SAMPLES / "aws-services.yaml").read_text(encoding="utf-8")


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    (tmp_path / "tickets.yaml").write_text(SAMPLE.replace("name: aws-services", "name: tickets"))
    broken = SAMPLE.replace("name: aws-services", "name: reviews").replace("MULTI_CLASS", "MULTICLASS")
    (tmp_path / "of-ada.yaml").write_text(broken)
    return [str(SAMPLES), str(tmp_path)]


@pytest.mark.parametrize("dag_id", ["train_tickets", "classify_aws-services", "nightsort_doctor", "mine"])
def test_a_dag_of_a_valid_spec_and_a_dag_of_no_spec_have_no_problem(folders: list[str], dag_id: str) -> None:
    assert spec_problem(dag_id, folders) is None


def test_a_broken_spec_is_said_with_file_key_and_remedy(folders: list[str]) -> None:
    problem = spec_problem("train_reviews", folders)
    assert problem is not None
    assert problem.startswith(f"{folders[1]}/of-ada.yaml: mode: ")
    assert "MULTI_CLASS" in problem
    assert "tickets" not in problem


def test_a_missing_spec_is_said_with_the_folders_and_the_name_that_may_be_meant(folders: list[str]) -> None:
    assert spec_problem("train_tickts", folders) == (
        'no spec has the name "tickts", so there is no DAG train_tickts. Did you mean "tickets"? '
        f"The folders of specs are {folders[0]} and {folders[1]}."
    )
    nothing_like_it = spec_problem("classify_x", folders)
    assert nothing_like_it is not None
    assert "There is: aws-services, aws-topics, tickets. " in nothing_like_it


def test_a_folder_that_is_not_there_is_said(folders: list[str]) -> None:
    problem = spec_problem("train_x", [*folders, "/nowhere/at/all"])
    assert problem is not None
    assert "/nowhere/at/all: there is no such folder" in problem


def test_a_spec_whose_work_uri_is_a_folder_makes_no_dag_and_says_why(folders: list[str]) -> None:
    text = SAMPLE.replace("name: aws-services", "name: offline")
    text = text.replace("s3://nightsort/aws-services/work", "/data/work")
    Path(folders[1], "offline.yaml").write_text(text, encoding="utf-8")
    for kind in ("train", "classify"):
        problem = spec_problem(f"{kind}_offline", folders)
        assert problem is not None
        assert problem.startswith(f'{folders[1]}/offline.yaml: work_uri: "/data/work" is a folder')


def test_the_name_of_a_spec_is_answered_with_its_dags(folders: list[str]) -> None:
    assert spec_problem("tickets", folders) == (
        "tickets is the name of a spec, not of a DAG. Its DAGs are train_tickets and classify_tickets."
    )


def test_an_endpoint_needs_the_key_that_makes_its_dag(folders: list[str]) -> None:
    problem = spec_problem("serve_tickets", folders)
    assert problem is not None
    assert problem.endswith(": real_time: is missing, so there is no DAG serve_tickets; add it")
    spec = Path(folders[1], "tickets.yaml")
    spec.write_text(f'{spec.read_text()}\nreal_time: {{hours: "08:00-18:00"}}\n', encoding="utf-8")
    assert spec_problem("serve_tickets", folders) is None
    assert str(spec_problem("tickets", folders)).endswith("classify_tickets and serve_tickets.")


OWN = "of_ones_own.py"


def test_a_key_that_is_no_param_is_refused_with_the_one_that_may_be_meant() -> None:
    known = ["day", "source_uri"]
    assert unknown_params(["day"], known, "classify_x", OWN) is None
    assert unknown_params(["dya"], known, "classify_x", OWN) == (
        'classify_x has no Param "dya". Did you mean "day"?'
    )
    assert unknown_params(["a", "day", "source"], known, "d", OWN) == (
        'd has no Param "a". There is: day, source_uri. d has no Param "source". Did you mean "source_uri"?'
    )


def test_a_key_for_a_specs_dag_without_params_is_refused_before_it_runs() -> None:
    assert (
        unknown_params(["day"], [], "train_tickets", "train_classifier.py")
        == "train_tickets has no Params: leave out --conf."
    )
    assert unknown_params([], [], "train_tickets", "train_classifier.py") is None


@pytest.mark.parametrize("dag_id", ["mine", "train_mine"])
def test_a_dag_of_ones_own_without_params_takes_any_conf(dag_id: str) -> None:
    assert unknown_params(["anything"], [], dag_id, OWN) is None
