"""The training loop of every recipe: seeded, checkpointed, and started again where it was stopped."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tools.nano.pools import arguments

__all__ = ["add_half", "add_without", "finer_places", "finish", "fit", "recipe", "widen"]

_SAVE_EVERY_S = 120.0
_SAY_EVERY = 50


def fit(
    model: torch.nn.Module,
    loss_of: Callable[[np.random.Generator], torch.Tensor],
    *,
    state: Path,
    steps: int,
    rate: float,
    seed: int = 0,
    weight_decay: float = 0.05,
    decay: float = 0.995,
    half: bool = True,
) -> torch.nn.Module:
    """Train with AdamW under a warm-up and a cosine, and return the moving average of the weights.

    Stopped at any moment and started again it goes on from the last state, at most two minutes back. Every step draws
    from a generator seeded by (seed, step), so that a run that was interrupted sees the same items as one that was not.

    Args:
        model: in training mode; changed in place.
        loss_of: draws a batch with the generator and returns the loss.
        state: file that the state is kept in.
        steps: of the whole schedule.
        rate: highest learning rate.
        seed: of the batches and of dropout.
        weight_decay: on matrices; vectors have none.
        decay: of the moving average.
        half: compute matrix products and convolutions in bfloat16, which doubles the speed of most of these models.
    """
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=rate,
        betas=(0.9, 0.98),
    )
    warm = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))) + 0.01),
    )
    first = 0
    if state.is_file():
        kept = torch.load(state, weights_only=True)
        model.load_state_dict(kept["model"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        schedule.load_state_dict(kept["schedule"])
        first = kept["step"]
    started = saved = time.monotonic()
    seen: list[float] = []
    for step in range(first, steps):
        torch.manual_seed(seed * 1_000_003 + step)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = loss_of(np.random.default_rng((seed, step)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
        seen.append(loss.item())
        if (step + 1) % _SAY_EVERY == 0:
            pace = (time.monotonic() - started) / (step + 1 - first)
            print(
                f"step {step + 1} of {steps}: loss {np.mean(seen[-_SAY_EVERY:]):.4f}, {pace:.2f} s a step", flush=True
            )
        if step + 1 == steps or time.monotonic() - saved > _SAVE_EVERY_S:
            saved = time.monotonic()
            fresh = state.with_suffix(".new")
            torch.save(
                {
                    "model": model.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "schedule": schedule.state_dict(),
                    "step": step + 1,
                },
                fresh,
            )
            fresh.replace(state)
    # Constants are averaged as well, and minus infinity in a mask becomes NaN: those stay what they are.
    own = model.state_dict()
    averaged = {
        name: value if value.isfinite().all() else own[name] for name, value in average.module.state_dict().items()
    }
    model.load_state_dict(averaged)
    return model.eval()


def recipe(description: str, steps: int | None = None) -> argparse.ArgumentParser:
    """A parser with what every recipe takes: where to work and to write, the seed, and how many steps.

    Args:
        steps: the default; None for a recipe whose stages have their own.
    """
    parser = arguments(description)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--begin", type=Path, help="folder of a finished model to go on from, at a lower rate")
    if steps is not None:
        parser.add_argument("--steps", type=int, default=steps)
    return parser


def add_half(parser: argparse.ArgumentParser) -> None:
    """The option to compute in bfloat16, which a processor without it does several times as slowly as in float32."""
    parser.add_argument("--half", action=argparse.BooleanOptionalAction, default=True, help="compute in bfloat16")


def add_without(parser: argparse.ArgumentParser) -> None:
    """The option that names things which a model never reads of, sees or hears, for a test of what it does not know."""
    parser.add_argument(
        "--without",
        type=lambda names: tuple(names.split(",")),
        default=(),
        metavar="NAMES",
        help="leave these things out, with commas between: nothing of them is learned from",
    )


def finish(folder: Path, report: dict[str, float], *parts: Any) -> None:
    """Save the parts of a model that have ``save_pretrained``, and what it was measured to do, beside each other."""
    print(report)
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        part.save_pretrained(folder)
    (folder / "quality.json").write_text(json.dumps(report, indent=1) + "\n")


def finer_places(places: torch.Tensor, count: int) -> torch.Tensor:
    """The embeddings of a vision transformer's places for an image of another number of patches, mostly of more.

    Args:
        places: (1 + N, D), that of the class token and those of N patches, which fill a square.
        count: 1 + M, of which M are patches of the other square.

    Returns:
        (1 + M, D): the patches' interpolated, the first as it was.
    """
    whole, patches = places.split((1, len(places) - 1))
    old, new = math.isqrt(len(patches)), math.isqrt(count - 1)
    spread = interpolate(patches.T.reshape(1, -1, old, old), (new, new), mode="bicubic")
    return torch.cat([whole, spread.flatten(2)[0].T])


def widen(model: torch.nn.Module) -> None:
    """Give layers torch's own initial weights, in place, whose spread depends on the width.

    transformers draws all of them with a standard deviation of 0.02, which suits a width of 768; through layers of 64
    a prompt's influence would fade to nothing, and with it what there is to learn from.
    """
    layers = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Embedding)
    for module in model.modules():
        if isinstance(module, layers):
            module.reset_parameters()
