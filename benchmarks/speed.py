"""How fast every strategy is, and how much of the time is not spent in the models.

    python benchmarks/speed.py                          # preset nano, the CPU, and a GPU where there is one
    python benchmarks/speed.py --models tiny            # real classes at toy size, random weights
    python benchmarks/speed.py --models base            # architectures at full size, random weights: 9 GB of memory
    python benchmarks/speed.py --device cuda --models base --out speed.json

Nothing is downloaded. Every strategy is run over the same pairs
    - together, in batches, in the dtype that the device is best at (--dtype auto), and one pair alone;
    - (a) bare: the model calls of that run repeated on the same prepared tensors, with nothing around them;
    - (b) one by one: each pair by itself in float32, nothing shared between strategies, as earlier research code runs;
    - (c) plain: a script of Grounding DINO and SAM 2 with a fixed prompt, as text-prompted segmenters are used.
Own work is everything but the model calls: preparing images and audio, calibration, choosing, composing. Wall time
suffers from other load on the machine; processor time does not, and stands beside it. Prints a table in Markdown, and
writes all of it as JSON with --out.
"""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import full_size  # first: it sets a cache folder of its own, so that calibration is not free
import numpy as np
import one_pass
import torch
import transformers
from forwards import Forwards, Stopwatch, counting_waits, models_of
from numpy.typing import NDArray
from PIL import Image

import zsavs
from zsavs.build import strategies_of
from zsavs.models.runtime import resolve_dtype
from zsavs.pipeline import Pipeline
from zsavs.protocols import Verifier
from zsavs.types import Proposals

Samples = list[zsavs.AVSample]

PROMPT = "dog. grass. collar."

#: What is aimed at with models of full size: the name of a number of a row, at which device, at most or at least what.
#: Models as small as nano's take so little time that what surrounds them weighs more.
TARGETS = {
    "own_share_one_pair": ("cpu", "at most", 0.05),
    "times_one_by_one": ("cuda", "at least", 8.0),
    "in_models_share_batch": ("cuda", "at least", 0.85),
    "iou_of_masks": ("any", "at least", 0.99),
}


class KeepAll:
    """A verifier that scores every region as another one does, and keeps all of them: random weights would choose none.

    Args:
        verifier: the one that scores.
    """

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def verify(
        self, samples: Sequence[zsavs.AVSample], queries: Sequence[zsavs.Query], proposals: Sequence[Proposals]
    ) -> list[Proposals]:
        """The verifier's answer with every region selected."""
        judged = self.verifier.verify(samples, queries, proposals)
        return [replace(found, selected=np.ones(len(found), bool)) for found in judged]


@dataclass(frozen=True)
class World:
    """Pipelines of every strategy over one set of weights, twice: in the fast dtype, and in float32."""

    fast: dict[str, Pipeline]
    exact: dict[str, Pipeline]
    parts: dict[str, Any]
    samples: Samples


def build(models: str, device: str, dtype: str, count: int, names: list[str] | None) -> World:
    """Build what is measured; random weights are the same in both dtypes."""
    scenes = one_pass.orchestra(count)
    same = resolve_dtype(dtype, torch.device(device)) == torch.float32
    if models == "nano":
        names = names or strategies_of("nano")
        fast = {name: zsavs.build_pipeline(name, "nano", device, dtype) for name in names}
        exact = fast if same else {name: zsavs.build_pipeline(name, "nano", device, "float32") for name in names}
        return World(fast, exact, {}, scenes)
    if models == "tiny":
        tiny = one_pass.tiny_pipes()
        fast = {name: tiny[name] for name in names or [name for name in tiny if name != "caption"]}
        pipe = next(iter(fast.values()))
        return World(fast, fast, {"grounder": pipe.grounder, "segmenter": pipe.segmenter}, one_pass.toys(count))
    names = names or [name for name in strategies_of(models) if name in full_size_strategies()]

    def at(chosen: torch.dtype) -> tuple[dict[str, Pipeline], dict[str, Any]]:
        torch.manual_seed(0)
        parts = full_size.build_parts(models, device, chosen)
        pipes = {n: zsavs.build_pipeline(n, models, **parts, **full_size.lowered(n)) for n in names}
        return {n: replace(pipe, verifier=KeepAll(pipe.verifier)) for n, pipe in pipes.items()}, parts

    exact, parts = at(torch.float32)
    fast = exact if same else at(resolve_dtype(dtype, torch.device(device)))[0]
    return World(fast, exact, parts, [photo_sized(sample) for sample in scenes])


