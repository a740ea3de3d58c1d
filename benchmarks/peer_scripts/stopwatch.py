"""What every peer's script is measured by: a first answer in a fresh process, further ones, and all in one call."""

from __future__ import annotations

import inspect
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

#: Boxes that become masks: with random weights no threshold means anything, so that the three best are taken.
BEST = 3
PHRASES = ("dog", "accordion", "electric guitar")


class Script(Protocol):
    """What a script has: the code that a user of the package writes."""

    def load(self, weights: Path) -> Any:
        """The models, from a folder of weights."""

    def answer(self, models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
        """Masks (at most ``BEST``, H, W) of each image."""


def measure(script: Script) -> None:
    """Run a script on the images that are named after the folder of weights, and print JSON."""
    weights, images = Path(sys.argv[1]), sys.argv[2:]
    models = script.load(weights)
    (masks,) = script.answer(models, images[:1], PHRASES)
    cold = time.time() - float(os.environ["PEER_STARTED"])
    shape = list(masks.shape)
    warm = timed(lambda: [script.answer(models, [image], PHRASES) for image in images[1:]])
    together = timed(lambda: script.answer(models, images[1:], PHRASES))
    told = {
        "first_s": cold,
        "each_s": [seconds / len(images[1:]) for seconds in warm],
        "together_s": [seconds / len(images[1:]) for seconds in together],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "lines": sum(len(code_lines(part)) for part in (script.load, script.answer)),
        "masks": shape,
    }
    print(json.dumps(told))


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock, and of the processor in all threads."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


def code_lines(function: Callable[..., Any]) -> list[str]:
    """The lines of a function's body that do something."""
    lines = [line.strip() for line in inspect.getsource(function).splitlines()[1:]]
    return [line for line in lines if line and not line.startswith(("#", '"""'))]
