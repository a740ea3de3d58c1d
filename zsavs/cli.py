"""The command line: ``zsavs segment|compare|eval|demo|list|download|doctor``, also ``python -m zsavs``.

Exit codes: 0 done, 1 the input or the run failed (one line on stderr says why), 2 wrong usage, 130 interrupted.
Answers go to stdout, progress and warnings to stderr. Nothing heavy is imported before the arguments are parsed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsavs.errors import UnknownName, ZsavsError
from zsavs.version import __version__

__all__ = ["entry", "main"]

_STRATEGIES_HELP = "audio_to_text, cross_modal, fused, or an installed one (zsavs list strategy)"


def entry() -> None:
    """The console script: run :func:`main` on the process's arguments and exit."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; never raises.

    Args:
        argv: the arguments, without the program's name.
    """
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has said what is wrong, or printed the help
        return int(stop.code or 0)
    if arguments.command is None:
        parser.print_help()
        return 2
    _log_to_stderr(arguments.verbose)
    try:
        return int(arguments.run(arguments) or 0)
    except UnknownName as error:
        return _complain(error, 2)
    except ZsavsError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted; what was finished is kept", 130)
    except BrokenPipeError:  # the reader of our output has gone; keep the interpreter from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        return _complain("out of memory; use a smaller picture, a smaller preset or a smaller --batch-size", 1)
    except Exception as error:
        if arguments.verbose:
            traceback.print_exc()
        return _complain(
            f"unexpected {type(error).__name__}: {error} - this is a defect of zsavs, please report it with "
            f"the output of the same command with -v",
            1,
        )


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
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("-v", "--verbose", action="count", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        sub.set_defaults(run=run)
        return sub

    segment = command("segment", _segment, "Segment what sounds in one picture.")
    _add_pair(segment)
    segment.add_argument("--strategy", "--methods", "--method", default="cross_modal", help=_STRATEGIES_HELP)
    _add_models(segment)
    segment.add_argument("--out", default="zsavs-out", metavar="DIR", help="folder for the pictures (%(default)s)")
    segment.add_argument("--json", action="store_true", help="print the answer as JSON")

    compare = command("compare", _compare, "Run several strategies on one picture and its sound.")
    _add_pair(compare)
    _add_strategies(compare)
    _add_models(compare)
    compare.add_argument("--out", default="zsavs-out", metavar="DIR", help="folder for the pictures (%(default)s)")
    compare.add_argument("--json", action="store_true", help="print the answers as JSON")

    evaluate = command("eval", _eval, "Score strategies against the masks of a data set; goes on where it was stopped.")
    evaluate.add_argument("--dataset", default="folder", help="a name of 'zsavs list dataset' (%(default)s)")
    evaluate.add_argument("--root", "--test_data_path", required=True, metavar="DIR", help="where the data set is")
    evaluate.add_argument("--split", help="which part of it; the test part if left out")
    _add_strategies(evaluate)
    evaluate.add_argument(
        "--suite",
        action="append",
        metavar="NAME",
        help="metric suite beside J and F at 0.5; the data set's own if left out",
    )
    _add_models(evaluate)
    evaluate.add_argument("--out", metavar="RUN", help="folder that the run is kept in; nothing is kept without it")
    evaluate.add_argument("--limit", type=_positive, metavar="N", help="only the first N items")
    evaluate.add_argument("--batch-size", type=_positive, default=8, metavar="N", help="items at once (%(default)s)")
    evaluate.add_argument("--shard", type=_shard, default=(0, 1), metavar="I/N", help="only the I-th of N parts")
    evaluate.add_argument("--no-ablations", action="store_true", help="leave out silent and shuffled sound")
    evaluate.add_argument(
        "--save-visuals", type=int, default=0, metavar="N", help="pictures of N best and N worst items"
    )
    evaluate.add_argument("--json", action="store_true", help="print the report as JSON")

    merge = command("merge", _merge, "Put the shards of one evaluation together.")
    merge.add_argument("runs", nargs="+", metavar="RUN", help="folders of the shards")
    merge.add_argument("--out", required=True, metavar="RUN", help="folder of the whole")

    data = command("data", _data, "Check that a data set is where and what it should be, before a long run.")
    data.add_argument("what", choices=["check"])
    data.add_argument("name", metavar="NAME", help="a name of 'zsavs list dataset'")
    data.add_argument("root", metavar="ROOT", help="where the data set is")
    data.add_argument("--split", help="which part of it; all parts if left out")
    data.add_argument("--decode", action="store_true", help="read every item too, and count empty targets")
    data.add_argument("--json", action="store_true", help="print as JSON")

    demo = command("demo", _demo, "Show the strategies at work on a scene that ships with zsavs; needs no network.")
    demo.add_argument("--out", default="zsavs-demo", metavar="DIR", help="folder for the pictures (%(default)s)")

    listing = command("list", _list, "List strategies, presets, components and vocabularies.")
    listing.add_argument("kind", nargs="?", help="strategy, preset, vocabulary or a role such as grounder")
    listing.add_argument("--json", action="store_true", help="print as JSON")

    download = command("download", _download, "Fetch the weights of a preset, after showing their size and licence.")
    download.add_argument("name", metavar="PRESET|REPOSITORY", help="a preset, or a hub repository org/name")
    download.add_argument("--dry-run", action="store_true", help="show size and licence, fetch nothing")

    command("doctor", _doctor, "Check the installation: versions, devices, cache, presets.")
    return parser


def _add_pair(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", nargs="?", metavar="IMAGE", help="a picture")
    parser.add_argument("audio", nargs="?", metavar="AUDIO", help="a recording: wav, flac, ogg or mp3")
    parser.add_argument("--img_path", metavar="IMAGE", help=argparse.SUPPRESS)
    parser.add_argument("--wav_path", metavar="AUDIO", help=argparse.SUPPRESS)


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


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", help="which models; base or large, whichever is on this machine, if left out")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (%(default)s)")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16 (%(default)s)")
    parser.add_argument(
        "--vocabulary", metavar="FILE|NAME", help="labels to hear with: a text file, one a line; a name"
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _shard(text: str) -> tuple[int, int]:
    """``2/8`` is the second of eight."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError("must be I/N with I from 1 to N, for example 2/8")
    return int(part) - 1, int(parts)


