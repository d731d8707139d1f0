"""Find a spec by what a person calls it: its name, or the path of its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nightsort.classifier_spec.loading import FOLDERS_VARIABLE, spec_folders
from nightsort.classifier_spec.model import ClassifierSpec, load_spec, load_specs
from nightsort.classifier_spec.problems import Problem, SpecError
from nightsort.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUFFIXES = (".yaml", ".yml")


def find_spec(called: str, env: Mapping[str, str]) -> ClassifierSpec:
    """Read the spec of a name or of a file.

    :param called: the name of a spec in the folders of specs, or the path of a YAML file.
    :param env: the environment, whose ``NIGHTSORT_SPECS`` names the folders.
    :returns: the spec.
    :raises SpecError: there is no such spec, or it has problems.
    """
    return load_spec(spec_file(called, env))


def is_file(called: str) -> bool:
    """Return whether a person means a file, and not the name of a spec."""
    path = Path(called).expanduser()
    return path.suffix in _SUFFIXES or path.is_file()


def spec_file(called: str, env: Mapping[str, str]) -> Path:
    """Return the file of a spec.

    :param called: the name of a spec in the folders of specs, or the path of a YAML file.
    :param env: the environment, whose ``NIGHTSORT_SPECS`` names the folders.
    :returns: the path; a path with the suffix of YAML need not exist.
    :raises SpecError: there is no such spec.
    """
    path = Path(called).expanduser()
    if is_file(called):
        return path
    folders = spec_folders(env)
    loaded = load_specs([folder for folder in folders if folder.is_dir()])
    if called in loaded.files:
        return loaded.files[called]
    for error in loaded.errors:
        # A broken spec has no name that could be trusted, but its file mostly has the same one.
        if error.file.stem == called:
            return error.file
    raise SpecError(path, [Problem("", _unknown(called, folders, sorted(loaded.specs)))])


def _unknown(called: str, folders: list[Path], names: list[str]) -> str:
    sentences = [
        "is neither a YAML file nor the name of a spec.",
        did_you_mean(called, names),
        f"The specs in {', '.join(map(str, folders))} are: {', '.join(names) or 'none'} "
        f"({FOLDERS_VARIABLE} names the folders)",
    ]
    return " ".join(filter(None, sentences))
