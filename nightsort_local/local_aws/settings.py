"""The settings of the server, from its command line and the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MIN_DOCUMENTS = "NIGHTSORT_LOCAL_AWS_MIN_DOCUMENTS_PER_LABEL"
MIN_DOCUMENTS_PER_LABEL = 1
"""Recorded trainings had labels of one and of three documents, although AWS's pages ask for 10 and for 50."""

WORKERS = "NIGHTSORT_LOCAL_AWS_WORKERS"

CHECK_KEYS = "NIGHTSORT_LOCAL_AWS_CHECK_KEYS"
_KEY = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

_SWITCH = {"": False, "0": False, "false": False, "1": True, "true": True}

HOSTS = "NIGHTSORT_LOCAL_AWS_HOSTS"
_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class SettingError(Exception):
    """A setting is invalid; the message has its name, its value and the allowed values."""


@dataclass(frozen=True)
class Settings:
    """The settings of a running server.

    :param endpoint: its own URL.
    :param models: the folder of the trained models.
    :param min_documents_per_label: documents that each label of training data must have.
    """

    endpoint: str
    models: Path
    min_documents_per_label: int = MIN_DOCUMENTS_PER_LABEL

    def model_path(self, name: str) -> Path:
        """Return the path of a model file."""
        return self.models / name


def min_documents_per_label(environment: Mapping[str, str]) -> int:
    """Return the minimum of documents per label; a higher one is for users who want to be strict."""
    return _positive(environment, MIN_DOCUMENTS, MIN_DOCUMENTS_PER_LABEL)


def workers(environment: Mapping[str, str]) -> int:
    """Return the number of worker processes; the default is one per core, from two to four."""
    return _positive(environment, WORKERS, min(4, max(2, os.cpu_count() or 1)))


def hosts(environment: Mapping[str, str]) -> list[str]:
    """Return the names besides loopback by which clients reach the server, in lower case.

    :raises SettingError: one is not a plain host name or IPv4 address.
    """
    names = [name.strip().lower() for name in environment.get(HOSTS, "").split(",")]
    for name in names:
        if name and not _HOST_NAME.fullmatch(name):
            raise SettingError(
                f"{HOSTS} has {name!r}; it must be host names without scheme and port, separated by commas."
            )
    return [name for name in names if name]


def own_key(environment: Mapping[str, str], *, checked: bool = False) -> tuple[str, str] | None:
    """Return the access key and the secret that clients must sign with; None: any key is taken.

    :param environment: has the key, in the variables of every AWS client.
    :param checked: whether signatures are checked in any case.
    :raises SettingError: they are to be checked, and there is no key.
    """
    if not switch(environment, CHECK_KEYS) and not checked:
        return None
    access_key_id, secret = (environment.get(name, "") for name in _KEY)
    if not access_key_id or not secret:
        raise SettingError(
            f"Signatures are checked, so {' and '.join(_KEY)} must be set: clients sign with them."
        )
    return access_key_id, secret


def switch(environment: Mapping[str, str], name: str) -> bool:
    """Return whether a variable says true; without it, false.

    :raises SettingError: its value is neither true nor false.
    """
    value = environment.get(name, "")
    if value.lower() not in _SWITCH:
        raise SettingError(f"{name} is {value!r}; it must be true or false.")
    return _SWITCH[value.lower()]


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise SettingError(f"{name} is {value!r}; it must be a whole number of at least 1.")
    return int(value)