def full_size_strategies() -> tuple[str, ...]:
    """Those that full-size random weights give work to."""
    return ("audio_to_text", "classify", "cross_modal", "fused")


def photo_sized(sample: zsavs.AVSample) -> zsavs.AVSample:
    """The same pair with an image of 480 x 640."""
    return zsavs.AVSample(np.array(Image.fromarray(sample.image).resize((640, 480))), sample.audio)


def plain(parts: dict[str, Any], sample: zsavs.AVSample) -> NDArray[np.bool_]:
    """Boxes for a fixed prompt, the three best of them to masks: (3, H, W)."""
    dino, sam = parts["grounder"], parts["segmenter"]
    image = Image.fromarray(sample.image)
    height, width = sample.size_hw
    with torch.inference_mode():
        seen = dino.image_processor(images=image, return_tensors="pt").to(dino.device)
        asked = dino.tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=True).to(dino.device)
        found = dino.model(**seen, **asked)
        best = found.logits[0].sigmoid().amax(dim=-1).topk(3).indices
        x, y, w, h = found.pred_boxes[0][best].unbind(-1)
        square = sam.image_processor.size
        scale = torch.tensor([square["width"], square["height"]] * 2, device=dino.device)
        boxes = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=-1) * scale
        pixels = sam.image_processor(images=image, return_tensors="pt")["pixel_values"].to(sam.device)
        masks = sam.model(pixel_values=pixels, input_boxes=boxes[None], multimask_output=False).pred_masks[0]
        large = torch.nn.functional.interpolate(masks, (height, width), mode="bilinear", align_corners=False)
        return np.asarray((large[:, 0] > 0).cpu().numpy())


def share(whole: float, part: float) -> float:
    """A part as a share of the whole, which measuring can put a little outside of [0, 1]."""
    return round(min(1.0, max(0.0, part / whole)), 4)


def iou(ones: Iterable[NDArray[np.bool_]], others: Iterable[NDArray[np.bool_]]) -> float | None:
    """Mean intersection over union of the pairs that have a mask on either side; None if there is no such pair."""
    pairs = [((one & other).sum(), (one | other).sum()) for one, other in zip(ones, others, strict=True)]
    shares = [float(both / either) for both, either in pairs if either]
    return round(float(np.mean(shares)), 4) if shares else None


def split(pipe: Pipeline, samples: Samples) -> dict[str, Any]:
    """Where the seconds of one batch go, and what its model calls take bare."""
    models = models_of(pipe, also=(KeepAll,))
    pipe.batch(one_pass.fresh(samples))
    with Forwards(models) as forwards:
        batch = one_pass.fresh(samples)
        seconds = Stopwatch()
        pipe.batch(batch)
        spent = seconds()
    forwards.again()
    bare = forwards.again()
    return {
        "model_calls": len(forwards.calls),
        "wall_s": round(spent.wall, 4),
        "cpu_s": round(spent.cpu, 4),
        "in_models_share_wall": share(spent.wall, forwards.spent.wall),
        "in_models_share_cpu": share(spent.cpu, forwards.spent.cpu),
        "bare_wall_s": round(bare.wall, 4),
        "bare_cpu_s": round(bare.cpu, 4),
    }


