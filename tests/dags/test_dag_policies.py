"""What holds for every DAG, of whatever spec."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, CronDataIntervalTimetable, TriggerRule
from airflow.sdk.definitions._internal.expandinput import MappedArgument
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.dag_edges import dag_edges

from nightsort_airflow.assets import active_version_asset
from nightsort_airflow.earlier_xcoms import MappedValue
from nightsort_airflow.operators.doctor import CheckDeploymentOperator
from nightsort_airflow.retries import AwsRetryPolicy
from nightsort_airflow.sensors.comprehend import ComprehendDocumentClassifierTrainedSensor
from tests.airflow_environment import ROOT, SAMPLE_SPECS
from tests.dags.dag_bags import DAGS, FILES, SPEC, parse

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = ("aws-services", "aws-topics")
TRAIN_TASKS = [
    "prepare_training_data",
    "create_classifier",
    "wait_for_training",
    "evaluate_classifier",
    "score_active_version",
    "promote_classifier",
]
CLASSIFY_TASKS = [
    "prepare_batches",
    "classify_batch.start_job",
    "classify_batch.load_predictions",
    "prepare_retries",
    "retry_batch.start_job",
    "retry_batch.load_predictions",
    "reconcile_run",
]
LAST = {"aws-services": "reconcile_run", "aws-topics": "export_predictions"}
MAPPED = [
    f"{group}.{task}"
    for group in ("classify_batch", "retry_batch")
    for task in ("start_job", "load_predictions")
]
DEFERRABLE_TASK_ARGS = {
    "wait_for_training",
    "score_active_version",
    "classify_batch.start_job",
    "retry_batch.start_job",
}
TAGS = {"nightsort", "train", "classify", *SAMPLES}


DOCTOR = "nightsort_doctor"


@pytest.fixture
def dags(monkeypatch: pytest.MonkeyPatch) -> dict[str, DAG]:
    """The DAGs that are made of specs."""
    return {name: dag for name, dag in parse(monkeypatch).dags.items() if name != DOCTOR}


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> DAG:
    dag: DAG = parse(monkeypatch).dags[DOCTOR]
    return dag


def test_each_spec_gives_exactly_two_dags_and_no_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    bag = parse(monkeypatch)
    assert bag.import_errors == {}
    of_specs = {f"{kind}_{name}" for kind in ("train", "classify") for name in SAMPLES}
    assert set(bag.dags) == {*of_specs, DOCTOR}


def test_the_doctor_is_there_without_any_spec_runs_by_hand_only_and_waits_outside_of_the_pool(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dags = parse(monkeypatch, (tmp_path,)).dags
    assert set(dags) == {DOCTOR}
    assert dags[DOCTOR].schedule is None
    (task,) = dags[DOCTOR].tasks
    # A task in a pool that is not there is never started, and could not say so.
    assert task.pool == "default_pool"
    assert (task.retries or 0) >= 2


def test_the_doctor_looks_at_all_specs_or_at_the_one_that_is_named(doctor: DAG) -> None:
    param = doctor.params.get_param("spec")
    assert param.resolve() is None
    assert param.resolve("aws-topics") == "aws-topics"
    (task,) = doctor.tasks
    assert isinstance(task, CheckDeploymentOperator)
    assert task.spec_name == "{{ params.spec or '' }}"
    assert param.description


def test_the_doctor_says_what_it_does_that_it_costs_nothing_and_what_to_do_when_it_is_red(
    doctor: DAG,
) -> None:
    for part in ("## What it does", "## What it costs", "## When it is red", "0 USD", "`check_deployment`"):
        assert part in (doctor.doc_md or "")
    assert doctor.tags == {"nightsort", "doctor"}
    assert doctor.owner == "nightsort"
    assert doctor.description
    assert doctor.max_active_runs == 1
    back = DagSerialization.from_dict(DagSerialization.to_dict(doctor))
    assert set(back.task_dict) == {"check_deployment"}


def test_the_tasks_are_those_of_the_design_in_its_order(dags: dict[str, DAG]) -> None:
    for name in SAMPLES:
        ordered = dags[f"train_{name}"].topological_sort()  # type: ignore[no-untyped-call]
        assert [task.task_id for task in ordered] == TRAIN_TASKS
        classify = dags[f"classify_{name}"]
        assert set(classify.task_ids) == {*CLASSIFY_TASKS, LAST[name]}


def drawn(dag: DAG) -> set[tuple[str, str]]:
    """The arrows of the UI's graph, between tasks; those that meet at the edge of a group are joined."""
    arrows = [
        (arrow["source_id"], arrow["target_id"])
        for arrow in dag_edges(DagSerialization.from_dict(DagSerialization.to_dict(dag)))
    ]
    joins = {target for _, target in arrows if target.endswith("_join_id")}
    return {
        (origin, target)
        for source, target in arrows
        for origin in ([first for first, join in arrows if join == source] if source in joins else [source])
        if target not in joins
    }


