"""What comes from outside is text on a terminal and in a log: it moves no cursor, and adds no line."""

from __future__ import annotations

import ast
import csv
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from nightsort.cli import app
from nightsort.errors import NightsortError
from nightsort.terminal import Terminal
from nightsort.wording import one_line, visible

if TYPE_CHECKING:
    from typer.testing import Result

PROJECT = Path(__file__).parents[3]
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
HOSTILE = (
    "a\x1b]0;PWNED\x07b\x1b[2Jc\x9b31md\u202etxt.e\u2066f\x08\rg\nok: all is well\t[red]h[bold]i:smile:"
    f"\x7f\u2028\x85{FAMILY}"
)
CANNOT_BE_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
STYLES = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[0-9]*[AK]|\r")
"""What rich writes for colours and for a line that it writes anew."""


def printed(*what: Any, **settings: Any) -> str:
    file = io.StringIO()
    Terminal(file=file, width=200, **settings).print(*what)
    return file.getvalue()


# --- texts ---


@given(st.text(alphabet=st.characters()))
def test_what_is_visible_can_be_written_and_does_nothing(text: str) -> None:
    assert not CANNOT_BE_RAW.search(visible(text))
    assert "\n" not in one_line(text)
    visible(text).encode()


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == one_line(text) == text


def test_the_marks_are_the_escapes_of_a_python_string() -> None:
    assert visible("a\x1b[0m\x08\u202eb\udcff") == r"a\x1b[0m\x08\u202eb\udcff"
    assert visible("a\r\nb\tc\rd") == "a\nb\tc\\rd"
    assert one_line("a\r\nb\tc") == r"a\r\nb\tc"
    assert one_line(FAMILY) == FAMILY


def test_an_error_is_one_line_wherever_it_is_shown() -> None:
    error = NightsortError(f"s3://b/{HOSTILE} is not there")

    assert "\n" not in str(error)
    assert not CANNOT_BE_RAW.search(f"{error}")
    assert str(NightsortError()) == ""


# --- the terminal ---


def table(cell: Any) -> Table:
    made = Table(HOSTILE)
    made.add_row(cell)
    return made


@pytest.mark.parametrize("what", [HOSTILE, Text(HOSTILE), table(HOSTILE), table(Text(HOSTILE))])
def test_nothing_that_is_printed_reaches_the_terminal_raw(what: Any) -> None:
    said = printed(what)

    assert not CANNOT_BE_RAW.search(said)
    assert "[red]h[bold]i:smile:" in said
    assert FAMILY in said


def test_markup_that_closes_nothing_is_a_label_like_any_other() -> None:
    assert printed("label [/billing] 7").strip() == "label [/billing] 7"


def test_a_cell_is_as_wide_as_what_is_shown() -> None:
    made = Table(box=None, pad_edge=False)
    made.add_row("\x1b" * 3, "next")
    made.add_row("x", "next")

    lines = printed(made).splitlines()

    assert [line.index("next") for line in lines if "next" in line] == [14, 14]


def test_styles_of_our_own_are_still_written() -> None:
    said = printed(Text("bold\x1b[5m", style="bold"), force_terminal=True, color_system="standard")

    assert said == "\x1b[1mbold\\x1b[5m\x1b[0m\n"


# --- the commands ---


