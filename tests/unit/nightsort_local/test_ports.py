"""Two stacks on one machine never take the same ports."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from nightsort_local import ports
from nightsort_local.errors import StackError
from nightsort_local.ports import API_PORT, AWS_PORT, LOOPBACK, claim_ports, is_free

# Away from the ports that a stack of this user may hold while the tests run.
QUIET_SLOT = 150


def test_a_claimed_pair_is_not_given_away_even_before_anybody_listens() -> None:
    first = claim_ports(QUIET_SLOT)
    second = claim_ports(QUIET_SLOT)
    try:
        assert first.slot == QUIET_SLOT
        assert (first.api_port, first.aws_port) == (API_PORT + QUIET_SLOT, AWS_PORT + QUIET_SLOT)
        assert second.slot != first.slot
        assert not {second.api_port, second.aws_port} & {first.api_port, first.aws_port}
    finally:
        first.file.close()
        second.file.close()


@pytest.mark.parametrize("base", [API_PORT, AWS_PORT])
def test_a_pair_of_which_a_stranger_has_one_port_is_passed_over(base: int) -> None:
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, base + QUIET_SLOT + 1))
        stranger.listen()
        assert not is_free(base + QUIET_SLOT + 1)
        claim = claim_ports(QUIET_SLOT + 1)
        claim.file.close()
    assert claim.slot != QUIET_SLOT + 1


def test_a_claim_lives_as_long_as_the_process_that_inherits_it_and_no_longer() -> None:
    claim = claim_ports(QUIET_SLOT + 2)
    heir = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=claim.file)
    claim.file.close()
    try:
        other = claim_ports(QUIET_SLOT + 2)
        other.file.close()
        assert other.slot != claim.slot
    finally:
        heir.kill()
        heir.wait()
    again = claim_ports(QUIET_SLOT + 2)
    again.file.close()
    assert again.slot == claim.slot


def test_no_free_pair_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "SLOTS", 0)
    with pytest.raises(StackError, match=r"No free pair of ports .* stop the processes that listen there"):
        claim_ports(None)
