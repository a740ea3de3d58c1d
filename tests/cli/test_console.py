"""What a person at a terminal sees beside the answer, and nobody else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zsavs.cli import console

ROOT = Path(__file__).parents[2]
#: A terminal that shows colour, and nobody who asked for it everywhere.
_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS")
} | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
SLOW = """
import sys, time
from zsavs.cli import console
console._DELAY_S = 0.1
with console.progress("thinking", 4) as bar:
    for _ in range(4):
        time.sleep({seconds})
        bar.advance()
    console.say("left out: a [file]")
    print("the answer")
"""


def _at_a_terminal(code: str, **environment: str) -> tuple[str, str]:
    """Run it with stderr at a terminal: what stdout and the terminal got."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**_ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        out = process.stdout.read()
    seen = b""
    while True:
        try:
            seen += os.read(ours, 1 << 16)
        except OSError:  # the terminal has gone with its last process
            break
    os.close(ours)
    assert process.returncode == 0, seen.decode()
    return out, seen.decode()


def test_a_long_command_shows_a_bar_and_the_answer_goes_to_stdout() -> None:
    out, seen = _at_a_terminal(SLOW.format(seconds=0.2))
    assert out == "the answer\n"
    assert "thinking" in seen
    assert "/4" in seen
    assert "zsavs: left out: a [file]" in seen


def test_a_short_command_shows_none() -> None:
    out, seen = _at_a_terminal(SLOW.format(seconds=0.0))
    assert out == "the answer\n"
    assert "thinking" not in seen


def test_where_nobody_looks_on_no_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("thinking") as bar:
        bar.begin(3)
        bar.describe("still thinking")
        bar.advance(2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_table_has_colour_at_a_terminal_unless_it_is_not_wanted(setting: dict[str, str], coloured: bool) -> None:
    code = "import sys; sys.stdout = sys.stderr; from zsavs.cli import console; console.table({'a': 'red'}, [['[b]']])"
    _, seen = _at_a_terminal(code, **setting)
    assert "[b]" in seen
    assert ("\x1b[31m" in seen) == coloured


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_the_help_has_colour_at_a_terminal_unless_it_is_not_wanted(setting: dict[str, str], coloured: bool) -> None:
    code = "import sys; sys.stdout = sys.stderr; from zsavs.cli.main import main; main(['segment', '--help'])"
    _, seen = _at_a_terminal(code, **setting)
    assert "--strategy" in re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert ("\x1b[1;36m" in seen) == coloured
