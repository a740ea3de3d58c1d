"""Run ImageBind's towers at their published size over pairs of images and audio clips: time, memory, similarities.

    python benchmarks/imagebind_huge.py dog.jpg dog.wav car.jpg car.wav bird.jpg bird.wav
    python benchmarks/imagebind_huge.py IMAGE AUDIO --checkpoint imagebind_huge.pth --texts "A dog." "A car" "A bird"

Without a checkpoint the weights are made from their names (tests/golden/fill.py), so that times and memory are those of
the real ones, every run gives the same numbers, and the similarities mean nothing. With the real weights they are the
tables of the official README: softmax over products of raw embeddings, images (or audio) down, texts (or audio)
across. Files are read as the official code reads them. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from PIL import Image

from zsavs.models.imagebind import HUGE, ImageBind, preprocess_audio, preprocess_image, tokenize
from zsavs.models.imagebind.checkpoint import read
from zsavs.models.runtime import resolve_device, resolve_dtype, to_device

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from golden.fill import fill_one

SALT = "zsavs imagebind huge"


def filled() -> ImageBind:
    """The towers with weights made from their names, without a second copy of them."""
    with torch.device("meta"):
        model = ImageBind(HUGE)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    weights = {name: torch.from_numpy(fill_one(name, shape, SALT)) for name, shape in shapes.items()}
    model.load_state_dict(weights, assign=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="IMAGE AUDIO", help="pairs of files")
    parser.add_argument("--texts", nargs="+", default=["A dog.", "A car", "A bird"])
    parser.add_argument("--checkpoint", type=Path, help="the real weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    if len(arguments.files) % 2:
        parser.error("give an audio file for every image")

    seconds: dict[str, str] = {}

    def timed(what: str, run: Any) -> Any:
        began, began_cpu = time.perf_counter(), time.process_time()
        result = run()
        seconds[what] = f"{time.perf_counter() - began:.1f}, of the processor {time.process_time() - began_cpu:.1f}"
        return result

    def image(path: Path) -> torch.Tensor:
        with Image.open(path) as opened:
            return preprocess_image(np.asarray(opened.convert("RGB")))

    def audio(path: Path) -> torch.Tensor:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return preprocess_audio(samples.T, rate)

    device = resolve_device(arguments.device)
    model = timed("weights", lambda: read(arguments.checkpoint) if arguments.checkpoint else filled())
    model = to_device(model.to(resolve_dtype(arguments.dtype, device)), device)
    pixels = timed("image preprocessing", lambda: torch.stack([image(path) for path in arguments.files[::2]]))
    mels = timed("audio preprocessing", lambda: torch.stack([audio(path) for path in arguments.files[1::2]]))
    ids = timed("text preprocessing", lambda: tokenize(arguments.texts))
    with torch.inference_mode():
        image_rows = timed("image tower", lambda: model.encode_image_tensor(pixels, raw=True).double().cpu())
        audio_rows = timed("audio tower", lambda: model.encode_audio_mels(mels, raw=True).double().cpu())
        text_rows = timed("text tower", lambda: model.encode_text_tokens(ids, raw=True).double().cpu())

    def table(rows: torch.Tensor, columns: torch.Tensor) -> list[str]:
        return ["  ".join(f"{value:.5g}" for value in row) for row in (rows @ columns.T).softmax(dim=1).tolist()]

    report = {
        "weights": str(arguments.checkpoint or "made from names"),
        "numbers": sum(value.numel() for value in model.state_dict().values()),
        "device": str(device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "images, clips, texts": f"{len(pixels)}, {len(mels)}, {len(ids)}",
        "seconds": seconds,
        "peak memory in MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "raw length": {
            "image": image_rows[0].norm().item(),
            "audio": audio_rows[0].norm().item(),
            "text": text_rows[0].norm().item(),
        },
        "image by text": table(image_rows, text_rows),
        "image by audio": table(image_rows, audio_rows),
        "audio by text": table(audio_rows, text_rows),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
