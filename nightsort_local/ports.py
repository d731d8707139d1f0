"""The two TCP ports of a stack, unique among the stacks of a machine."""

from __future__ import annotations

import fcntl
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightsort_local.errors import StackError
from nightsort_local.home import shared_folder

if TYPE_CHECKING:
    from io import TextIOWrapper

LOOPBACK = "127.0.0.1"
API_PORT = 8080
"""Airflow's own default."""
AWS_PORT = 5566
SLOTS = 200


@dataclass(frozen=True)
class PortClaim:
    """A pair of ports. No other stack of this user takes them while `file` is open in any process."""

    slot: int
    api_port: int
    aws_port: int
    file: TextIOWrapper
    """The locked file. The supervisor inherits it as its standard input, so that the claim ends with it."""


def is_free(port: int) -> bool:
    """Return whether a server can listen on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this option, a port stays in use for a minute after its stack has stopped (TIME_WAIT).
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def claim_ports(first_slot: int | None) -> PortClaim:
    """Claim the first free pair of ports, from 8080 and 5566 upwards.

    :param first_slot: the slot to try first: the last one of this stack.
    :raises StackError: no pair is free.
    """
    folder = shared_folder()
    slots = list(range(SLOTS))
    if first_slot is not None:
        slots.insert(0, first_slot)
    for slot in slots:
        file = (folder / f"ports-{slot}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        if is_free(API_PORT + slot) and is_free(AWS_PORT + slot):
            return PortClaim(slot, API_PORT + slot, AWS_PORT + slot, file)
        file.close()
    raise StackError(
        f"No free pair of ports from {API_PORT} and {AWS_PORT} upwards on {LOOPBACK}: "
        "stop the processes that listen there (`ss -ltnp` lists them), then start again."
    )
