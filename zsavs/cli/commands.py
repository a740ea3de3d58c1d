"""What each command of the command line does; everything heavy is imported when its command runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from zsavs.cli.output import add_labels, describe, stems, write_answer, write_sheet

__all__ = ["calibrate", "compare", "data", "demo", "doctor", "download", "evaluate", "list_", "merge", "segment"]


def segment(arguments: argparse.Namespace) -> int:
    """``zsavs segment``: one strategy on one image and its sound."""
    arguments.strategies, arguments.more = [arguments.strategy], []
    return compare(arguments)


def compare(arguments: argparse.Namespace) -> int:
    """``zsavs compare``: several strategies on one image and its sound, or on several of them."""
    from zsavs.build import build_pipeline
    from zsavs.language.label_sets import label_set
    from zsavs.types import AVSample

    if (arguments.image and arguments.img_path) or (arguments.audio and arguments.wav_path):
        print("zsavs: error: give IMAGE AUDIO, or --img_path IMAGE --wav_path AUDIO, and not both", file=sys.stderr)
        return 2
    image, audio = arguments.image or arguments.img_path, arguments.audio or arguments.wav_path
    if not image or not audio:
        print(f"zsavs: error: give an image and a recording: zsavs {arguments.command} IMAGE AUDIO", file=sys.stderr)
        return 2
    if len(arguments.more) % 2:
        print(f"zsavs: error: {arguments.more[-1]}: an image without a recording; give both of each", file=sys.stderr)
        return 2
    if arguments.label_set:
        label_set(arguments.label_set)  # refused before anything is computed
    pairs = [(image, audio), *zip(arguments.more[::2], arguments.more[1::2], strict=True)]
    samples = [AVSample.from_files(*pair) for pair in pairs]
    starts = stems([path for path, _ in pairs])
    preset = arguments.preset or _preset_here()
    names = _strategies(arguments.strategies, preset)
    answers: list[dict[str, Any]] = [{} for _ in pairs]  # of each pair, by strategy
    with _bar(len(names) * (1 + len(pairs)), "loading models") as bar:
        for name in names:
            pipe = build_pipeline(
                name,
                preset,
                arguments.device,
                arguments.dtype,
                arguments.vocabulary,
                arguments.bank,
                arguments.decomposition,
                arguments.stereo,
            )
            bar.update()
            bar.set_description(f"running {name}")
            for sample, own, given in zip(samples, answers, starts, strict=True):
                stem = given if len(names) == 1 else f"{given}_{name}"
                result = pipe(sample)
                own[name] = write_answer(result, sample, arguments.out, stem, f"{name} · {preset}")
                if arguments.label_set:
                    add_labels(own[name], result, pipe.verifier, arguments.label_set, arguments.out, stem)
                bar.update()
    sheet = None
    if len(pairs) > 1:
        sheet = write_sheet(answers, Path(arguments.out) / "compare.png", columns=len(names))
    elif len(names) > 1:
        sheet = write_sheet(answers, Path(arguments.out) / f"{starts[0]}_compare.png")
    if arguments.json:
        _print_json(arguments.command, pairs, answers)
        return 0
    for pair, own in zip(pairs, answers, strict=True):
        if len(pairs) > 1:
            print(" + ".join(pair))
        for name, answer in own.items():
            print(f"{name} ({preset})")
            for line in describe(answer):
                print(f"  {line}")
    if sheet is not None:
        print(f"side by side: {sheet}")
    return 0


def _print_json(command: str, pairs: list[tuple[str, str]], answers: list[dict[str, Any]]) -> None:
    """One strategy's answer, those of all strategies to one pair, or a list of such with their files."""
    told: Any = answers[0]
    if command == "segment":
        (told,) = answers[0].values()
    elif len(pairs) > 1:
        told = [{"image": i, "audio": a, "answers": own} for (i, a), own in zip(pairs, answers, strict=True)]
    print(json.dumps(told, ensure_ascii=False))


def _strategies(asked: list[str] | None, preset: str) -> list[str]:
    """The strategies that were asked for, each once; else all that the preset has the parts for."""
    from zsavs.build import missing_roles
    from zsavs.registry import list_components

    names = list(dict.fromkeys(asked or list_components("strategy")))
    missing = {} if asked else {name: roles for name in names if (roles := missing_roles(name, preset))}
    for name, roles in missing.items():
        print(f"zsavs: left out {name}: the preset {preset!r} has no {' and no '.join(roles)}", file=sys.stderr)
    return [name for name in names if name not in missing]