def test_the_graph_is_the_chain_of_the_readme_without_further_arrows(dags: dict[str, DAG]) -> None:
    for name in SAMPLES:
        assert drawn(dags[f"train_{name}"]) == set(pairwise(TRAIN_TASKS))
        chain = list(dict.fromkeys([*CLASSIFY_TASKS, LAST[name]]))
        assert drawn(dags[f"classify_{name}"]) == set(pairwise(chain))


def test_specs_come_from_all_folders_that_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets"))
    bag = parse(monkeypatch, (SAMPLE_SPECS, tmp_path))
    assert {"train_tickets", "classify_tickets", "train_aws-topics"} <= set(bag.dags)


def test_a_broken_spec_takes_only_its_own_dags_away_and_says_file_key_and_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "reviews.yaml"
    broken.write_text(SPEC.format(name="reviews").replace("MULTI_CLASS", "MULTI_TASK"))
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets"))
    bag = parse(monkeypatch, (tmp_path,))
    assert set(bag.dags) == {"train_tickets", "classify_tickets", DOCTOR}
    assert [name.rsplit("/", 1)[-1] for name in bag.import_errors] == ["check_specs.py"]
    (told,) = bag.import_errors.values()
    assert str(broken) in told
    assert "mode" in told
    assert "MULTI_LABEL" in told


def test_all_broken_specs_are_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(SPEC.format(name=name) + "colour: green\n")
    (told,) = parse(monkeypatch, (tmp_path,)).import_errors.values()
    assert "one.yaml" in told
    assert "two.yaml" in told


def test_each_dag_says_what_it_does_what_it_costs_and_what_to_do_when_it_is_red(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        text = dag.doc_md or ""
        for part in ("## What it does", "## What it costs", "## When it is red", " USD "):
            assert part in text, (dag.dag_id, part)
        for task in dag.tasks:
            assert f"`{task.label}`" in text, (dag.dag_id, task.label)


def test_each_dag_has_an_owner_known_tags_and_a_description(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        kind, _, name = dag.dag_id.partition("_")
        assert dag.tags == {"nightsort", kind, name}
        assert dag.tags <= TAGS
        assert dag.owner == "nightsort"
        assert not dag.owner_links
        assert dag.description


@pytest.mark.parametrize(
    ("owner", "links"), [("Support, 2nd level", {}), ("a@b.c", {"a@b.c": "mailto:a@b.c"})]
)
def test_the_owner_is_the_specs_and_an_address_can_be_written_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, owner: str, links: dict[str, str]
) -> None:
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets") + f'owner: "{owner}"\n')
    bag = parse(monkeypatch, (tmp_path,))
    assert bag.import_errors == {}
    for name in ("train_tickets", "classify_tickets"):
        assert bag.dags[name].owner == owner
        assert bag.dags[name].owner_links == links
        DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[name]))


def test_the_list_shows_the_two_dags_of_a_classifier_side_by_side(dags: dict[str, DAG]) -> None:
    listed = sorted(dag.dag_display_name for dag in dags.values())
    assert listed == [
        "aws-services: classify",
        "aws-services: train",
        "aws-topics: classify",
        "aws-topics: train",
    ]
    for dag in dags.values():
        assert dag.dag_id in (dag.doc_md or "")


def test_no_task_shows_the_name_of_a_class_that_the_graph_would_cut_off(dags: dict[str, DAG]) -> None:
    names = {task.task_id: task.operator_name for dag in dags.values() for task in dag.tasks}
    assert names["wait_for_training"] == "Training sensor"
    assert names["classify_batch.start_job"] == names["score_active_version"] == "Comprehend job"
    assert names["create_classifier"] == "Comprehend training"
    assert max(map(len, names.values())) <= 27


