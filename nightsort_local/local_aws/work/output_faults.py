"""A job's output as the faults want it: lines lost, doubled, wrong; an archive that breaks off."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

from nightsort_local.local_aws.faults.fault_types import (
    DoubledLines,
    ErrorLines,
    LinesFault,
    LostLines,
    OutputTruncated,
    ShuffledLines,
    WrongLines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nightsort_local.local_aws.faults.fault_types import WorkFault

_SEED = 0
_WRONG_LINE = b'{"File": "\xff\xfe\n'


def spoil_lines(file: Path, faults: Iterable[WorkFault]) -> None:
    """Do to a file of predictions what the faults say, one after the other."""
    wanted = [fault for fault in faults if isinstance(fault, (LinesFault, ShuffledLines))]
    if not wanted:
        return
    lines = file.read_bytes().splitlines(keepends=True)
    for fault in wanted:
        lines = _spoiled(lines, fault)
    file.write_bytes(b"".join(lines))


def spoil_archive(archive: Path, faults: Iterable[WorkFault]) -> None:
    """Cut an archive off where a fault says so."""
    for fault in faults:
        if isinstance(fault, OutputTruncated):
            os.truncate(archive, int(archive.stat().st_size * fault.keep))


def _spoiled(lines: list[bytes], fault: LinesFault | ShuffledLines) -> list[bytes]:
    if isinstance(fault, ShuffledLines):
        return random.Random(_SEED).sample(lines, len(lines))
    chosen = _chosen(fault, len(lines))
    result: list[bytes] = []
    for number, line in enumerate(lines):
        if number not in chosen:
            result.append(line)
        elif isinstance(fault, DoubledLines):
            result += [line, line]
        elif isinstance(fault, ErrorLines):
            result.append(_error_line(line, fault))
        elif isinstance(fault, WrongLines):
            result.append(_WRONG_LINE)
        elif not isinstance(fault, LostLines):
            raise TypeError(f"{fault.kind} is no fault of lines")
    return result


def _chosen(fault: LinesFault, number_of_lines: int) -> frozenset[int]:
    if fault.lines is not None:
        return frozenset(fault.lines)
    if fault.share is None:
        return frozenset({0})
    number = max(1, round(number_of_lines * fault.share))
    return frozenset(index * number_of_lines // number for index in range(number))


def _error_line(line: bytes, fault: ErrorLines) -> bytes:
    prediction = json.loads(line)
    place = {"File": prediction["File"]}
    if "Line" in prediction:
        # A number, as in the lines of documents that cannot be classified.
        place["Line"] = int(prediction["Line"])
    return json.dumps({**place, "ErrorCode": fault.code, "ErrorMessage": fault.message}).encode() + b"\n"