# ----------------------------------------------------------------------------------- commands
def _segment(arguments: argparse.Namespace) -> int:
    arguments.strategies = [arguments.strategy]
    return _compare(arguments)


def _compare(arguments: argparse.Namespace) -> int:
    from zsavs.build import build_pipeline
    from zsavs.registry import list_components
    from zsavs.types import AVSample

    image, audio = arguments.image or arguments.img_path, arguments.audio or arguments.wav_path
    if not image or not audio:
        print("zsavs: error: give a picture and a recording: zsavs segment IMAGE AUDIO", file=sys.stderr)
        return 2
    sample = AVSample.from_files(image, audio)
    names = list(dict.fromkeys(arguments.strategies or list_components("strategy")))
    preset = arguments.preset or _preset_here()
    answers = {}
    with _bar(2 * len(names), "loading models") as bar:
        for name in names:
            pipe = build_pipeline(name, preset, arguments.device, arguments.dtype, arguments.vocabulary)
            bar.update()
            bar.set_description(f"running {name}")
            stem = Path(image).stem if len(names) == 1 else f"{Path(image).stem}_{name}"
            answers[name] = _write(pipe(sample), sample, arguments.out, stem, f"{name} · {preset}")
            bar.update()
    sheet = _write_sheet(answers, Path(arguments.out) / f"{Path(image).stem}_compare.png") if len(names) > 1 else None
    if arguments.json:
        print(json.dumps(answers[names[0]] if arguments.command == "segment" else answers, ensure_ascii=False))
        return 0
    for name, answer in answers.items():
        print(f"{name} ({preset})")
        for line in _describe(answer):
            print(f"  {line}")
    if sheet is not None:
        print(f"side by side: {sheet}")
    return 0


def _write_sheet(answers: dict[str, dict[str, Any]], path: Path) -> Path:
    """Put the cards of all strategies on one page."""
    from PIL import Image

    from zsavs import draw
    from zsavs.files import write_atomically

    cards = [Image.open(answer["files"]["card"]).convert("RGB") for answer in answers.values()]
    page = draw.contact_sheet(cards)
    write_atomically(path, lambda file: page.save(file, format="PNG"))
    return path


def _write(result: Any, sample: Any, folder: str, stem: str, title: str) -> dict[str, Any]:
    """Write a result's files and its card; return what to tell about it."""
    from zsavs.files import write_atomically

    picture = result.card(sample.audio, title)
    files = {"card": Path(folder) / f"{stem}_card.png", **result.save(folder, stem)}
    write_atomically(files["card"], lambda file: picture.save(file, format="PNG"))
    return {
        "objects": [
            {"phrase": phrase, "score": round(float(score), 4), "box_xyxy": [float(x) for x in box], "pixels": int(n)}
            for phrase, score, box, n in zip(
                result.phrases, result.scores, result.boxes_xyxy, result.masks.sum(axis=(1, 2)), strict=True
            )
        ],
        "heard": [
            {"phrase": phrase, "weight": round(float(weight), 4)}
            for phrase, weight in zip(result.queries.phrases, result.queries.weights, strict=True)
        ],
        "timings_s": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        "files": {name: str(path) for name, path in files.items()},
    }


def _describe(answer: dict[str, Any]) -> list[str]:
    heard = ", ".join(f"{row['phrase']} {row['weight']:.2f}" for row in answer["heard"]) or "nothing it knows"
    lines = [f"heard: {heard}"]
    for row in answer["objects"]:
        x0, y0, x1, y1 = (int(x) for x in row["box_xyxy"])
        lines.append(f"found: {row['phrase']} {row['score']:.2f}, {row['pixels']} pixels in ({x0}, {y0})-({x1}, {y1})")
    if not answer["objects"]:
        lines.append("found: nothing in view is sounding")
    return [*lines, f"wrote: {answer['files']['card']} and {len(answer['files']) - 1} files beside it"]