def evaluate(arguments: argparse.Namespace) -> int:
    """``zsavs eval``: strategies on a data set."""
    from zsavs.evaluation import Plan
    from zsavs.evaluation import evaluate as run
    from zsavs.evaluation.plan import AUDIO
    from zsavs.evaluation.summary import table
    from zsavs.language.vocabulary import load_vocabulary

    dataset = _dataset(arguments.dataset, arguments.root, arguments.split, arguments.options)
    if dataset is None:
        print(f"zsavs: error: say where the data set {arguments.dataset!r} is: --root DIR", file=sys.stderr)
        return 2
    if arguments.save_visuals and not arguments.out:
        print("zsavs: error: say where the images go: --save-visuals N --out RUN", file=sys.stderr)
        return 2
    if arguments.retry_failed and not arguments.out:
        print("zsavs: error: say which run to go on with: --retry-failed --out RUN", file=sys.stderr)
        return 2
    vocabulary = arguments.vocabulary
    preset = arguments.preset or _preset_here()
    plan = Plan(
        strategies=tuple(_strategies(arguments.strategies, preset)),
        preset=preset,
        device=arguments.device,
        dtype=arguments.dtype,
        # The words and not their file: a run must not go on after the file has changed.
        vocabulary=None if vocabulary is None else load_vocabulary(vocabulary),
        suites=None if arguments.suite is None else tuple(dict.fromkeys(arguments.suite)),
        audio=AUDIO[:1] if arguments.no_ablations else AUDIO,
        bank=arguments.bank,
        limit=arguments.limit,
        batch_size=arguments.batch_size,
        smooth=arguments.smooth,
        shard=arguments.shard,
        decomposition=arguments.decomposition,
        stereo=arguments.stereo,
    )
    total = min(len(dataset), arguments.limit or len(dataset))
    with _bar(total, "evaluating") as bar:
        report = run(
            dataset,
            plan,
            arguments.out,
            visuals=arguments.save_visuals,
            retry_failed=arguments.retry_failed,
            on_items=bar.update,
        )
    print(json.dumps(report, ensure_ascii=False) if arguments.json else table(report))
    if report["dataset"]["failed"]:
        _say_failed(report["dataset"], arguments.out)
    if arguments.out and not arguments.json:
        print(f"wrote: {Path(arguments.out) / 'report.html'} and the run beside it")
    return 0


def _say_failed(dataset: dict[str, Any], out: str | None) -> None:
    """How many items failed, the first of them, where all are listed, and how to try them again."""
    failed = dataset["failed"]
    for failure in failed[:3]:
        print(f"zsavs: warning: failed: {failure['item']}: {failure['error']}", file=sys.stderr)
    where = "--json and --out RUN list them all"
    if out:
        where = f"{Path(out) / 'report.html'} lists them all; --retry-failed in the same command tries them again"
    print(
        f"zsavs: warning: {len(failed)} of {dataset['items']} items failed and count nowhere; {where}", file=sys.stderr
    )


def calibrate(arguments: argparse.Namespace) -> int:
    """``zsavs calibrate``: what is usual in the user's own files."""
    from tqdm import tqdm

    from zsavs.build import build_encoders
    from zsavs.calibration.make_bank import make_banks

    if not arguments.audio and not arguments.images:
        print("zsavs: error: give your own files: --audio DIR, --images DIR, or both", file=sys.stderr)
        return 2
    preset = arguments.preset or _preset_here()

    def report(path: Path, reason: str) -> None:
        tqdm.write(f"zsavs: left out: {reason if str(path) in reason else f'{path}: {reason}'}", file=sys.stderr)

    try:
        with _bar(0, "embedding") as bar:
            banks = make_banks(
                lambda: build_encoders(preset, arguments.device, arguments.dtype),
                arguments.out,
                audio=arguments.audio,
                images=arguments.images,
                limit=arguments.limit,
                on_start=bar.reset,
                on_item=bar.update,
                on_skip=report,
            )
    except KeyboardInterrupt:
        print(f"zsavs: interrupted: {arguments.out} is as it was before, no bank was written", file=sys.stderr)
        return 130
    for bank in banks:
        print(f"{bank.space}: {bank.source}")
    print(f"wrote: {arguments.out}; use it with: zsavs segment IMAGE AUDIO --preset {preset} --bank {arguments.out}")
    return 0


def merge(arguments: argparse.Namespace) -> int:
    """``zsavs merge``: the shards of one evaluation."""
    from zsavs.evaluation import merge as put_together
    from zsavs.evaluation.summary import table

    print(table(put_together(arguments.runs, arguments.out)))
    print(f"wrote: {Path(arguments.out) / 'report.html'} and the run beside it")
    return 0


def data(arguments: argparse.Namespace) -> int:
    """``zsavs data check``: whether a data set is complete."""
    from zsavs.datasets.check import check
    from zsavs.registry import find_component

    reader = find_component("dataset", arguments.name)
    root = arguments.root or getattr(reader, "shipped", None)
    if root is None:
        print(f"zsavs: error: say where it is: zsavs data check {arguments.name} ROOT", file=sys.stderr)
        return 2
    options = _options(reader, arguments.split, arguments.options)
    with _bar(0, "checking") as bar:
        report = check(reader, root, decode=arguments.decode, on_item=bar.update, **options)
    print(json.dumps(report.to_json()) if arguments.json else report)
    return 0 if report.ok else 1


