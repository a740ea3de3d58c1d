"""The commands, in the order and the groups of the help, each with an example that ends its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from zsavs.cli import console, options
from zsavs.cli.commands.app import app as serve_page
from zsavs.cli.commands.calibrate import calibrate
from zsavs.cli.commands.compare import compare
from zsavs.cli.commands.data import data
from zsavs.cli.commands.demo import demo
from zsavs.cli.commands.doctor import doctor
from zsavs.cli.commands.download import download
from zsavs.cli.commands.evaluate import evaluate
from zsavs.cli.commands.export import export
from zsavs.cli.commands.label import label
from zsavs.cli.commands.list import list_names
from zsavs.cli.commands.merge import merge
from zsavs.cli.commands.profile import profile
from zsavs.cli.commands.segment import segment
from zsavs.cli.commands.verify import verify
from zsavs.version import __version__

__all__ = ["EXAMPLES", "commands", "run"]

_ANSWERS, _LABELS = "One image with its audio", "Many of them"
_SCORES, _SETUP = "Data sets", "Models and installation"

#: Each command by its name: what it runs, the group that it stands in, and an example.
_COMMANDS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "segment": (segment, _ANSWERS, "zsavs segment dog.jpg bark.wav --strategy cross_modal"),
    "compare": (compare, _ANSWERS, "zsavs compare dog.jpg bark.wav --strategy fused --strategy cross_modal"),
    "demo": (demo, _ANSWERS, "zsavs demo --out zsavs-demo"),
    "app": (serve_page, _ANSWERS, "zsavs app --open"),
    "export": (export, _ANSWERS, "zsavs export zsavs-out --to coco --out coco"),
    "label": (label, _LABELS, "zsavs label clips --out labels --preset pocket"),
    "eval": (evaluate, _SCORES, "zsavs eval --dataset orchestra --preset nano --limit 10 --out run"),
    "merge": (merge, _SCORES, "zsavs merge run-1 run-2 --out run"),
    "data": (data, _SCORES, "zsavs data check orchestra --decode"),
    "calibrate": (calibrate, _SETUP, "zsavs calibrate --audio recordings --images images --out bank"),
    "list": (list_names, _SETUP, "zsavs list preset"),
    "download": (download, _SETUP, "zsavs download base --dry-run"),
    "doctor": (doctor, _SETUP, "zsavs doctor --deep --preset nano"),
    "profile": (profile, _SETUP, "zsavs profile dog.jpg bark.wav --preset base"),
    "verify": (verify, _SETUP, "zsavs verify pocket --out verified.md"),
}
_CONTEXT = {"help_option_names": ["-h", "--help"]}
#: An example of each command that can be typed as it is.
EXAMPLES = {name: example for name, (_, _, example) in _COMMANDS.items()}


def run(argv: Sequence[str]) -> int:
    """Run one command; its exit code.

    Neither the app nor its ``main`` is called for that: they would replace ``sys.excepthook``, and end on Ctrl-C
    without a word.

    Args:
        argv: the arguments, without the program's name.
    """
    group = commands()
    if os.environ.get("_ZSAVS_COMPLETE"):  # the shell asks how a word could go on
        group.main([], prog_name="zsavs")
    command: Any = group
    name, words = "zsavs", list(argv)
    if words and words[0] in group.commands:  # with no options before it, there is nothing for the group to read
        command, name, words = group.commands[words[0]], f"zsavs {words[0]}", words[1:]
    try:
        with command.make_context(name, words) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except TyperException as error:
        return console.complain(_usage(error), error.exit_code)


def commands() -> TyperGroup:
    """The commands with all their options, as Typer reads them."""
    app = typer.Typer(
        name="zsavs",
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )
    app.callback(invoke_without_command=True)(_zsavs)
    for name, (function, panel, example) in _COMMANDS.items():
        epilog = f"[bold]Example:[/] {example}"
        app.command(name, epilog=epilog, rich_help_panel=panel, context_settings=_CONTEXT)(function)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def _print_version(asked: bool) -> None:
    if asked:
        console.answer(f"zsavs {__version__}")
        raise typer.Exit


def _zsavs(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", metavar="", is_eager=True, callback=_print_version, help="print the version")
    ] = False,
    verbose: options.Verbose = 0,
) -> int:
    """Training-free, zero-shot audio-visual segmentation: which pixels are sounding, and what they are."""
    if context.invoked_subcommand is not None:
        return 0
    console.answer(context.get_help())
    return 2


def _usage(error: TyperException) -> str:
    """What is wrong with the words of a command, in one line: the argument, the near names, where the help is."""
    said = error.format_message().rstrip(".")
    if isinstance(error, typer.BadParameter) and error.message:
        where = error.param_hint or (_name(error.param) if error.param else None)
        said = f"{where}: {error.message}" if where else error.message
    near = getattr(error, "possibilities", None)
    if near:
        said = f"{error.message}; did you mean {' or '.join(sorted(near))}?"
    context = getattr(error, "ctx", None)
    if context is None:
        return said
    return f"{said}{'' if said.endswith('?') else '.'} See: {context.command_path} --help"


def _name(parameter: Any) -> str:
    """What a parameter is called on the command line."""
    return str(parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar)
