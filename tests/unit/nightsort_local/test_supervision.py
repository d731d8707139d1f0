"""Processes are ended with all that they started, and never a stranger's."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from configparser import RawConfigParser
from typing import TYPE_CHECKING

import psutil

from nightsort_local import supervision
from nightsort_local.home import Home, State

if TYPE_CHECKING:
    from pathlib import Path

# A leader that starts a child in a process group of its own, as a scheduler does with its tasks, and says so.
LEADER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0) \
    if sys.version_info >= (3, 11) else \
    subprocess.Popen([sys.executable, "-c", "import os, time; os.setpgid(0, 0); time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_what_a_killed_supervisor_left_is_found_and_ended() -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert leader.stdout is not None
    with leader.stdout:
        child = psutil.Process(int(leader.stdout.readline()))
    state = State(supervisor_pid=leader.pid, supervisor_started=psutil.Process(leader.pid).create_time())
    assert supervision.supervisor_process(state) is not None
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    assert supervision.supervisor_process(state) is None
    left = supervision.stragglers(state)
    assert [process.pid for process in left] == [child.pid]
    supervision.end(left, patience=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert supervision.stragglers(state) == []


def test_a_process_that_has_got_the_supervisors_number_since_is_left_alone() -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        state = State(supervisor_pid=stranger.pid, supervisor_started=time.time() - 3600)
        assert supervision.supervisor_process(state) is None
        assert supervision.stragglers(state) == []
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_that_ignores_the_request_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    deaf = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    with deaf.stdout:
        deaf.stdout.readline()
    process = psutil.Process(deaf.pid)
    assert supervision.end([process], patience=0.3) == [process]
    assert not process.is_running()
    deaf.wait()


def test_commands_survive_spaces_quotes_and_percent_signs_in_paths(tmp_path: Path) -> None:
    home = Home(tmp_path / 'a "quoted" 100% home')
    home.prepare()
    supervision.write_configuration(home, supervision.COMPONENTS, 5566)
    parser = RawConfigParser()
    parser.read(home.supervisor_configuration)
    for name, command in supervision.commands(home, 5566).items():
        written = parser[f"program:{name}"]["command"].replace("%%", "%")
        assert shlex.split(written) == command
        assert int(parser[f"program:{name}"]["stdout_logfile_maxbytes"]) > 0, "logs rotate"


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert supervision.tail(log, 3) == ""
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert supervision.tail(log, 2) == "line 99998\nline 99999"
    assert os.path.getsize(log) > 1_000_000
