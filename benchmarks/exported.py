"""The image encoders of `base` by PyTorch, and exported to OpenVINO: seconds of each, and how far their answers differ.

    pip install openvino
    python benchmarks/exported.py [--threads 1]

Full size, random weights, float32; nothing is downloaded. Prints Markdown. zsavs would have to keep an exported file
for each checkpoint, which is worth it from 1.5 times as fast on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from full_size import build_parts


class First(torch.nn.Module):
    """A model with an image for its only argument, and tensors for an answer."""

    def __init__(self, run: Callable[[Any], Any], model: Any) -> None:
        super().__init__()
        self.run, self.model = run, model

    def forward(self, pixels: torch.Tensor) -> Any:
        """What the model makes of it."""
        return self.run(pixels)


def towers() -> dict[str, tuple[torch.nn.Module, tuple[int, ...]]]:
    """Each image encoder and the shape of what it is given."""
    parts = build_parts("base")
    sam2, omdet, blip, clip = (parts[role].model for role in ("segmenter", "grounder", "captioner", "image_text"))
    return {
        "SAM 2.1 tiny, an image": (
            First(lambda x: tuple(sam2.vision_encoder(x).fpn_hidden_states), sam2),
            (1, 3, 1024, 1024),
        ),
        "OmDet-Turbo's Swin, an image": (First(lambda x: tuple(omdet.vision_backbone(x)), omdet), (1, 3, 640, 640)),
        "BLIP's ViT, an image": (First(lambda x: blip.vision_model(x)[0], blip), (1, 3, 384, 384)),
        "CLIP's ViT-B/32, eight regions": (clip.visual, (8, 3, 224, 224)),
    }


def seconds(work: Callable[[], Any], times: int = 3) -> float:
    """The least of some runs, after one that does not count."""
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def compared(model: torch.nn.Module, shape: tuple[int, ...], threads: int) -> list[str]:
    """Cells of a row: seconds by torch and by OpenVINO, their ratio, the largest relative difference, the exporting."""
    import openvino

    pixels = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        own = seconds(lambda: model.eval()(pixels))
        answers = model(pixels)
    began = time.perf_counter()
    precisely = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    exported = openvino.Core().compile_model(openvino.convert_model(model, example_input=pixels), "CPU", precisely)
    exporting = time.perf_counter() - began
    other = seconds(lambda: exported(pixels.numpy()))
    answers = answers if isinstance(answers, tuple) else (answers,)
    found = exported(pixels.numpy())
    apart = max(
        float((torch.from_numpy(found[place]) - answer).abs().max() / answer.abs().max())
        for place, answer in enumerate(answers)
    )
    return [f"{own:.2f}", f"{other:.2f}", f"{own / other:.2f}x", f"{apart:.0e}", f"{exporting:.0f}"]


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    print("| | PyTorch, s | OpenVINO, s | | apart | exporting, s |\n|---|--:|--:|--:|--:|--:|")
    for name, (model, shape) in towers().items():
        print(f"| {name} | {' | '.join(compared(model, shape, threads))} |", flush=True)


if __name__ == "__main__":
    main()