def timed(run: Callable[[], Any], repeats: int) -> tuple[list[float], list[float]]:
    """Wall and processor seconds of each run."""
    walls, cpus = [], []
    for _ in range(repeats):
        seconds = Stopwatch()
        run()
        spent = seconds()
        walls.append(spent.wall)
        cpus.append(spent.cpu)
    return walls, cpus


def measure(name: str, world: World, device: str, batch_size: int, repeats: int) -> dict[str, Any]:
    """One row: a strategy over the samples."""
    pipe, exact, samples = world.fast[name], world.exact[name], world.samples
    seconds = Stopwatch()
    pipe.batch(one_pass.fresh(samples[:1]))
    first = seconds()
    exact.batch(one_pass.fresh(samples[:1]))
    together = list(pipe.map(one_pass.fresh(samples), batch_size))  # the first batch of a size chooses its kernels
    fresh = one_pass.fresh(samples)
    seconds = Stopwatch()
    together = list(pipe.map(fresh, batch_size))
    batched = seconds()
    singles = iter(one_pass.fresh([samples[n % len(samples)] for n in range(repeats)]))
    walls, cpus = timed(lambda: pipe(next(singles)), repeats)
    fresh = one_pass.fresh(samples)
    seconds = Stopwatch()
    alone = [exact(sample) for sample in fresh]
    one_by_one = seconds()
    one, many = split(pipe, samples[:1]), split(pipe, samples[:batch_size])
    with counting_waits() as waits:
        pipe.batch(one_pass.fresh(samples[:batch_size]))
    count = len(samples)
    cpu = device == "cpu"
    return {
        "strategy": name,
        "first_pair_s": round(first.wall, 3),
        "first_pair_cpu_s": round(first.cpu, 3),
        "pairs_per_s": round(count / batched.wall, 3),
        "pairs_per_cpu_s": round(count / batched.cpu, 3),
        "latency_p50_s": round(float(np.percentile(walls, 50)), 4),
        "latency_p95_s": round(float(np.percentile(walls, 95)), 4),
        "latency_p50_cpu_s": round(float(np.percentile(cpus, 50)), 4),
        "stages_s": {
            stage: round(float(np.mean([result.timings[stage] for result in together])), 4)
            for stage in together[0].timings
        },
        "masks": sum(len(result) for result in together),
        "one_by_one_pairs_per_s": round(count / one_by_one.wall, 3),
        "one_by_one_pairs_per_cpu_s": round(count / one_by_one.cpu, 3),
        # On a CPU the processor's time is the fair one; on a GPU it does not count what the GPU does.
        "times_one_by_one": round(one_by_one.cpu / batched.cpu if cpu else one_by_one.wall / batched.wall, 3),
        "own_share_one_pair": round(1 - one["in_models_share_cpu" if cpu else "in_models_share_wall"], 4),
        "in_models_share_batch": many["in_models_share_cpu" if cpu else "in_models_share_wall"],
        "one_pair": one,
        "one_batch": many,
        "waits_for_gpu_per_batch": None if cpu else len(waits),
        "iou_of_masks": iou((result.mask for result in together), (result.mask for result in alone)),
    }


def judge(row: dict[str, Any], device: str, models: str) -> dict[str, Any]:
    """Each target that is meant for some models on a device, and whether a row meets it."""
    return {
        name: {"wanted": f"{side} {limit}", "got": row[name], "met": (row[name] <= limit) == (side == "at most")}
        for name, (where, side, limit) in TARGETS.items()
        if row[name] is not None and (where == "any" or (where == device.split(":")[0] and models in full_size.SIZES))
    }


def report_on(
    models: str, device: str, dtype: str, items: int, batch_size: int, repeats: int, names: list[str] | None
) -> dict[str, Any]:
    """Everything about one set of models on one device."""
    seconds = Stopwatch()
    world = build(models, device, dtype, items, names)
    built = seconds()
    rows = [measure(name, world, device, batch_size, repeats) for name in world.fast]
    report: dict[str, Any] = {
        "models": models,
        "weights": "as shipped" if models == "nano" else "random",
        "device": device if device == "cpu" else torch.cuda.get_device_name(device),
        "dtype": str(resolve_dtype(dtype, torch.device(device))).removeprefix("torch."),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "pairs": items,
        "batch_size": batch_size,
        "image_hw": list(world.samples[0].size_hw),
        "load_s": round(built.wall, 2),
        "load_cpu_s": round(built.cpu, 2),
        "rows": [{**row, "targets": judge(row, device, models)} for row in rows],
    }
    if world.parts:
        plain(world.parts, world.samples[0])
        walls, cpus = timed(lambda: plain(world.parts, world.samples[-1]), repeats)
        report["plain_pairs_per_s"] = round(1 / float(np.median(walls)), 3)
        report["plain_pairs_per_cpu_s"] = round(1 / float(np.median(cpus)), 3)
    report["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    if device != "cpu":
        report["peak_device_memory_gb"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 2)
    return report


def table(report: dict[str, Any]) -> str:
    """The report in Markdown."""
    cpu = report["device"] == "cpu"
    per, bare = ("pairs_per_cpu_s", "bare_cpu_s") if cpu else ("pairs_per_s", "bare_wall_s")
    lines = [
        f"{report['models']} ({report['weights']} weights) on {report['device']}, {report['dtype']}, "
        f"{report['threads']} thread(s), {report['pairs']} pairs of {report['image_hw'][0]} x "
        f"{report['image_hw'][1]}, batches of {report['batch_size']}; loaded in {report['load_s']} s, peak memory "
        f"{report['peak_memory_gb']} GB. Pairs per second of {'processor' if cpu else 'wall'} time.",
        "",
        "| strategy | together | bare (a) | one by one (b) | plain (c) | one pair, p50 / p95 | own work, one pair "
        "| in models, batch | IoU with (b) | targets missed |",
        "| :-- | --: | --: | --: | --: | --: | --: | --: | --: | :-- |",
    ]
    for row in report["rows"]:
        count = min(report["batch_size"], report["pairs"])
        missed = [name for name, target in row["targets"].items() if not target["met"]]
        overlap = "no masks" if row["iou_of_masks"] is None else f"{row['iou_of_masks']:.3f}"
        lines.append(
            f"| `{row['strategy']}` | {row[per]:.2f} | {count / row['one_batch'][bare]:.2f} | "
            f"{row[f'one_by_one_{per}']:.2f} | {report.get(f'plain_{per}', 'none')} | {row['latency_p50_s']:.2f} / "
            f"{row['latency_p95_s']:.2f} s | {row['own_share_one_pair']:.1%} | {row['in_models_share_batch']:.1%} | "
            f"{overlap} | {', '.join(missed) or 'none'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="nano", choices=["nano", "tiny", *sorted(full_size.SIZES)])
    parser.add_argument("--device", action="append", help="may be given several times; cpu, and cuda where it is there")
    parser.add_argument("--dtype", default="auto", help="of the batched run (%(default)s)")
    parser.add_argument("--strategy", action="append", help="all if left out; may be given several times")
    parser.add_argument("--items", type=int, default=16, help="pairs (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="pairs at once (%(default)s)")
    parser.add_argument("--repeats", type=int, default=20, help="single pairs that are timed (%(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    arguments = parser.parse_args()
    here = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if len(here) == 1:
        print("No GPU is on this machine: nothing below says how fast one is.\n")
    reports = []
    for device in arguments.device or here:
        if arguments.models == "tiny" and device != "cpu":
            continue  # its parts are built for the CPU
        reports.append(
            report_on(
                arguments.models,
                device,
                arguments.dtype if arguments.models != "tiny" else "float32",
                arguments.items,
                arguments.batch_size,
                arguments.repeats,
                arguments.strategy,
            )
        )
        print(table(reports[-1]), end="\n\n")
        if arguments.out:
            arguments.out.write_text(json.dumps(reports, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