def test_each_link_is_named_for_what_it_opens(dags: dict[str, DAG]) -> None:
    def links(dag: str, task: str) -> list[str]:
        return [link.name for link in dags[f"{dag}_aws-services"].get_task(task).operator_extra_links]

    job = ["Job in the AWS console", "Output in S3"]
    assert links("classify", "classify_batch.start_job") == links("train", "score_active_version") == job
    assert links("train", "create_classifier") == ["Version in the AWS console", "Training data in S3"]
    assert links("train", "wait_for_training") == ["Version in the AWS console"]


def test_the_asset_that_a_promotion_updates_is_known_with_its_group_before_that(dags: dict[str, DAG]) -> None:
    """Airflow makes an asset that comes from an alias only, without its group."""
    for name in SAMPLES:
        (read,) = dags[f"classify_{name}"].get_task("prepare_batches").inlets
        assert read == active_version_asset(name)
        assert read.group == "nightsort"
        assert "description" in read.extra


def test_nights_run_one_at_a_time_without_catching_up_over_the_interval_of_the_spec(
    dags: dict[str, DAG],
) -> None:
    for dag in dags.values():
        assert dag.max_active_runs == 1
        assert not dag.catchup
    assert dags["classify_aws-services"].timetable == CronDataIntervalTimetable("0 2 * * *", timezone="UTC")
    assert dags["train_aws-services"].schedule is None


def test_a_spec_without_schedule_runs_by_hand_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets"))
    assert parse(monkeypatch, (tmp_path,)).dags["classify_tickets"].schedule is None


def asking(tmp_path: Path, **more: str) -> str:
    notifier = "{import_path: airflow.providers.smtp.notifications.smtp.SmtpNotifier, arguments: {to: a@b.c}}"
    lines = {
        "budget": "{when_over: ask}",
        "schedule": '"0 2 * * *"',
        "loaded_by": '"06:30"',
        "notifiers": f"[{notifier}]",
        **more,
    }
    return SPEC.format(name="tickets") + "".join(f"{key}: {value}\n" for key, value in lines.items())


def test_money_is_spent_only_after_the_approval_where_the_spec_wants_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tickets.yaml").write_text(asking(tmp_path))
    bag = parse(monkeypatch, (tmp_path,))
    assert bag.import_errors == {}
    train, classify = bag.dags["train_tickets"], bag.dags["classify_tickets"]
    assert set(train.task_ids) == {*TRAIN_TASKS, "approve_cost"}
    assert set(classify.task_ids) == {*CLASSIFY_TASKS, "approve_cost"}
    for dag, prepared, paid in (
        (train, "prepare_training_data", "create_classifier"),
        (classify, "prepare_batches", "classify_batch.start_job"),
    ):
        approval = dag.get_task("approve_cost")
        assert approval.upstream_task_ids == {prepared}
        chain = [prepared, "approve_cost", *(TRAIN_TASKS if dag is train else CLASSIFY_TASKS)[1:]]
        # A mapped group has an arrow from the task that it is mapped over; the rest is the chain.
        mapped = {(prepared, paid)} if dag is classify else set()
        assert drawn(dag) == {*pairwise(chain), *mapped}
        assert paid in approval.downstream_task_ids
        assert dag.get_task(paid).trigger_rule == TriggerRule.ALL_SUCCESS
        # Nor after a success of the approval that somebody set by hand.
        paying = {task.task_id for task in dag.tasks if checks_the_approval(task)}
        assert paying == ({paid, "retry_batch.start_job"} if dag is classify else {paid})
        DagSerialization.from_dict(DagSerialization.to_dict(dag))


def checks_the_approval(task: Any) -> bool:
    """Whether a task, mapped or not, calls something before it does anything."""
    arguments = getattr(task, "partial_kwargs", {})
    return (arguments.get("pre_execute") or getattr(task, "_pre_execute_hook", None)) is not None


