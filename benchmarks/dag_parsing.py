"""How long Airflow's DAG processor needs for the DAG files, by the number of specs; each makes two DAGs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

from benchmarks.measuring import ROOT, Comparison, Contender, Target

if TYPE_CHECKING:
    from pathlib import Path

IMPORTED = (
    "airflow.dag_processing.processor",
    "airflow.providers.amazon.aws.operators.comprehend",
    "airflow.providers.standard.triggers.temporal",
    "structlog",
)
"""What belongs to Airflow and its providers; the DAG processor has imported most of it before it forks."""

PLAIN_DAGS = """\
from airflow.sdk import DAG, BaseOperator, Param, task_group

for number in range({dags}):
    with DAG(f"plain_{{number}}", schedule="0 2 * * *", catchup=False, params={{"day": Param(None)}}):
        first = BaseOperator(task_id="prepare")

        @task_group(group_id="each")
        def each(name):
            BaseOperator(task_id="start") >> BaseOperator(task_id="load")

        first >> each.expand(name=[1, 2]) >> BaseOperator(task_id="last")
"""


def make(folder: Path, size: int) -> None:
    """Write so many specs, copies of the sample's with other names; and one file with as many plain DAGs."""
    (folder / "specs").mkdir()
    sample = yaml.safe_load((ROOT / "nightsort_local" / "samples" / "aws-services.yaml").read_text())
    for number in range(size):
        spec = {**sample, "name": f"classifier-{number:03}", "work_uri": f"s3://nightsort/{number:03}/work"}
        (folder / "specs" / f"{number:03}.yaml").write_text(yaml.safe_dump(spec))
    shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "plain").mkdir()
    (folder / "plain" / "plain_dags.py").write_text(PLAIN_DAGS.format(dags=2 * size))


def ours(folder: Path, size: int) -> dict[str, float]:
    """All DAG files, parsed and serialised as the DAG processor does it, after Airflow was imported."""
    os.environ["NIGHTSORT_SPECS"] = str(folder / "specs")
    return {"dags": _parse(folder / "dags")}


def plain_dags(folder: Path, size: int) -> dict[str, float]:
    """As many DAGs of the same shape that nothing is read for: what Airflow itself takes."""
    return {"dags": _parse(folder / "plain")}


def task_start(folder: Path, size: int) -> None:
    """What a task of the nightly DAG parses before it begins: its own DAG alone."""
    os.environ["NIGHTSORT_SPECS"] = str(folder / "specs")
    # What Airflow's task process sets while it parses the file of its DAG.
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "classify_classifier-000"
    from airflow.dag_processing.dagbag import BundleDagBag

    file = folder / "dags" / "classify_documents.py"
    bag = BundleDagBag(dag_folder=str(file), bundle_path=folder / "dags", bundle_name="dags-folder")
    if list(bag.dags) != ["classify_classifier-000"]:
        raise SystemExit(f"Not the task's own DAG alone: {list(bag.dags)}")


def ours_in_all(folder: Path, size: int) -> None:
    """The same as ours, with the start of Python and the import of Airflow and the provider."""
    code = (
        f"import {', '.join(IMPORTED)}\n"
        "from pathlib import Path\nfrom benchmarks import dag_parsing\n"
        f"dag_parsing.ours(Path({str(folder)!r}), {size})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def imports(folder: Path, size: int) -> None:
    """The start of Python and the import of Airflow and the provider alone."""
    subprocess.run([sys.executable, "-c", f"import {', '.join(IMPORTED)}"], check=True)


def _parse(folder: Path) -> int:
    import structlog
    from airflow.dag_processing.processor import DagFileParseRequest, _parse_file

    found = 0
    for file in sorted(folder.glob("*.py")):
        request = DagFileParseRequest(file=str(file), bundle_path=folder, bundle_name="dags-folder")
        result = _parse_file(request, structlog.get_logger())
        if result is None or result.import_errors:
            raise SystemExit(f"{file.name} cannot be parsed: {result and result.import_errors}")
        found += len(result.serialized_dags)
    return found


COMPARISONS = [
    Comparison(
        "dag_parsing",
        "DAG parsing",
        make=make,
        contenders=[
            Contender(ours, imports=IMPORTED),
            Contender(plain_dags, imports=IMPORTED),
            Contender(task_start, imports=(*IMPORTED, "nightsort_airflow.operators.classification")),
            Contender(ours_in_all),
            Contender(imports, runs=1),
        ],
        sizes={1: 1, 50: 1, 200: 3},
        targets=[
            Target("ours", "<=", 5, size=200),
            Target("ours_in_all", "<=", 5, size=200),
        ],
        unit="specs",
        quick_size=1,
    )
]
