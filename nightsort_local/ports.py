"""The two TCP ports of a stack, so chosen that stacks on one machine never meet."""

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
    """A pair of ports that no other stack of this user will take while `file` is open somewhere."""

    slot: int
    api_port: int
    aws_port: int
    file: TextIOWrapper
    """Locked. The supervisor inherits it as its standard input, so that the claim ends when it does."""


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without it a port stays taken for a minute after the last stack on it went down (TIME_WAIT).
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def claim_ports(first_slot: int | None) -> PortClaim:
    """Claim the first pair of ports, 8080 and 5566 and upwards, that nobody listens on and nobody claims.

    :param first_slot: tried before all others: the one that this stack had last time.
    :raises StackError: if none is left.
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
        "stop what listens there (`ss -ltnp` names it), then start again."
    )
