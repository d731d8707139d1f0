"""What a comparison has made, paid and observed, on disk, so that it can be stopped and started again."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nightsort_local.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 1
CLASSIFIER, JOB, ENDPOINT = "classifier", "job", "endpoint"


@dataclass
class Made:
    """Something that exists, or may exist, in the account.

    :param kind: classifier, job or endpoint.
    :param name: its name.
    :param version: a classifier's version.
    :param id: ARN, or a job's id; empty from the request to its answer.
    """

    kind: str
    name: str
    version: str = ""
    id: str = ""

    @property
    def key(self) -> str:
        """What tells it from everything else that was made."""
        return f"{self.kind}/{self.name}/{self.version}"


@dataclass
class Ledger:
    """One side of a comparison. Every change is on disk before the next request.

    :param run: eight hex digits that all names have.
    :param settings: where it runs; a second start must have the same.
    :param file: where it is kept; None for a side whose server does not survive either.
    :param generation: how often all that was made was deleted; a part of names and tokens.
    :param made: what exists, by :attr:`Made.key`.
    :param seen: the members that were shown in each state, by training or job.
    :param training_since: when a training was first seen ``TRAINING``, in epoch seconds.
    :param observed: the observations of each check that is done.
    :param spent: USD of what has ended, by :attr:`Made.key`.
    """

    run: str
    settings: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    generation: int = 1
    made: dict[str, Made] = field(default_factory=dict)
    seen: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    training_since: dict[str, float] = field(default_factory=dict)
    observed: dict[str, dict[str, Any]] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    def save(self) -> None:
        """Write it to its file."""
        if self.file is None:
            return
        content = {name: value for name, value in asdict(self).items() if name != "file"}
        content["format"] = FORMAT
        # It names the account's resources: for its owner only.
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self.file.with_name(f"{self.file.name}.partial")
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1)
            stream.flush()
            # What it does not name would be paid for and not found, also after the machine has died.
            os.fsync(stream.fileno())
        os.replace(partial, self.file)

    def name(self, what: str) -> str:
        """Return a name that only this run and generation has; an endpoint's has 40 characters at most."""
        return f"nsc-{self.run}-{self.generation}-{what}"

    def is_paid(self, kind: str, what: str, version: str = "") -> bool:
        """Return whether something is there and its price is noted."""
        key = Made(kind, self.name(what), version).key
        return key in self.made and key in self.spent

    def put(self, made: Made) -> None:
        """Note something that exists or is about to."""
        self.made[made.key] = made
        self.save()

    def forget(self, made: Made) -> None:
        """Note that something does not exist."""
        if self.made.pop(made.key, None) is not None:
            self.save()

    def saw(self, name: str, state: str, members: list[str]) -> None:
        """Note the members of a state when it is seen first."""
        states = self.seen.setdefault(name, {})
        if state not in states:
            states[state] = members
            self.save()

    def total_usd(self) -> float:
        """Return what was paid for what has ended."""
        return round(sum(self.spent.values()), 4)


def open_ledger(file: Path, settings: Mapping[str, str]) -> Ledger:
    """Return the ledger of a file, or a new one.

    :param file: where it is kept.
    :param settings: where the comparison runs.
    :raises StackError: the file belongs to a comparison somewhere else, or cannot be read.
    """
    if not file.exists():
        return Ledger(uuid.uuid4().hex[:8], dict(settings), file)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        is_known = content.pop("format") == FORMAT
        made = {key: Made(**value) for key, value in content.pop("made").items()}
        ledger = Ledger(**content, file=file, made=made)
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(f"{file} cannot be read ({error}): choose another --output.") from error
    if not is_known:
        raise StackError(f"{file} is of another version of this command: choose another --output.")
    other = [name for name in settings if ledger.settings.get(name) != settings[name]]
    if other:
        raise StackError(
            f"{file} belongs to a comparison with another {' and '.join(other)}: give the same, or choose "
            "another --output."
        )
    return ledger
