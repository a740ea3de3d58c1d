"""The command line: ``zsavs segment|compare|eval|calibrate|demo|list|download|doctor``, also ``python -m zsavs``.

Exit codes: 0 done, 1 the input or the run failed (one line on stderr says why), 2 wrong usage, 130 interrupted.
Answers go to stdout, progress and warnings to stderr. Nothing heavy is imported before the arguments are parsed.
"""

from __future__ import annotations

import argparse
import errno
import gc
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsavs.cli import commands
from zsavs.errors import UnknownName, ZsavsError
from zsavs.version import __version__

__all__ = ["entry", "main"]

#: What writing to a full disk fails with.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_STRATEGIES_HELP = "one of 'zsavs list strategy', such as cross_modal or fused"


def entry() -> None:
    """The console script: run :func:`main` on the process's arguments and exit.

    Loading the libraries makes hundreds of thousands of objects that stay until the end. To look through them for
    garbage again and again while they are made takes a tenth of the processor time of a short command; so Python looks
    more rarely.
    """
    gc.set_threshold(100_000)
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; never raises.

    Args:
        argv: the arguments, without the program's name.
    """
    try:
        code = _run(argv)
        if sys.stdout is not None:  # here, as Python's own attempt at the exit ends in a traceback where it fails
            sys.stdout.flush()
        return code
    except UnknownName as error:
        return _complain(error, 2)
    except ZsavsError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted; what was finished is kept", 130)
    except BrokenPipeError:  # the reader of our output has gone
        _print_nothing_more()
        return 1
    except MemoryError:
        return _complain("out of memory; use a smaller image, a smaller preset or a smaller --batch-size", 1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
            _print_nothing_more()
            return _complain(f"the answer cannot be printed ({error.strerror}); free some space, or print elsewhere", 1)
        if logging.getLogger("zsavs").isEnabledFor(logging.INFO):
            traceback.print_exc()
        return _complain(
            f"unexpected {type(error).__name__}: {error} - this is a defect of zsavs, please report it with "
            f"the output of the same command with -v",
            1,
        )


def _run(argv: Sequence[str]) -> int:
    """Parse the arguments and run the command; its exit code."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has said what is wrong, or printed the help
        return int(stop.code or 0)
    if arguments.command is None:
        parser.print_help()
        return 2
    _log_to_stderr(arguments.verbose)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name need not be text; in JSON \udcff is an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    return int(arguments.run(arguments) or 0)