def run(*arguments: Any, code: int | None = None) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert code is None or result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    for stream in (result.stdout_bytes, result.stderr_bytes):
        assert not CANNOT_BE_RAW.search(stream.decode())
        assert not any(line.startswith("ok: all is well") for line in stream.decode().splitlines())
    return result


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec in a file of a hostile name, whose documents have hostile files, labels and ids."""
    folder = tmp_path / "here"
    (folder / "labelled").mkdir(parents=True)
    day = folder / "incoming" / "2026-11-18"
    day.mkdir(parents=True)
    labels = ("[/billing]", f"BUG{HOSTILE}")
    rows = [(label, f"text number {n} of {label[:3]}") for n in range(20) for label in labels]
    write(folder / "labelled" / f"{HOSTILE}.csv", ("label", "text"), [*rows, ("", "no label")])
    write(day / f"{HOSTILE}.csv", ("id", "text"), [(HOSTILE, "one"), (HOSTILE, "two"), ("x", "")])
    values = {
        "name": "tickets",
        "mode": "MULTI_CLASS",
        "labelled": {"uri": "labelled/", "format": "csv"},
        "incoming": {"uri": "incoming/{day}/", "format": "csv", "id_column": "id"},
        "work_uri": str(tmp_path / "work"),
        "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
        "quality": {"max_rejected_share": 0.9},
    }
    path = folder / f"{HOSTILE}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def test_no_command_writes_a_hostile_name_raw(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(spec.parent)
    missing = f"{HOSTILE}.none"
    for arguments, code in (
        (["validate-spec", spec], 0),
        (["validate-spec", missing], 2),
        (["prepare-training", spec], 0),
        (["prepare-training", missing], 2),
        (["prepare-batches", spec, "--day", "2026-11-18"], 0),
        (["prepare-batches", spec, "--day", HOSTILE], 2),
        (["prepare-batches", spec, "--day", "2026-11-18", "--source-uri", missing], 2),
        (["forecast-cost", spec, "--day", "2026-11-18"], 0),
        (["forecast-cost", spec, "--training"], 0),
        (["read-predictions", missing], 2),
        (["read-predictions", spec], 2),
        (["read-predictions", spec, "--output", missing], 2),
        (["init", HOSTILE, "labelled/", "--output", missing], 2),
        (["init", "drafted", missing, "--output", "drafted.yaml"], 2),
        (["init", "drafted", "labelled/", "--output", "drafted.yaml"], 0),
        (["init", "drafted", "labelled/", "--output", spec], 2),
        (["init-db", make_conninfo(host="/no/where", user="a\x1b]0;PWNED\x07[/b]")], 2),
        (["prepare-training", spec, HOSTILE], 2),
        ([HOSTILE], 2),
        ([f"--{HOSTILE}"], 2),
        (["drop-runs", "--keep-days", HOSTILE], 2),
        (["train", HOSTILE], 2),
    ):
        result = run(*arguments, code=code)
        assert result.output.strip(), arguments


def test_a_broken_spec_shows_its_problems_as_text(spec: Path) -> None:
    spec.write_text(yaml.safe_dump({"name": HOSTILE, HOSTILE: 1, "mode": HOSTILE}))

    said = run("validate-spec", spec, code=2).stderr

    assert len(said.splitlines()) > 3, "one line for each problem"


def test_a_log_line_is_text(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(spec.parent)

    run("--verbose", "prepare-batches", spec, "--day", "2026-11-18", code=0)


def command_line(*arguments: str, module: str = "nightsort") -> list[str]:
    return [sys.executable, "-m", module, *arguments]


@pytest.mark.parametrize("module", ["nightsort", "nightsort_local"])
def test_arguments_that_are_refused_are_text_in_a_process_of_its_own(module: str) -> None:
    done = subprocess.run(command_line(HOSTILE, module=module), cwd=PROJECT, capture_output=True, check=False)

    assert done.returncode == 2
    assert not CANNOT_BE_RAW.search((done.stdout + done.stderr).decode())
    assert rb"\x1b]0;PWNED" in done.stderr


def test_an_unexpected_error_shows_its_traceback_as_text() -> None:
    code = (
        "import nightsort.__main__ as main, nightsort.cli.specs as specs\n"
        "def broken(*_): raise RuntimeError('a\\x1b]0;PWNED\\x07 [/billing]')\n"
        "specs.print_json = broken\n"
        "main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "validate-spec", "none", "--json"], capture_output=True, check=False
    )

    said = done.stderr.decode()
    assert done.returncode == 1
    assert "Traceback" in said
    assert r"RuntimeError: a\x1b]0;PWNED\x07 [/billing]" in said
    assert not CANNOT_BE_RAW.search(said)


def test_on_a_real_terminal_only_styles_are_written(spec: Path) -> None:
    controller, terminal = pty.openpty()
    child = subprocess.Popen(
        command_line("prepare-training", str(spec)),
        cwd=spec.parent,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"},
    )
    os.close(terminal)
    said = b""
    try:
        while chunk := os.read(controller, 65_536):
            said += chunk
    except OSError:  # how Linux says that no process has the terminal any more
        pass
    finally:
        os.close(controller)
        assert child.wait() == 0, said

    assert b"\x1b[" in said, "there are styles"
    assert not CANNOT_BE_RAW.search(STYLES.sub("", said.decode()))


# --- nobody goes around it ---


PRINTED_AS_IT_IS = {
    "cli/output.py": {"echo"},  # JSON
    "nightsort_airflow/doctor/command.py": {"print"},  # JSON
    "nightsort_airflow/doctor/deployed_code.py": set(),
    "nightsort_local/cli.py": {"echo"},  # exports, quoted for the shell
    "nightsort_local/supervisord.py": {"print"},  # an exit code
    "nightsort_local/local_aws/__main__.py": {"print"},  # through one_line
    "nightsort_local/local_aws/server.py": {"print"},  # its own address
}


def test_commands_print_through_the_terminal_alone() -> None:
    for folder in ("include/nightsort", "plugins/nightsort_airflow", "nightsort_local"):
        for path in (PROJECT / folder).rglob("*.py"):
            name = path.relative_to(PROJECT).as_posix()
            allowed = next((may for end, may in PRINTED_AS_IT_IS.items() if name.endswith(end)), set())
            called = {
                name_of(node.func)
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call)
            }
            assert called & {"print", "typer.echo", "typer.secho", "click.echo", "Console"} <= {
                *(f"typer.{way}" if way == "echo" else way for way in allowed)
            }, name


def name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""
