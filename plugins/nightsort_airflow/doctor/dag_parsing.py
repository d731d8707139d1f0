"""Parse the DAG files as the DAG processor does, in a process where nothing of Nightsort is imported."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from airflow.configuration import conf

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

DAG_FILES: Final = (
    "check_specs.py",
    "classify_documents.py",
    "nightsort_doctor.py",
    "serve_classifier.py",
    "train_classifier.py",
)
# On a busy machine, importing Airflow alone takes long.
PARSE_SECONDS: Final = 120.0

PARSE: Final = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
dags, errors = [], {}
for file in sys.argv[1:]:
    bag = DagBag(file)
    dags += bag.dags
    errors.update(bag.import_errors)
print("\\n" + json.dumps([dags, errors]))
"""


class ParsedDags(NamedTuple):
    """
    What the DAG files contain.

    :param dags: the ids of the DAGs.
    :param errors: the traceback of each file that cannot be imported.
    """

    dags: list[str]
    errors: dict[str, str]


class ParseError(Exception):
    """The parse itself failed, not one of the files."""


def dag_files() -> list[Path]:
    """Return Nightsort's DAG files in Airflow's DAGs folder."""
    folder = Path(conf.get("core", "dags_folder"))
    return sorted(file for name in DAG_FILES for file in folder.rglob(name))


def parse_in_new_process() -> ParsedDags:
    """
    Parse the DAG files in a new Python. Only this way works in a task, which may not use Airflow's models.

    :returns: the DAGs and the errors.
    :raises ParseError: if the process fails.
    :raises TimeoutError: if it takes longer than :data:`PARSE_SECONDS`.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-c", PARSE, *map(str, dag_files())],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=PARSE_SECONDS,
            env=_as_the_dag_processor(),
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    if done.returncode:
        raise ParseError(done.stderr.strip().splitlines()[-1])
    return ParsedDags(*json.loads(done.stdout.strip().splitlines()[-1]))


def _as_the_dag_processor() -> dict[str, str]:
    """Return this process's environment without what only a task has: its DAG's id and its database."""
    environment = {name: value for name, value in os.environ.items() if "PARSING_CONTEXT" not in name}
    # SQLAlchemy cannot read a task's own value. No DAG file of Nightsort asks a database.
    return {**environment, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite://"}


def begin_parse_in_fork() -> Callable[[], ParsedDags]:
    """
    Begin to parse the DAG files in a fork of this process, which need not import Airflow a second time.

    Call it before any thread starts. The DAG processor forks for each file too.

    :returns: a function that waits and returns or raises what :func:`parse_in_new_process` does.
    """
    # Imported before the fork: the checks of Airflow's database need most of it too.
    import airflow.dag_processing.dagbag  # noqa: F401

    forking = multiprocessing.get_context("fork")
    receiver, sender = forking.Pipe(duplex=False)
    process = forking.Process(target=_parse_and_send, args=(sender,), name="doctor: DAGs", daemon=True)
    process.start()
    sender.close()

    def wait() -> ParsedDags:
        if not receiver.poll(PARSE_SECONDS):
            raise TimeoutError
        try:
            answer = receiver.recv()
        except EOFError as error:
            process.join()
            raise ParseError(f"its process ended with code {process.exitcode}") from error
        if isinstance(answer, str):
            raise ParseError(answer)
        return ParsedDags(*answer)

    return wait


def _parse_and_send(sender: Connection) -> None:
    """Parse the DAG files and send the DAGs and the errors, or one line that says why that failed."""
    from airflow.dag_processing.dagbag import DagBag

    _hide_output()
    try:
        files = dag_files()
        _forget_nightsort()
        dags: list[str] = []
        errors: dict[str, str] = {}
        for file in files:
            bag = DagBag(file)
            dags += bag.dags
            errors.update(bag.import_errors)
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")
    else:
        sender.send((dags, errors))


def _hide_output() -> None:
    """Keep what DAG files print out of the report, as a new process would."""
    with Path(os.devnull).open("wb") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)


def _forget_nightsort() -> None:
    """Forget this process's modules and folder, so that neither can hide what is missing elsewhere."""
    for name in list(sys.modules):
        if name.partition(".")[0] in {"nightsort", "nightsort_airflow"}:
            del sys.modules[name]
    if not getattr(sys.flags, "safe_path", False):
        # The working directory, or the folder of the script: Python puts it there for this process alone.
        del sys.path[0]
    os.chdir("/")
