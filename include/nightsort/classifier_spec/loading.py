"""Find spec files, and read their YAML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import yaml

from nightsort.classifier_spec.problems import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SPEC_FOLDER = Path(__file__).resolve().parents[2] / "classifiers"
"""The folder of specs beside the package, if the tree is deployed: ``include/classifiers``."""

FOLDERS_VARIABLE = "NIGHTSORT_SPECS"
"""The environment variable that names the folders of specs, separated by colons."""

SpecT = TypeVar("SpecT")


@dataclass(frozen=True)
class LoadedSpecs(Generic[SpecT]):
    """The specs of some folders.

    :param specs: the valid specs, by name.
    :param errors: one for each broken file.
    :param files: the file of each valid spec, by name.
    """

    specs: dict[str, SpecT]
    errors: list[SpecError]
    files: dict[str, Path]


def spec_folders(env: Mapping[str, str]) -> list[Path]:
    """Return the folders of specs: those that ``NIGHTSORT_SPECS`` names, or the default folder.

    The default is the folder beside the package. An installed wheel has none: the default is then
    ``include/classifiers`` in ``AIRFLOW_HOME``.
    """
    named = [Path(part).expanduser() for part in env.get(FOLDERS_VARIABLE, "").split(":") if part.strip()]
    if named:
        return named
    if DEFAULT_SPEC_FOLDER.is_dir():
        return [DEFAULT_SPEC_FOLDER]
    return [Path(env.get("AIRFLOW_HOME") or "~/airflow").expanduser() / "include" / "classifiers"]


def spec_files(folder: Path, *, containing: str = "") -> list[Path]:
    """Return the spec files of a folder, sorted by name.

    :param containing: leave out the files in which this text does not occur.
    :raises SpecError: there is no such folder.
    """
    if not folder.is_dir():
        message = (
            f"there is no such folder; create it, or correct {FOLDERS_VARIABLE} (folders separated by colons)"
        )
        raise SpecError(folder, [Problem("", message)])
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())
    return [file for file in files if _contains(file, containing)] if containing else files


def _contains(file: Path, text: str) -> bool:
    try:
        return text.encode() in file.read_bytes()
    except OSError:
        # The reader of the file reports why it cannot be read.
        return True


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level holds keys.

    :raises SpecError: it cannot be read, is empty, is not YAML, holds no keys, or holds one key twice.
    """
    try:
        data = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 (a safe loader, see below)
    except OSError as error:
        raise SpecError(path, [Problem("", f"cannot be read: {error.strerror}")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        remedy = "correct the YAML (values with a colon, a brace or a leading * or @ need quotes)"
        raise SpecError(path, [Problem(where, f"{error.problem or 'not valid YAML'}; {remedy}")]) from None
    except yaml.YAMLError as error:
        raise SpecError(path, [Problem("", f"not valid YAML ({error}); save it as UTF-8 text")]) from None
    if data is None:
        raise SpecError(path, [Problem("", "is empty; copy another spec into it, or remove the file")])
    if not isinstance(data, dict):
        raise SpecError(path, [Problem("", "holds no keys; a spec is lines like  name: support-tickets")])
    return data


# The C parser reads 200 specs in a fraction of the time, and every DAG parse reads them all.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # chosen at run time
    """The safe loader, which refuses a repeated key (YAML would silently keep the last one)."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key "{key_node.value}" occurs twice; keep one', key_node.start_mark
                )
            if isinstance(key_node.value, str):
                seen.add(key_node.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping
