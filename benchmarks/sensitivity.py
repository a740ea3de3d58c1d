"""What each parameter of a strategy does, and what its stages cost, on the orchestra: the numbers of docs/strategies.

    python benchmarks/sensitivity.py --strategy fused             # prints the section
    python benchmarks/sensitivity.py --strategy fused --write     # and puts it into docs/strategies/fused.md
    python benchmarks/sensitivity.py --write                      # all pages

Each parameter is moved by itself, the others stay as the preset has them. J is the mean over all scenes in which
something in view sounds, FP the wrongly marked share of the frame in the others, both in percent. The scenes are those
that come with zsavs, on which nothing is tuned; choose settings on others (--root).
"""

from __future__ import annotations

import argparse
import inspect
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import zsavs
from zsavs.build import strategies_of
from zsavs.datasets.orchestra import Orchestra
from zsavs.errors import UnknownName, ZsavsError
from zsavs.metrics.functional import false_positive_share, jaccard
from zsavs.pipeline import Pipeline
from zsavs.registry import ROLES, find_component
from zsavs.storage.files import write_atomically

PAGES = Path(__file__).resolve().parents[1] / "docs" / "strategies"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

_HEARD = {"min_z": (0.5, 1.0, 1.7, 2.5, 4.0), "max_gap": (0.5, 1.0, 2.0, 4.0, 8.0), "top_k": (1, 2, 3, 5)}

#: Of each strategy the parameters worth moving, and where to.
SWEEPS: dict[str, Mapping[str, Sequence[Any]]] = {
    "audio_to_text": _HEARD,
    "caption": {"top_k": (1, 2, 3, 5), "min_level_db": (-80.0, -60.0, -40.0, -20.0)},
    "classify": {"min_probability": (0.05, 0.15, 0.25, 0.5, 0.8), "top_k": (1, 2, 3, 5)},
    "cofactorization": {
        "components": (4, 6, 8, 12, 16),
        "emphasis": (0.1, 0.3, 0.5, 0.7, 1.0),
        "min_agreement": (0.0, 0.15, 0.3, 0.5, 0.7),
        "min_seen": (-1.0, 0.0, 0.5, 1.0, 2.0),
        "min_share": (0.0, 0.05, 0.1, 0.2, 0.4),
        "temperature": (0.25, 0.5, 0.75, 1.5, 3.0),
        "image_scale": (1.0, 2.0, 3.0),
        "whole": (0.0, 0.25, 0.5, 0.85, 1.0),
        "min_z": _HEARD["min_z"],
    },
    "cross_modal": _HEARD,
    "fused": {
        "variant": ("label", "embedding"),
        "alpha": (0.1, 0.3, 0.5, 0.7, 0.9),
        "min_seen": (-2.0, -1.0, 0.0, 1.0, 2.0),
        **_HEARD,
    },
    "joint_embedding": _HEARD,
    "text_bridged": {
        "attention": (0.0, 0.25, 0.5, 0.75, 1.0),
        "whole": (0.0, 0.25, 0.5, 0.75, 1.0),
        **_HEARD,
    },
    "textual_inversion": {"bound": (0.0, 0.1, 0.25, 0.5, 1.0), "steps": (0, 10, 30, 100, 300), **_HEARD},
}

_BARS = "▁▂▃▄▅▆▇█"


def default(strategy: str, parameter: str, preset: str) -> Any:
    """The default of a parameter."""
    own = zsavs.build_pipeline(strategy, preset).meta["settings"]
    return own.get(parameter, inspect.signature(find_component("strategy", strategy)).parameters[parameter].default)


def measure(pipes: Mapping[Any, Pipeline], dataset: Orchestra, batch_size: int = 8) -> dict[Any, tuple[float, float]]:
    """J and FP of each pipeline, all over one batch after the other, so that they share what is encoded."""
    scores: dict[Any, tuple[list[float], list[float]]] = {key: ([], []) for key in pipes}
    items = list(dataset)
    for start in range(0, len(items), batch_size):
        batch = items[start : start + batch_size]
        loaded = [dataset.load(item) for item in batch]
        for key, pipe in pipes.items():
            answers = pipe.batch([sample for sample, _ in loaded])
            for item, (_, target), result in zip(batch, loaded, answers, strict=True):
                if dataset.scenes[item].sources:
                    scores[key][0].append(jaccard(result.mask, target.mask))
                else:
                    scores[key][1].append(false_positive_share(result.mask, target.mask))
    return {key: (100 * fmean(js), 100 * fmean(fps)) for key, (js, fps) in scores.items()}


def sweep(strategy: str, preset: str, dataset: Orchestra) -> list[str]:
    """A small table for each parameter."""
    usual = {name: default(strategy, name, preset) for name in SWEEPS[strategy]}
    values = {name: sorted({*tried, usual[name]}, key=tried_order(tried)) for name, tried in SWEEPS[strategy].items()}
    keys = [(name, value) for name, tried in values.items() for value in tried]
    pipes = {key: zsavs.build_pipeline(strategy, preset, **{key[0]: key[1]}) for key in keys}
    found = measure(pipes, dataset)
    lines = []
    for name, tried in values.items():
        js, fps = zip(*(found[name, value] for value in tried), strict=True)
        heads = [f"**{value}**" if value == usual[name] else str(value) for value in tried]
        lines += [
            "",
            f"| `{name}` | {' | '.join(heads)} | |",
            f"|:--{'|--:' * len(tried)}|:--|",
            f"| J | {' | '.join(f'{value:.1f}' for value in js)} | `{curve(js)}` |",
            f"| FP | {' | '.join(f'{value:.1f}' for value in fps)} | `{curve(fps)}` |",
        ]
    return lines


