"""The part of a spec that names the notifiers for nights that fail, are late or wait for an answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from nightsort.classifier_spec.problems import Problem, refuse, shown
from nightsort.classifier_spec.source import SpecPart

if TYPE_CHECKING:
    from collections.abc import Sequence

_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
# A spec lies in Git, and Airflow keeps the arguments in its database.
_SECRET = re.compile(r"passw|secret|token|api_?key|credential", re.IGNORECASE)


class Notifier(SpecPart):
    """An Airflow notifier for failures, late nights and questions that wait for an answer.

    :param import_path: its class, for instance ``airflow.providers.smtp.notifications.smtp.SmtpNotifier``.
    :param arguments: of its constructor, with Airflow's templates. Keep secrets in a connection.
    """

    import_path: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("import_path")
    @classmethod
    def _check_import_path(cls, path: str) -> str:
        if not _IMPORT_PATH.fullmatch(path):
            raise refuse(f"{shown(path)} is not an import path; it looks like package.module.ClassName")
        return path

    @field_validator("arguments")
    @classmethod
    def _check_no_secret(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if named := [name for name in arguments if _SECRET.search(name)]:
            raise refuse(f"{named[0]} looks like a secret; put it into an Airflow connection and name that")
        return arguments


def alert_problems(
    loaded_by: str | None, schedule: str | None, notifiers: Sequence[Notifier], drift: str = "warn"
) -> list[Problem]:
    """Return the problems of ``loaded_by``, the time by which a night must be loaded, and of ``drift``."""
    problems = []
    if drift == "notify" and not notifiers:
        message = "notify needs notifiers, or nobody is notified; add one, or write warn"
        problems.append(Problem("drift", message))
    if loaded_by is None:
        return problems
    if not _TIME.fullmatch(loaded_by):
        problems.append(Problem("loaded_by", f'{shown(loaded_by)} is not a time; write for instance "06:30"'))
    if schedule is None:
        problems.append(Problem("loaded_by", "needs a schedule: only scheduled nights can be late"))
    if not notifiers:
        problems.append(Problem("loaded_by", "needs notifiers, or nobody is notified; add one, or remove it"))
    return problems
