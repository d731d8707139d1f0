"""The code: where processes find it, whether the plugin is loaded, and whether the DAG files import."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow import plugins_manager
from airflow.configuration import conf

import nightsort_airflow
from nightsort_airflow.doctor.dag_parsing import (
    DAG_FILES,
    PARSE_SECONDS,
    ParseError,
    dag_files,
    parse_in_new_process,
)
from nightsort_airflow.doctor.findings import Check, cannot_tell, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nightsort_airflow.doctor.dag_parsing import ParsedDags
    from nightsort_airflow.doctor.findings import Outcome

GROUP: Final = "code"
IGNORE_FILE: Final = ".airflowignore"
# Until 0.1 these hid all of plugins/.
EARLIER_RULES: Final = {"*.py", "!airflow_plugin.py"}

# Another process, so that neither this process's modules nor its folder can hide what is missing.
FIND_NIGHTSORT: Final = """
import sys
sys.path.append(sys.argv[1])
import nightsort
print(nightsort.__path__[0])
"""


def code_checks(
    dag_ids: Sequence[str], parse: Callable[[], ParsedDags] = parse_in_new_process
) -> list[Check]:
    """
    Return the checks of the code.

    :param dag_ids: the DAGs that there must be.
    :param parse: parses the DAG files.
    """
    return [
        Check(GROUP, "package nightsort", package, apart=True),
        Check(GROUP, "plugin", plugin),
        Check(GROUP, "DAGs", lambda: dags(dag_ids, parse), seconds=PARSE_SECONDS + 5, apart=True),
    ]


def package() -> Outcome:
    """Check whether a process in another folder finds ``nightsort``, and the same copy."""
    plugins = conf.get("core", "plugins_folder")
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-c", FIND_NIGHTSORT, plugins], cwd="/", capture_output=True, text=True, check=False
    )
    here = find_spec("nightsort")
    own = Path((here.submodule_search_locations or [""])[0]) if here else Path()
    if done.returncode:
        set_to = os.environ.get("PYTHONPATH") or "not set"
        return failed(
            f"other processes do not find it: it is not installed, and PYTHONPATH is {set_to}",
            f"install the wheel, or set PYTHONPATH to {own.parent}, for scheduler, DAG processor, triggerer, "
            "API server and workers",
        )
    found = Path(done.stdout.strip())
    if found.resolve() != own.resolve():
        return failed(f"other processes find {found}, and here {own} is used", "leave one copy of it")
    return ok(f"every process finds {found}")


def plugin() -> Outcome:
    """Check whether Airflow loaded the plugin once: as installed, or from its plugins folder."""
    folder = Path(conf.get("core", "plugins_folder"))
    imported = Path(nightsort_airflow.__file__).parent
    installed = bool(entry_points(group="airflow.plugins", name="nightsort"))
    copy = folder / imported.name
    if installed and copy.is_dir():
        return failed(
            f"it exists twice: installed, and in [core] plugins_folder ({folder})",
            f"remove {copy}, or uninstall the package nightsort",
        )
    for file, error in plugins_manager.get_import_errors().items():
        if imported.name in file:
            return failed(f"{file} cannot be loaded: {error}", "correct what the message names")
    if not installed and imported.parent.resolve() != folder.resolve():
        return failed(
            f"{imported} is imported, which is not in [core] plugins_folder ({folder})",
            "install the wheel, or let plugins_folder be this tree's plugins/, in every Airflow process",
        )
    if "nightsort" not in [found["name"] for found in plugins_manager.get_plugin_info()]:
        return failed(
            f"the plugin in {imported} is not loaded",
            f"see the log of Airflow's plugin manager, and whether {folder / IGNORE_FILE} hides it",
        )
    for package in (imported.name, "nightsort"):
        if (folder / package).is_dir() and not (folder / package / IGNORE_FILE).is_file():
            return failed(
                f"{folder / package} has no {IGNORE_FILE}, so Airflow executes every file there",
                "copy it too: it is part of that folder",
            )
    if hidden := _hidden_plugins(folder):
        return warning(
            f"{folder / IGNORE_FILE}, of an earlier Nightsort, hides your own plugins: {', '.join(hidden)}",
            f"remove it; what Nightsort needs is in {imported.name}/{IGNORE_FILE}",
        )
    if installed:
        return ok(f"nightsort {version('nightsort')}, installed: {imported}")
    return ok(str(folder))


def _hidden_plugins(folder: Path) -> list[str]:
    """Return the user's files that an ignore file of an earlier Nightsort hides from Airflow."""
    ignore_file = folder / IGNORE_FILE
    if not ignore_file.is_file() or not {*ignore_file.read_text("utf-8").splitlines()} >= EARLIER_RULES:
        return []
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*.py")))
    return [path.as_posix() for path in files if path.parts[0] not in ("nightsort", "nightsort_airflow")]


def dags(dag_ids: Sequence[str], parse: Callable[[], ParsedDags] = parse_in_new_process) -> Outcome:
    """
    Check that the DAG files can be parsed, and contain the DAGs of the specs.

    :param dag_ids: the DAGs that there must be.
    :param parse: parses the DAG files.
    """
    folder = Path(conf.get("core", "dags_folder"))
    files = dag_files()
    absent = sorted({*DAG_FILES} - {file.name for file in files})
    if absent:
        return cannot_tell(
            f"{', '.join(absent)} not in [core] dags_folder ({folder}) of this machine",
            "where DAGs come from a bundle, see Import Errors in the UI; otherwise copy dags/ there",
        )
    try:
        found, errors = parse()
    except TimeoutError:
        return failed(f"not parsed within {PARSE_SECONDS:g} s", "find out what keeps this machine busy")
    except ParseError as error:
        return failed(f"the parse failed: {error}", "correct what the message names")
    if errors:
        messages = "; ".join(
            f"{Path(file).name}: {error.strip().splitlines()[-1]}" for file, error in errors.items()
        )
        return failed(messages, "correct what the message names; Airflow shows the same under Import Errors")
    if missing := [dag for dag in dag_ids if dag not in found]:
        return failed(f"no DAG {', '.join(missing)}", "see the specs above")
    return ok(f"{len(found)} DAGs of {len(files)} files in {folder}")