def test_the_specs_approvers_are_asked_and_about_failed_documents_of_a_night_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    budget = "{when_over: ask, approvers: [ada, {name: grace, id: '7'}]}"
    (tmp_path / "tickets.yaml").write_text(asking(tmp_path, budget=budget))
    bag = parse(monkeypatch, (tmp_path,))
    for kind, share in (("train", 0.0), ("classify", 0.05)):
        approval: Any = bag.dags[f"{kind}_tickets"].get_task("approve_cost")
        assert approval.approvers == [{"id": "ada", "name": "ada"}, {"id": "7", "name": "grace"}]
        assert approval.share_sent_again == share


def test_the_specs_notifiers_are_told_of_failed_runs_and_late_nights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dags: dict[str, DAG]
) -> None:
    (tmp_path / "tickets.yaml").write_text(asking(tmp_path))
    bag = parse(monkeypatch, (tmp_path,))
    for dag in (bag.dags["train_tickets"], bag.dags["classify_tickets"]):
        assert isinstance(dag.on_failure_callback, list)
        assert len(dag.on_failure_callback) == 1
        back = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert back.has_on_failure_callback
    deadlines = bag.dags["classify_tickets"].deadline
    assert isinstance(deadlines, list)
    assert len(deadlines) == 1
    assert not bag.dags["train_tickets"].deadline
    assert not any(dag.on_failure_callback or dag.deadline for dag in dags.values())


def test_a_notifier_that_cannot_be_called_is_an_import_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tickets.yaml").write_text(asking(tmp_path, notifiers="[{import_path: no.such.Mailer}]"))
    bag = parse(monkeypatch, (tmp_path,))
    assert set(bag.dags) == {DOCTOR}
    (told,) = bag.import_errors.values()
    assert "tickets.yaml: notifiers.0: no.such.Mailer cannot be imported here" in told


def test_each_task_comes_back_soon_where_aws_is_only_busy(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert all(isinstance(task.retry_policy, AwsRetryPolicy) for task in dag.tasks)
    wait = dags["train_aws-services"].get_task("wait_for_training")
    assert isinstance(wait, ComprehendDocumentClassifierTrainedSensor)
    assert wait.time_limit is not None
    assert wait.time_limit.total_seconds() == 24 * 3600


def test_waiting_tasks_defer_in_the_pool_and_have_retries_that_come_soon(dags: dict[str, DAG]) -> None:
    """Airflow 3.3 now and then fails a healthy deferred task; a retry finds what it started."""
    deferrable = {
        task.task_id for dag in dags.values() for task in dag.tasks if getattr(task, "deferrable", False)
    }
    assert deferrable == DEFERRABLE_TASK_ARGS
    for dag in dags.values():
        for task in dag.tasks:
            assert (task.retries or 0) >= 2, task.task_id
            if task.task_id in DEFERRABLE_TASK_ARGS:
                assert task.pool == "comprehend_jobs"
                assert task.retry_delay.total_seconds() <= 10


def test_the_mapped_tasks_are_shown_under_their_batchs_name(dags: dict[str, DAG]) -> None:
    for name in SAMPLES:
        for task_id in MAPPED:
            assert dags[f"classify_{name}"].get_task(task_id).map_index_template


def test_each_mapped_task_pulls_the_list_of_batches_once(dags: dict[str, DAG]) -> None:
    """Airflow pulls it for every argument of the group that a task takes: a thousand times a thousand."""
    for name in SAMPLES:
        for task_id in MAPPED:
            task = dags[f"classify_{name}"].get_task(task_id)
            values = [getattr(task, field) for field in task.template_fields]
            assert sum(isinstance(value, MappedArgument | MappedValue) for value in values) == 1


def test_the_sums_are_made_whatever_became_of_the_batches(dags: dict[str, DAG]) -> None:
    for name in SAMPLES:
        reconcile = dags[f"classify_{name}"].get_task("reconcile_run")
        assert reconcile.trigger_rule == TriggerRule.ALL_DONE
        assert [task.task_id for task in dags[f"classify_{name}"].leaves] == [LAST[name]]
        promote = dags[f"train_{name}"].get_task("promote_classifier")
        assert promote.trigger_rule == TriggerRule.NONE_FAILED


def test_no_task_has_a_copy_of_the_params_that_airflow_would_check_anew(dags: dict[str, DAG]) -> None:
    assert not [task for dag in dags.values() for task in dag.tasks if task.params]


def test_each_param_can_be_filled_in_by_a_person(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert set(dag.params) == {"day", "source_uri"} if dag.dag_id.startswith("classify") else {"day"}
        for name in dag.params:
            param = dag.params.get_param(name)
            assert param.schema["title"]
            assert param.schema["type"] == ["null", "string"]
            assert param.description
            assert param.resolve() is None


def test_a_dag_whose_source_has_no_day_asks_for_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets").replace("{day}", "all"))
    dags = parse(monkeypatch, (tmp_path,)).dags
    assert set(dags["classify_tickets"].params) == {"source_uri"}
    assert set(dags["train_tickets"].params) == set()


def test_a_schedule_that_leaves_days_out_survives_the_way_through_the_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tickets.yaml").write_text(f'{SPEC.format(name="tickets")}schedule: "0 2 * * 1-5"\n')
    bag = parse(monkeypatch, (tmp_path,))
    assert bag.import_errors == {}
    dag = bag.dags["classify_tickets"]
    back = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert type(back.timetable).__name__ == "EveryDayTimetable"
    assert "one run for each day" in (dag.doc_md or "")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("day", "2026-11-18", "18.11.2026"), ("source_uri", "s3://bucket/export/*.csv", "")],
)
def test_params_refuse_what_cannot_work(dags: dict[str, DAG], name: str, good: str, bad: str) -> None:
    param = dags["classify_aws-services"].params.get_param(name)
    assert param.resolve(good) == good
    with pytest.raises(ParamValidationError):
        param.resolve(bad)