def _dataset(name: str, root: str | None, split: str | None, given: list[str]) -> Any:
    """The data set; None where its root is needed and was not given."""
    from zsavs.registry import find_component

    reader = find_component("dataset", name)
    if root is None and getattr(reader, "shipped", None) is None:
        return None
    return reader(root, **_options(reader, split, given))


def _options(reader: Any, split: str | None, given: list[str]) -> dict[str, Any]:
    """What a data set is opened with beside its root, from texts NAME=VALUE.

    Raises:
        UnknownName: the data set has no such option.
        InputError: no value, or one of another kind than the option's.
    """
    from zsavs.errors import InputError, UnknownName

    options: dict[str, Any] = {} if split is None else {"split": split}
    known = reader.known_options() if hasattr(reader, "known_options") else {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise InputError(f"--option {text}: expected NAME=VALUE, for example target_size=224.")
        if name not in known:
            raise UnknownName(f"option of the data set {reader.name!r}", name, known)
        try:
            options[name] = _option(known[name], value)
        except (ValueError, KeyError):
            raise InputError(f"--option {text}: the value must be of the kind {known[name]}.") from None
    return options


def _option(kind: str, text: str) -> Any:
    """A value from its text; ValueError or KeyError where it is not of that kind."""
    if "None" in kind and text.lower() == "none":
        return None
    if kind.startswith("bool"):
        return {"true": True, "false": False}[text.lower()]
    if kind.startswith("int"):
        return int(text)
    if kind.startswith("float"):
        return float(text)
    return tuple(text.split(",")) if kind.startswith("Sequence") else text


def demo(arguments: argparse.Namespace) -> int:
    """``zsavs demo``: a page to look at and to listen to."""
    from zsavs.cli.demo import run

    for line in run(Path(arguments.out)):
        print(line)
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """``zsavs list``: every name."""
    from zsavs.build.availability import preset_cards
    from zsavs.presets import PRESETS
    from zsavs.registry import ROLES, list_components

    everything = ["strategy", "preset", *ROLES, "decomposition", "dataset", "vocabulary"]
    kinds = [arguments.kind] if arguments.kind else everything
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


def download(arguments: argparse.Namespace) -> int:
    """``zsavs download``: the only thing that fetches."""
    from zsavs.build.availability import preset_cards
    from zsavs.models.whisper_captioner import CARDS
    from zsavs.presets import PRESETS, find_preset
    from zsavs.storage.weights import WeightCard, download

    if "/" in arguments.name:
        # Those of a component that no preset has, beside the presets'.
        known = {**CARDS, **{card.source: card for name in PRESETS for card in preset_cards(name).values()}}
        unknown = WeightCard(arguments.name, "not known to zsavs, see the repository", 0, "unknown", verified="no card")
        cards = [known.get(arguments.name, unknown)]
    else:
        find_preset(arguments.name)
        cards = list({card.source: card for card in preset_cards(arguments.name).values()}.values())
    if not cards:
        print(f"{arguments.name}: nothing to fetch, it has no weights")
    else:
        print(f"{arguments.name}: {len(cards)} checkpoints, about {sum(card.size_mb for card in cards)} MB in all")
    if arguments.dry_run:
        for card in cards:
            print(f"{card.source} (revision {card.revision}): {card.size_mb} MB, {card.licence} ({card.verified})")
        return 0
    accepted = arguments.accept_license or _accepts([card for card in cards if card.is_restricted])
    for card in sorted(cards, key=lambda card: not card.is_restricted):  # refused before anything is fetched
        print(f"  in {download(card, accept_license=accepted)}")
    return 0


def _accepts(cards: list[Any]) -> bool:
    """Ask on a terminal whether the user accepts non-commercial licences; without one the answer is no."""
    if not cards or not sys.stdin.isatty():
        return False
    for card in cards:
        print(f"{card.source} has the licence {card.licence}: NON-COMMERCIAL use only ({card.verified}).")
    return input("Do you accept it? Type yes to go on: ").strip().lower() == "yes"


def doctor(_: argparse.Namespace) -> int:
    """``zsavs doctor``: the installation."""
    from zsavs.cli.doctor import examine

    healthy, lines = examine()
    for line in lines:
        print(line)
    return 0 if healthy else 1


def _preset_here() -> str:
    """The first of the standard presets whose weights are all on this machine; nano's always are."""
    from zsavs.build.availability import first_preset_here

    name = first_preset_here(("base", "large", "nano"))
    print(f"zsavs: using preset {name}", file=sys.stderr)
    return name


def _bar(total: int, what: str) -> Any:
    """A progress bar on stderr for whatever takes over two seconds; silent where stderr is not a terminal."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, delay=2, disable=None, leave=False)
