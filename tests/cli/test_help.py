"""The help of every command, and what the shell completes."""

from __future__ import annotations

import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from warm_process import run_warm

import zsavs
from zsavs.cli.app import EXAMPLES, commands
from zsavs.cli.main import main
from zsavs.registry import ROLES

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(EXAMPLES)


def _zsavs(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "zsavs", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_every_command_has_a_help_that_ends_with_an_example(
    command: str, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", None)  # as it is where nobody asks for colour everywhere
    monkeypatch.setenv("COLUMNS", "120")
    assert main([command, word]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.strip().splitlines()[-1].strip() == f"Example: {EXAMPLES[command]}"
    assert "\x1b" not in said.out, "colour is for a terminal"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_is_understood(command: str) -> None:
    program, name, *words = shlex.split(EXAMPLES[command])
    assert (program, name) == ("zsavs", command)
    commands().commands[name].make_context(name, words)  # raises on a word that it does not know


@pytest.mark.parametrize("command", ["data", "list", "download"])
def test_an_example_that_needs_nothing_of_the_users_runs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(EXAMPLES[command])[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_is_and_every_default_is_shown(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([command, "--help"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    for option in commands().commands[command].params:
        if not getattr(option, "hidden", False):
            assert option.help
            (line,) = [line for line in lines if re.match(rf"│[ *]*{re.escape(_name(option))}[ ,]", line)]
            if option.default and option.default is not True:
                assert f"[default: {option.default}]" in line


def _name(parameter: Any) -> str:
    """What its line begins with: the first long spelling of an option, or what stands for an argument."""
    return str(next((word for word in parameter.opts if word.startswith("--")), parameter.metavar))


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(re.search(rf" {command} ", said) for command in COMMANDS)


@pytest.mark.parametrize("words", [["--help"], ["segment", "--help"]])
def test_help_loads_no_torch(words: list[str]) -> None:
    done = _zsavs(*words)
    assert "segment" in done.stdout
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "transformers", "numpy", "pydantic", "PIL"}


@pytest.mark.parametrize("words", [["--help"], ["segment", "--help"]])
def test_help_takes_under_half_a_second_of_the_processor(words: list[str]) -> None:
    """At least one of several runs, and no time of the clock, as the machine may be busy."""
    run, environment = [sys.executable, "-m", "zsavs", *words], {**os.environ, "PYTHONPATH": str(ROOT)}

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(run, env=environment, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert any(seconds() < 0.5 for _ in range(5))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_the_shell_is_printed(shell: str) -> None:
    done = _zsavs(_ZSAVS_COMPLETE=f"source_{shell}")
    assert done.returncode == 0
    assert f"_ZSAVS_COMPLETE=complete_{shell}" in done.stdout


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("zsavs segment --strategy ", "strategy"),
        ("zsavs compare a.jpg b.wav --methods ", "strategy"),
        ("zsavs eval --preset ", "preset"),
        ("zsavs eval --dataset ", "dataset"),
        ("zsavs data check ", "dataset"),
        ("zsavs download ", "preset"),
        ("zsavs segment --decomposition ", "decomposition"),
        ("zsavs segment --vocabulary ", "vocabulary"),
    ],
)
def test_names_are_completed(line: str, kind: str) -> None:
    assert _completed(line) == zsavs.list_components(kind)


def test_roles_and_then_their_components_are_completed() -> None:
    assert _completed("zsavs segment --part ") == [f"{role}=" for role in ROLES]
    assert _completed("zsavs eval --part audio_c") == ["audio_captioner="]
    assert _completed("zsavs compare --part audio_captioner=w") == ["audio_captioner=whisper"]


def _completed(line: str) -> list[str]:
    """What the shell is offered; without torch."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_ZSAVS_COMPLETE": "complete_bash"}
    code = f"""
import atexit, os
os.environ |= {words!r}
sys.argv = ["zsavs"]
atexit.register(lambda: print("torch" in sys.modules, file=sys.stderr))
entry()
"""
    done = run_warm(code, imports="import sys; from zsavs.cli.app import commands; from zsavs.cli.main import entry\n")
    assert done.stderr == "False\n"
    return done.stdout.split()


def test_commands_are_completed() -> None:
    done = _zsavs(COMP_WORDS="zsavs d", COMP_CWORD="1", _ZSAVS_COMPLETE="complete_bash")
    assert sorted(done.stdout.split()) == ["data", "demo", "doctor", "download"]