def test_each_dag_survives_the_way_through_the_database(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        sent = DagSerialization.to_dict(dag)
        DagSerialization.validate_schema(sent)
        back = DagSerialization.from_dict(sent)
        assert set(back.task_dict) == set(dag.task_dict)
        assert back.doc_md == dag.doc_md
        assert {t.task_id: t.downstream_task_ids for t in back.tasks} == {
            t.task_id: t.downstream_task_ids for t in dag.tasks
        }


def test_our_code_warns_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        parse(monkeypatch)
    ours = [
        str(w.message)
        for w in seen
        if w.filename.startswith((str(DAGS), str(ROOT / "plugins"), str(ROOT / "include")))
    ]
    assert ours == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_dag_file_is_wiring(path: Path) -> None:
    """Imports, functions that wire, and one loop or check: nothing else happens when the file is parsed."""
    source = path.read_text()
    assert len(source.splitlines()) <= 120
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    for node in tree.body[1:]:
        if isinstance(node, ast.For):
            assert [type(step) for step in node.body] == [ast.Expr]
        elif isinstance(node, ast.If):
            test = ast.unparse(node.test)
            assert test in {"TYPE_CHECKING", "errors"}
        else:
            assert isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Assign)), ast.unparse(
                node
            )
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {name for name in called if name.split(".")[0] in {"Variable", "boto3", "open", "psycopg"}}


PARSE_WITHOUT_A_WAY_OUT = """
import socket, sys, time
import airflow.sdk, airflow.providers.amazon.aws.operators.base_aws  # Airflow's own share
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseHook, Variable

def refuse(*_, **__):
    raise AssertionError("a DAG file may not ask for this when it is parsed")

BaseHook.get_connection = Variable.get = refuse
socket.socket.connect = refuse
began = time.process_time()
bag = DagBag(sys.argv[1])
took = time.process_time() - began
assert len(bag.dags) == 5 and not bag.import_errors, bag.import_errors
loaded = {"pyarrow", "psycopg", "pandas", "numpy", "aiobotocore", "s3fs"} & set(sys.modules)
print(took, *sorted(loaded))
"""


def test_parsing_asks_nobody_loads_no_data_library_and_takes_less_than_a_second() -> None:
    """Processor time, not wall time, so that a busy machine does not fail it."""
    result = subprocess.run(
        [sys.executable, "-c", PARSE_WITHOUT_A_WAY_OUT, str(DAGS)],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
        env={
            **os.environ,
            "NIGHTSORT_SPECS": str(SAMPLE_SPECS),
        },
    )
    seconds, *loaded = result.stdout.splitlines()[-1].split()
    assert loaded == []
    assert float(seconds) < 1.0