def tried_order(tried: Sequence[Any]) -> Any:
    """Numbers by size, words in the order in which they are tried."""
    return list(tried).index if isinstance(tried[0], str) else float


def curve(values: Sequence[float]) -> str:
    """Percent as a row of bars, from 0 to 100."""
    return "".join(_BARS[min(len(_BARS) - 1, int(value / 100 * len(_BARS)))] for value in values)


def costs(pipe: Pipeline, dataset: Orchestra, count: int = 16) -> str:
    """Seconds of processor time for a scene, alone and warm, and each stage's share of the time."""
    items = list(dataset)
    samples = [dataset.load(items[i * len(items) // count]).sample for i in range(count)]
    warm, fresh = samples[:2], samples[2:]
    pipe.batch(warm)
    start = time.process_time()
    results = [pipe(sample) for sample in fresh]
    seconds = (time.process_time() - start) / len(fresh)
    stages = {name: fmean(result.timings[name] for result in results) for name in results[0].timings}
    total = sum(value for name, value in stages.items() if name != "total") or 1.0
    shares = ", ".join(f"{name} {100 * value / total:.0f} %" for name, value in stages.items() if name != "total")
    return f"One scene after the other takes {seconds:.2f} s of processor time each ({shares})."


def diagram(pipe: Pipeline) -> list[str]:
    """The stages of a built pipeline as a Mermaid flow chart: what the strategy asks, and what follows it."""
    takes = inspect.signature(type(pipe.strategy)).parameters
    models = [(role, pipe.meta["models"].get(role)) for role in takes if role in ROLES]
    lines = ["```mermaid", "flowchart LR"]
    for role, model in models:
        name = model["component"] if isinstance(model, dict) else model
        lines.append(f'  {role}["{role}: {name}"] --> strategy')
        for media in ("audio", "image"):
            if _TAKES[role] in (media, "both"):
                lines.append(f"  {media}(({media})) --> {role}")
    lines.append(f'  strategy["{type(pipe.strategy).__name__}: what to look for"] --> grounder')
    lines.append(f'  grounder["{type(pipe.grounder).__name__}: where it could be"] --> verifier')
    lines.append(f'  verifier["{type(pipe.verifier).__name__}: is that region it"] --> segmenter')
    lines.append(f'  segmenter["{type(pipe.segmenter).__name__}: which pixels"] --> result((result))')
    lines.append("  image((image)) --> grounder & verifier & segmenter")
    return [*lines, "```"]


#: What a strategy gives to the model of a role.
_TAKES = {
    "audio_text": "audio",
    "audio_tagger": "audio",
    "audio_captioner": "audio",
    "image_text": "image",
    "captioner": "image",
    "joint": "audio",
}


def section(strategy: str, preset: str, dataset: Orchestra) -> str:
    """All that is measured of a strategy, as Markdown."""
    pipe = zsavs.build_pipeline(strategy, preset)
    j, fp = measure({strategy: pipe}, dataset)[strategy]
    lines = [
        BEGIN,
        f"As built with preset `{preset}`:",
        "",
        *diagram(pipe),
        "",
        f"Over the {len(dataset)} scenes of the orchestra, J {j:.1f} and FP {fp:.1f} (percent; default settings).",
        costs(pipe, dataset),
        *sweep(strategy, preset, dataset),
        "",
        f"By `python benchmarks/sensitivity.py --strategy {strategy}`. In bold what the preset has; the bars go from 0 "
        "to 100.",
        END,
    ]
    return "\n".join(lines)


def put(text: str, page: Path) -> None:
    """Put a section between the marks of a page."""
    whole = page.read_text(encoding="utf-8")
    before, rest = whole.split(BEGIN)
    after = rest.split(END)[1]
    write_atomically(page, lambda file: file.write((before + text + after).encode()))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 if it was done, 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--strategy", action="append", metavar="NAME", help="several times for several; all if left out"
    )
    parser.add_argument("--preset", default="nano", help="which models (%(default)s)")
    parser.add_argument("--root", type=Path, metavar="DIR", help="a folder of scenes; those of the package if left out")
    parser.add_argument("--write", action="store_true", help="put it into the strategy's page, too")
    arguments = parser.parse_args(argv)
    try:
        dataset = Orchestra(arguments.root)
        for strategy in arguments.strategy or [name for name in strategies_of(arguments.preset) if name in SWEEPS]:
            if strategy not in SWEEPS:
                raise UnknownName("strategy with parameters to move", strategy, SWEEPS)
            text = section(strategy, arguments.preset, dataset)
            print(text)
            if arguments.write:
                put(text, PAGES / f"{strategy}.md")
    except ZsavsError as error:
        print(f"sensitivity: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
