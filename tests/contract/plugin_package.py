"""All modules and classes of the plugin, found by walking it."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import nightsort_airflow

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(nightsort_airflow.__file__).parent
PLUGINS = PACKAGE.parent


def module_files() -> list[Path]:
    """The modules that hold something; an ``__init__.py`` here holds a docstring."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


def classes(base: type) -> Iterator[type]:
    """The plugin's own classes that are of this base."""
    for path in module_files():
        name = module_name(path)
        for _, member in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if member.__module__ == name and issubclass(member, base):
                yield member
