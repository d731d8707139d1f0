"""The plan of a run: the batches of its last preparation."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import orjson

from nightsort.layout import PLAN_FILE, RunFolder
from nightsort.naming import BatchName
from nightsort.storage import upload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nightsort.storage import Access

log = logging.getLogger(__name__)

_BY_NAME = ("input_uri", "manifest_uri")
"""These follow from a batch's name and are not written, so that a folder may be moved."""


@dataclass(frozen=True)
class Batch:
    """The input of one classification job.

    :param name: a :class:`~nightsort.naming.BatchName`, or a :class:`~nightsort.naming.RetryName`.
    :param input_uri: what the job reads: one object, or with ONE_DOC_PER_FILE a prefix that ends in ``/``.
    :param manifest_uri: its manifest.
    :param documents: how many documents it has.
    :param lines: how many lines, or files, its input has: one for each different text.
    :param bytes: size of the input.
    :param units: billed units of the lines, of 100 characters each.
    :param fingerprint: hash of the input's content, when it was prepared.
    """

    name: str
    input_uri: str
    manifest_uri: str
    documents: int
    lines: int
    bytes: int
    units: int
    fingerprint: str

    @classmethod
    def below(cls, folder: RunFolder, input_format: str, *, name: str, **found: Any) -> Batch:
        """Return a batch of a run.

        :param folder: the run's folder.
        :param input_format: ONE_DOC_PER_LINE or ONE_DOC_PER_FILE.
        :param name: name of the batch.
        :param found: the other fields.
        :returns: the batch.
        """
        input_uri = folder.input(name, per_file=input_format == "ONE_DOC_PER_FILE")
        return cls(name, input_uri, folder.manifest(name), **found)

    @property
    def number(self) -> int:
        """Its number in the run."""
        return BatchName.parse(self.name).number

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Batch:
        """Return the batch in the values of :meth:`to_dict`, which may have other members besides.

        :param values: JSON-safe values.
        :returns: the batch.
        """
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**{"lines": lines_of(values), **known})


def lines_of(values: Mapping[str, Any]) -> int:
    """Return the lines of a batch in the values of :meth:`Batch.to_dict`.

    In those of earlier releases each document has a line, also one that was forgotten since.

    :param values: JSON-safe values.
    """
    return int(values.get("lines", values["documents"] + values.get("forgotten", 0)))


@dataclass(frozen=True)
class RunPlan:
    """The batches of a run's last preparation. The next preparation of the run begins with it.

    :param input_format: ONE_DOC_PER_LINE or ONE_DOC_PER_FILE.
    :param batches: in the order of their numbers.
    :param long_names: whether names of files hold the day. A run that was prepared before they did keeps its
        ids, or all of it would be paid for again.
    :param reused_of: the version whose earlier results the other documents have, see
        :meth:`~nightsort.layout.RunFolder.reused`; ``None``: no document was reused.
    """

    input_format: str
    batches: tuple[Batch, ...] = ()
    long_names: bool = True
    reused_of: str | None = None

    @classmethod
    def read(cls, folder: RunFolder, input_format: str, access: Access) -> RunPlan:
        """Read a run's plan.

        :param folder: the run's folder.
        :param input_format: a plan in another format counts as no plan.
        :param access: storage.
        :returns: the plan; without batches if there is none that can be used.
        """
        path = access.path(folder.file(PLAN_FILE))
        try:
            plan = orjson.loads(path.read_bytes())
            if plan["input_format"] != input_format:
                return cls(input_format)
            return cls(
                input_format,
                tuple(_stored(folder, input_format, batch) for batch in plan["batches"]),
                long_names=plan.get("long_names", not plan["batches"]),
                reused_of=plan.get("reused_of"),
            )
        except FileNotFoundError:
            return cls(input_format)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            log.warning("%s cannot be read; all batches of the run are prepared again", path)
            return cls(input_format)

    def write(self, folder: RunFolder, access: Access, scratch: Path) -> None:
        """Write the plan; done last, when all objects of its batches are in place.

        :param folder: the run's folder.
        :param access: storage.
        :param scratch: a local folder.
        """
        local = scratch / PLAN_FILE
        rows = [
            {key: value for key, value in batch.to_dict().items() if key not in _BY_NAME}
            for batch in self.batches
        ]
        plan = {
            "input_format": self.input_format,
            "long_names": self.long_names,
            "reused_of": self.reused_of,
            "batches": rows,
        }
        local.write_bytes(orjson.dumps(plan))
        upload(local, folder.file(PLAN_FILE), access)


def _stored(folder: RunFolder, input_format: str, values: Mapping[str, Any]) -> Batch:
    found = {**values, "lines": lines_of(values)}
    found.pop("forgotten", None)
    return Batch.below(folder, input_format, **found)