def _eval(arguments: argparse.Namespace) -> int:
    from zsavs.evaluation import AUDIO, Plan, evaluate, table
    from zsavs.registry import list_components
    from zsavs.vocabulary import load_vocabulary

    dataset = _dataset(arguments.dataset, arguments.root, arguments.split)
    vocabulary = arguments.vocabulary
    plan = Plan(
        strategies=tuple(dict.fromkeys(arguments.strategies or list_components("strategy"))),
        preset=arguments.preset or _preset_here(),
        device=arguments.device,
        dtype=arguments.dtype,
        # The words and not their file: a run must not go on after the file has changed.
        vocabulary=None if vocabulary is None else load_vocabulary(vocabulary),
        suites=None if arguments.suite is None else tuple(dict.fromkeys(arguments.suite)),
        audio=AUDIO[:1] if arguments.no_ablations else AUDIO,
        limit=arguments.limit,
        batch_size=arguments.batch_size,
        shard=arguments.shard,
    )
    total = min(len(dataset), arguments.limit or len(dataset))
    with _bar(total, "evaluating") as bar:
        report = evaluate(dataset, plan, arguments.out, visuals=arguments.save_visuals, on_items=bar.update)
    print(json.dumps(report, ensure_ascii=False) if arguments.json else table(report))
    if not arguments.json:
        for failure in report["dataset"]["failed"][:3]:
            print(f"zsavs: warning: failed: {failure['item']}: {failure['error']}", file=sys.stderr)
        if arguments.out:
            print(f"wrote: {Path(arguments.out) / 'report.html'} and the run beside it")
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from zsavs.evaluation import merge, table

    print(table(merge(arguments.runs, arguments.out)))
    print(f"wrote: {Path(arguments.out) / 'report.html'} and the run beside it")
    return 0


def _data(arguments: argparse.Namespace) -> int:
    from zsavs.datasets.check import check
    from zsavs.registry import find_component

    options = {} if arguments.split is None else {"split": arguments.split}
    with _bar(0, "checking") as bar:
        report = check(
            find_component("dataset", arguments.name),
            arguments.root,
            decode=arguments.decode,
            on_item=bar.update,
            **options,
        )
    print(json.dumps(report.to_json()) if arguments.json else report)
    return 0 if report.ok else 1


def _dataset(name: str, root: str, split: str | None) -> Any:
    from zsavs.registry import find_component

    return find_component("dataset", name)(root, **({} if split is None else {"split": split}))


def _demo(arguments: argparse.Namespace) -> int:
    from zsavs.demo import run

    for line in run(Path(arguments.out)):
        print(line)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from zsavs.presets import PRESETS, preset_cards
    from zsavs.registry import ROLES, list_components

    kinds = [arguments.kind] if arguments.kind else ["strategy", "preset", *ROLES, "dataset", "vocabulary"]
    known = {kind: list_components(kind) for kind in kinds}
    if arguments.json:
        print(json.dumps(known))
        return 0
    for kind, names in known.items():
        print(f"{kind}: {', '.join(names)}")
        for name in names if kind == "preset" else ():
            print(f"  {name}: {PRESETS[name].summary}")
            for role, card in preset_cards(name).items():
                print(f"    {role}: {card.source}, {card.size_mb} MB, {card.licence}")
    return 0


def _download(arguments: argparse.Namespace) -> int:
    from zsavs.presets import PRESETS, find_preset, preset_cards
    from zsavs.weights import WeightCard, download

    if "/" in arguments.name:
        known = {card.source: card for name in PRESETS for card in preset_cards(name).values()}
        unknown = WeightCard(arguments.name, "not known to zsavs, see the repository", 0, "unknown", verified="no card")
        cards = [known.get(arguments.name, unknown)]
    else:
        find_preset(arguments.name)
        cards = list({card.source: card for card in preset_cards(arguments.name).values()}.values())
    if not cards:
        print(f"{arguments.name}: nothing to fetch, it has no weights")
    else:
        print(f"{arguments.name}: {len(cards)} checkpoints, about {sum(card.size_mb for card in cards)} MB in all")
    for card in cards:
        if arguments.dry_run:
            print(f"{card.source} (revision {card.revision}): {card.size_mb} MB, {card.licence} ({card.verified})")
        else:
            print(f"  in {download(card)}")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from zsavs.doctor import examine

    healthy, lines = examine()
    for line in lines:
        print(line)
    return 0 if healthy else 1


def _preset_here() -> str:
    """The first of the standard presets whose weights are all on this machine.

    Raises:
        MissingWeights: none is; says what to fetch.
    """
    from zsavs.presets import first_preset_here

    name = first_preset_here(("base", "large"))
    print(f"zsavs: using preset {name}", file=sys.stderr)
    return name


def _bar(total: int, what: str) -> Any:
    """A progress bar on stderr for whatever takes over two seconds; silent where stderr is not a terminal."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, delay=2, disable=None, leave=False)
