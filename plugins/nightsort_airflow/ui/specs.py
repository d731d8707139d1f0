"""The classifier specs for the pages: read again only when a file changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import yaml

from nightsort.classifier_spec.loading import spec_files
from nightsort.classifier_spec.model import SpecError, spec_folders
from nightsort.comprehend.limits import SPEC_NAME_PATTERN
from nightsort.wording import one_line
from nightsort_airflow.spec_loading import read_specs

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.classifier_spec.loading import LoadedSpecs
    from nightsort.classifier_spec.model import ClassifierSpec


class SpecFiles:
    """The specs of the folders that the environment names, checked as the DAGs check them."""

    def __init__(self) -> None:
        self._signature: object = None
        self._loaded: LoadedSpecs[ClassifierSpec] | None = None

    def load(self) -> LoadedSpecs[ClassifierSpec]:
        """Return the specs, and what is wrong with the broken ones."""
        signature = _signature()
        if self._loaded is None or signature != self._signature:
            self._loaded, self._signature = read_specs(), signature
        return self._loaded


def named_in(file: Path) -> str:
    """
    Return the name of the classifier that a broken file is about: the name in it, else that of the file.

    :param file: the spec's file.
    """
    try:
        data = yaml.safe_load(file.read_bytes())
    except (OSError, yaml.YAMLError):
        data = None
    name = data.get("name") if isinstance(data, dict) else None
    # No classifier has another name, and a database or an address may not take it.
    if isinstance(name, str) and SPEC_NAME_PATTERN.fullmatch(name):
        return name
    return one_line(file.stem)


def _signature() -> object:
    files = []
    for folder in spec_folders(os.environ):
        try:
            found = [(file, file.stat()) for file in spec_files(folder)]
        except (SpecError, OSError):
            continue
        files += [(file, status.st_mtime_ns, status.st_size) for file, status in found]
    return files
