"""Apply faults to a job's output: lost, duplicate or invalid lines, a truncated archive."""

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
    """Apply the faults of lines to a file of predictions, in their order."""
    line_faults = [fault for fault in faults if isinstance(fault, (LinesFault, ShuffledLines))]
    if not line_faults:
        return
    lines = file.read_bytes().splitlines(keepends=True)
    for fault in line_faults:
        lines = _spoiled(lines, fault)
    file.write_bytes(b"".join(lines))


def spoil_archive(archive: Path, faults: Iterable[WorkFault]) -> None:
    """Truncate an archive where a fault asks for it."""
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
    document = {"File": prediction["File"]}
    if "Line" in prediction:
        # A number, as in the error lines of real jobs.
        document["Line"] = int(prediction["Line"])
    return json.dumps({**document, "ErrorCode": fault.code, "ErrorMessage": fault.message}).encode() + b"\n"
