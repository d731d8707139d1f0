"""The plan of a run: which batches its last preparation made; the next one begins with it."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from nightsort.naming import PLAN_FILE, BatchName, RunFolder
from nightsort.storage import upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nightsort.storage import Access

log = logging.getLogger(__name__)

_BY_NAME = ("input_uri", "manifest_uri")
"""What follows from a batch's name, so that a folder may be moved."""


@dataclass(frozen=True)
class Batch:
    """The input of one classification job.

    :param name: a :class:`~nightsort.naming.BatchName`.
    :param input_uri: what the job reads: one object, or with ONE_DOC_PER_FILE a prefix that ends in ``/``.
    :param manifest_uri: which document is where in it.
    :param documents: how many there are.
    :param bytes: size of the input.
    :param units: what the job will be billed, in units of 100 characters.
    :param fingerprint: hash of the input's content.
    """

    name: str
    input_uri: str
    manifest_uri: str
    documents: int
    bytes: int
    units: int
    fingerprint: str

    @classmethod
    def below(cls, folder: RunFolder, input_format: str, *, name: str, **found: Any) -> Batch:
        """Return a batch of the run whose folder this is."""
        input_uri = folder.input(name, per_file=input_format == "ONE_DOC_PER_FILE")
        return cls(name, input_uri, folder.manifest(name), **found)

    @property
    def number(self) -> int:
        """Its number in the run."""
        return BatchName.parse(self.name).number


def read_plan(folder: RunFolder, input_format: str, access: Access) -> tuple[Batch, ...]:
    """Return the batches of the run's last preparation; none if there was none in this input format."""
    path = access.path(folder.file(PLAN_FILE))
    try:
        plan = orjson.loads(path.read_bytes())
        if plan["input_format"] != input_format:
            return ()
        return tuple(Batch.below(folder, input_format, **batch) for batch in plan["batches"])
    except FileNotFoundError:
        return ()
    except (orjson.JSONDecodeError, KeyError, TypeError):
        log.warning("%s cannot be read; the run's batches are made anew", path)
        return ()


def write_plan(
    folder: RunFolder, input_format: str, batches: Sequence[Batch], access: Access, scratch: Path
) -> None:
    """Keep the batches of a run for its next preparation; done last, when all they name is in place.

    :param scratch: a local folder.
    """
    local = scratch / PLAN_FILE
    rows = [{key: value for key, value in asdict(batch).items() if key not in _BY_NAME} for batch in batches]
    plan = {"input_format": input_format, "batches": rows}
    local.write_bytes(orjson.dumps(plan))
    upload(local, folder.file(PLAN_FILE), access)
