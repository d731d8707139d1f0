"""An Airflow as a host lays it out, and what its processes see of Nightsort there."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SAMPLES = REPOSITORY / "nightsort_local" / "samples"
SPECS = sorted(path.stem for path in SAMPLES.glob("*.yaml"))
DAGS_OF_NO_SPEC = [path.stem for path in (REPOSITORY / "dags").glob("nightsort_*.py")]
DAG_IDS = sorted(DAGS_OF_NO_SPEC + [f"{kind}_{name}" for kind in ("classify", "train") for name in SPECS])
TRIGGERS = ("ComprehendDocumentClassificationJobTrigger", "ComprehendDocumentClassifierTrainedTrigger")

# The triggerer never sees the dags folder, so its modules are imported before a DAG file is.
LOOK_AROUND = """
import importlib, inspect, json, pkgutil, sys
from airflow import plugins_manager, settings
settings.initialize()
import nightsort_airflow.triggers as package
from airflow.triggers.base import BaseTrigger
triggers = set()
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
        if issubclass(member, BaseTrigger) and member.__module__ == module.name:
            triggers.add(member.__name__)
# Providers that happen to be installed may bring plugins, too.
plugins = [
    plugin["name"] for plugin in plugins_manager.get_plugin_info()
    if "apache-airflow-providers-" not in str(plugin["source"])
]
by_stem = [
    name for name, module in sys.modules.items()
    if str(getattr(module, "__file__", "")).startswith(settings.PLUGINS_FOLDER)
    and name.partition(".")[0] not in ("nightsort_airflow", "nightsort")
]
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
import nightsort
print(json.dumps({
    "dag_ids": sorted(bag.dags),
    "import_errors": {**bag.import_errors, **plugins_manager.get_import_errors()},
    "triggers": sorted(triggers), "plugins": plugins, "executed": sorted(by_stem),
    "nightsort": str(nightsort.__path__[0]),
    "local_stack": importlib.util.find_spec("nightsort_local") is not None,
}))
"""


def packages_alone(folder: Path) -> Path:
    """
    Make an environment with the tests' packages, but without Nightsort, which is installed among them.

    :returns: the folder of its programs.
    """
    venv.create(folder, symlinks=True)
    theirs = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if "nightsort" not in package.name:
            (theirs / package.name).symlink_to(package)
    return folder / "bin"


def write_plugin_of_a_team(plugins: Path) -> list[str]:
    """
    Write what a team has in its plugins folder: a plugin, an ignore file, and a file that this one hides.

    :returns: the modules that Airflow executes.
    """
    (plugins / "hidden").mkdir()
    (plugins / "hidden" / "csv.py").write_text("raise AssertionError('executed')")
    ignore_file = plugins / ".airflowignore"
    assert not ignore_file.exists(), "the team's own file stays as it is"
    ignore_file.write_text("hidden/\n")
    (plugins / "my_macros.py").write_text(
        "from airflow.sdk.plugins_manager import AirflowPlugin\n"
        "class Mine(AirflowPlugin):\n    name = 'my_own_plugin'\n"
    )
    return ["my_macros"]


def startup_environment(home: str) -> dict[str, str]:
    """
    What MWAA takes over from our startup script: it runs it by bash, and then reads what bash exports.

    :param home: ``AIRFLOW_HOME`` there.
    """
    script = REPOSITORY / "deployment" / "mwaa" / "startup.sh"
    given = {"AIRFLOW_HOME": home, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-euc", f'. "{script}"; env -0'], env=given, capture_output=True, text=True, check=True
    )
    exported = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    return {name: value for name, value in exported.items() if name not in {*given, "PWD", "SHLVL", "_"}}


@dataclass(frozen=True)
class AirflowInstallation:
    """An Airflow of its own.

    :param home: ``AIRFLOW_HOME``, which holds ``dags`` and ``plugins``.
    :param pythonpath: what the host sets ``PYTHONPATH`` to.
    :param programs: the folder of the environment's programs.
    :param settings: further environment variables.
    """

    home: Path
    pythonpath: Path
    programs: Path = Path(sys.executable).parent
    settings: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs as one of the host's processes."""
        return subprocess.run(
            [str(self.programs / command[0]), *command[1:]],
            cwd=self.home,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self.home),
                "AIRFLOW_HOME": str(self.home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "PYTHONPATH": str(self.pythonpath),
                "PYTHONDONTWRITEBYTECODE": "1",
                "AWS_EC2_METADATA_DISABLED": "true",
                **self.settings,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def look_around(self) -> dict[str, Any]:
        """What a triggerer imports, and then what a DAG processor parses."""
        done = self.run("python", "-c", LOOK_AROUND, str(self.home / "dags"))
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return seen