def _print_nothing_more() -> None:
    """Let go of what is still to be printed, which would be tried once more at the exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: object, code: int) -> int:
    line = " ".join(str(message).split())
    print(f"zsavs: {'interrupted' if code == 130 else 'error'}: {line}", file=sys.stderr)
    return code


def _log_to_stderr(verbosity: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("zsavs: %(levelname)s: %(message)s"))
    logger = logging.getLogger("zsavs")
    logger.handlers = [handler]
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)])


# ---------------------------------------------------------------------------------- arguments
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zsavs",
        description="Training-free, zero-shot audio-visual segmentation: which pixels are sounding, and what they are.",
    )
    parser.add_argument("--version", action="version", version=f"zsavs {__version__}")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice for everything")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.add_argument("-v", "--verbose", action="count", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        sub.set_defaults(run=run)
        return sub

    segment = command("segment", commands.segment, "Segment what sounds in one image.")
    _add_pair(segment)
    segment.add_argument("--strategy", "--methods", "--method", default="cross_modal", help=_STRATEGIES_HELP)
    _add_models(segment)
    segment.add_argument(
        "--out", type=_place, default="zsavs-out", metavar="DIR", help="folder for the images (%(default)s)"
    )
    segment.add_argument("--json", action="store_true", help="print the answer as JSON")

    compare = command(
        "compare", commands.compare, "Run several strategies on one image and its sound, or on several of them."
    )
    _add_pair(compare)
    compare.add_argument("more", nargs="*", metavar="IMAGE AUDIO", help="more pairs: a row each on one page")
    _add_strategies(compare)
    _add_models(compare)
    compare.add_argument(
        "--out", type=_place, default="zsavs-out", metavar="DIR", help="folder for the images (%(default)s)"
    )
    compare.add_argument("--json", action="store_true", help="print the answers as JSON")

    evaluate = command(
        "eval", commands.evaluate, "Score strategies against the masks of a data set; goes on where it was stopped."
    )
    evaluate.add_argument("--dataset", default="folder", help="a name of 'zsavs list dataset' (%(default)s)")
    evaluate.add_argument(
        "--root",
        "--test_data_path",
        type=_text,
        metavar="DIR",
        help="where the data set is; only 'orchestra' comes with zsavs",
    )
    evaluate.add_argument("--split", help="which part of it; the test part if left out")
    _add_options(evaluate)
    _add_strategies(evaluate)
    evaluate.add_argument(
        "--suite",
        action="append",
        metavar="NAME",
        help="metric suite beside J and F at 0.5; the data set's own if left out",
    )
    _add_models(evaluate)
    evaluate.add_argument(
        "--out", type=_place, metavar="RUN", help="folder that the run is kept in; nothing is kept without it"
    )
    evaluate.add_argument("--limit", type=_positive, metavar="N", help="only the first N items")
    evaluate.add_argument("--batch-size", type=_positive, default=8, metavar="N", help="items at once (%(default)s)")
    evaluate.add_argument(
        "--smooth",
        type=float,
        default=0.0,
        metavar="S",
        help="smooth over the frames of a video, 0 to below 1; 0 is off",
    )
    evaluate.add_argument("--shard", type=_shard, default=(0, 1), metavar="I/N", help="only the I-th of N parts")
    evaluate.add_argument("--no-ablations", action="store_true", help="leave out silent and shuffled sound")
    evaluate.add_argument(
        "--save-visuals",
        type=_not_negative,
        default=0,
        metavar="N",
        help="images of N best and N worst items, in the folder of --out",
    )
    evaluate.add_argument(
        "--retry-failed", action="store_true", help="try items again that failed when the run of --out was begun"
    )
    evaluate.add_argument("--json", action="store_true", help="print the report as JSON")

    calibrate = command(
        "calibrate",
        commands.calibrate,
        "Learn what is usual in your own recordings and images, without labels, for use with --bank.",
    )
    calibrate.add_argument("--audio", type=_text, metavar="DIR", help="recordings, also in folders below it")
    calibrate.add_argument("--images", type=_text, metavar="DIR", help="images, also in folders below it")
    calibrate.add_argument(
        "--out", type=_place, default="zsavs-bank", metavar="DIR", help="folder for the bank (%(default)s)"
    )
    calibrate.add_argument(
        "--limit", type=_positive, default=2000, metavar="N", help="the most files of each kind (%(default)s)"
    )
    _add_preset(calibrate)

    merge = command(
        "merge", commands.merge, "Put the shards of one evaluation together, with the images that they have drawn."
    )
    merge.add_argument("runs", nargs="+", metavar="RUN", help="folders of the shards")
    merge.add_argument("--out", type=_place, required=True, metavar="RUN", help="folder of the whole")

    data = command("data", commands.data, "Check that a data set is where and what it should be, before a long run.")
    data.add_argument("what", choices=["check"])
    data.add_argument("name", metavar="NAME", help="a name of 'zsavs list dataset'")
    data.add_argument("root", nargs="?", metavar="ROOT", help="where the data set is, unless it comes with zsavs")
    data.add_argument("--split", help="which part of it; all parts if left out")
    _add_options(data)
    data.add_argument("--decode", action="store_true", help="read every item too, and count empty targets")
    data.add_argument("--json", action="store_true", help="print as JSON")

    demo = command("demo", commands.demo, "Show the strategies at work; needs no network.")
    demo.add_argument(
        "--out", type=_place, default="zsavs-demo", metavar="DIR", help="folder for the page (%(default)s)"
    )

    listing = command("list", commands.list_, "List strategies, presets, components and vocabularies.")
    listing.add_argument("kind", nargs="?", help="strategy, preset, vocabulary or a role such as grounder")
    listing.add_argument("--json", action="store_true", help="print as JSON")

    download = command("download", commands.download, "Fetch the weights of a preset; shows size and licence first.")
    download.add_argument("name", metavar="PRESET|REPOSITORY", help="a preset, or a hub repository org/name")
    download.add_argument("--dry-run", action="store_true", help="show size and licence, fetch nothing")
    download.add_argument(
        "--accept-license", action="store_true", help="accept non-commercial licences, which are asked about otherwise"
    )

    command("doctor", commands.doctor, "Check the installation: versions, devices, cache, presets.")
    return parser


def _add_pair(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", nargs="?", metavar="IMAGE", help="an image")
    parser.add_argument("audio", nargs="?", metavar="AUDIO", help="a recording: wav, flac, ogg or mp3")
    parser.add_argument("--img_path", metavar="IMAGE", help=argparse.SUPPRESS)
    parser.add_argument("--wav_path", metavar="AUDIO", help=argparse.SUPPRESS)
    parser.add_argument(
        "--label-set", type=_text, metavar="NAME", help="write a map of classes too: avss (71) or vpo (22)"
    )


def _add_strategies(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--strategy",
        "--methods",
        "--method",
        action="append",
        dest="strategies",
        metavar="NAME",
        help=f"{_STRATEGIES_HELP}; give it several times for several; all if left out",
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        dest="options",
        metavar="NAME=VALUE",
        help="an option of the data set, for example truth=box or target_size=224",
    )


def _add_preset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset", type=_text, help="which models; base or large, whichever is on this machine, if left out"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (%(default)s)")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16 (%(default)s)")


def _add_models(parser: argparse.ArgumentParser) -> None:
    _add_preset(parser)
    parser.add_argument(
        "--vocabulary", type=_text, metavar="FILE|NAME", help="labels to hear with: a text file, one a line; a name"
    )
    parser.add_argument(
        "--decomposition", metavar="NAME", help="take the recording apart into sources: windows, nmf or sparse"
    )
    parser.add_argument("--stereo", action="store_true", help="look where a stereo recording's sound comes from")
    parser.add_argument(
        "--bank", type=_text, metavar="DIR", help="what 'zsavs calibrate' made of your own files, to score against"
    )


def _text(text: str) -> str:
    """What must not be left empty: ``--out "$RUN"`` without such a variable would otherwise keep nothing."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _place(text: str) -> str:
    """A folder to write to: in ``--out=~/run`` the shell leaves the ~ alone."""
    try:
        return str(Path(_text(text)).expanduser())
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"there is no home for the ~ in {text!r}; name the folder whole") from error


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _not_negative(text: str) -> int:
    return _positive(text) if int(text) else 0


def _shard(text: str) -> tuple[int, int]:
    """``2/8`` is the second of eight."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError("must be I/N with I from 1 to N, for example 2/8")
    return int(part) - 1, int(parts)
