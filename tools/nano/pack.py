"""Put trained nano models into the package, with the banks that they are calibrated against and a card for each.

    python -m tools.nano.pack --work DIR --models FOLDER
    python -m tools.nano.pack --work DIR --models FOLDER --out FOLDER --without NAMES joint clip

``FOLDER`` holds what the recipes wrote, by the names of ``CARDS``. Banks are embeddings of training items without their
names: what is usual in the orchestra. A third of the sounds of the bank is noise. Models that were to know nothing of
some things have none of them in their banks, either.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tools.nano.clip import crop_box
from tools.nano.pools import ImagePool, SoundPool, arguments
from tools.nano.training import add_without
from tools.orchestra.audio import RATE_HZ
from zsavs.models.clap import ClapEncoder
from zsavs.models.imagebind import ImageBindEncoder
from zsavs.models.open_clip import OpenClipEncoder
from zsavs.protocols import AudioTextEncoder, ImageTextEncoder
from zsavs.types import AudioClip

__all__ = ["CARDS"]

PACKAGE = Path(__file__).resolve().parents[2] / "zsavs" / "data" / "nano"
_ITEMS = 256

#: Folder: what it is, what it saw, and what its numbers mean.
CARDS: dict[str, tuple[str, str, str]] = {
    "clap": (
        "CLAP (transformers.ClapModel: a small HTSAT and a small RoBERTa)",
        "sounds of 16 classes, rendered with FluidSynth from FluidR3 GM, alone and mixed, with their names, and the "
        "names of 12 silent things as those of no sound",
        "on 400 held-out sounds: share of single sounds named right first; of pairs, share of both names among the "
        "first two; the highest cosine of any noise with any name; the median cosine of a single sound with its name",
    ),
    "clip": (
        "CLIP (open_clip: timm's resnet10t and a small transformer)",
        "drawn images of 28 things, whole, in crops and in the boxes of the nano OWLv2, with their names",
        "on held-out images: share of crops named right first; area under the ROC curve of the names of whole "
        "images; the highest cosine of a crop of bare ground with any name",
    ),
    "owlv2": (
        "OWLv2 (transformers.Owlv2ForObjectDetection)",
        "drawn images of 28 things with their names and boxes",
        "on held-out images, for each thing: generalised IoU of the surest candidate's box with the truth; share of "
        "them surer of the right name than any candidate of a name that is not in the image",
    ),
    "sam2": (
        "SAM 2 (transformers.Sam2Model with a small Hiera)",
        "drawn images of 28 things with their masks, without names",
        "on held-out images: mean intersection over union of the mask for a box, and for a point on a thing",
    ),
    "blip": (
        "BLIP (transformers.BlipForConditionalGeneration)",
        "drawn images of 28 things with captions that list them, and in training the names of places",
        "on held-out images: precision and recall of the names in greedy captions",
    ),
    "tagger": (
        "audio spectrogram transformer (transformers.ASTForAudioClassification)",
        "the same sounds as CLAP, with their labels",
        "on 400 held-out sounds: share of single sounds tagged right first; mean average precision over the labels",
    ),
    "audio_captioner": (
        "Whisper's architecture (transformers.WhisperForConditionalGeneration), for captions in place of speech",
        "the same sounds as CLAP, with captions that list what is heard",
        "on 400 held-out sounds: precision and recall of the names in greedy captions",
    ),
    "joint": (
        "ImageBind's towers (zsavs' own code)",
        "drawn images of 28 things, whole, blurred around a box, in crops and in the boxes of the nano OWLv2, in their "
        "own hues and in others, with their names; and the same sounds as CLAP, alone and mixed anew, with theirs",
        "on held-out items: share of crops, and of single sounds, named right first; share of single sounds whose "
        "nearest crop of all shows what sounds; of two and of three sounds at once, share of their names among as many "
        "likeliest ones",
    ),
}

_LICENCE = """The weights are Apache-2.0, as zsavs is. They were learned from scratch from images of Noto Color Emoji
glyphs (SIL Open Font License 1.1) and sounds of the FluidR3 GM sound font (MIT); neither is contained in them."""


def _card(name: str, quality: dict[str, float], without: Sequence[str]) -> str:
    what, saw, numbers = CARDS[name]
    saw += f"; of these, nothing of {', '.join(without)}" if without else ""
    rows = "\n".join(f"| {key} | {value} |" for key, value in quality.items())
    return f"""# nano {name.replace("_", " ")}

{what}. Part of preset `nano`, which knows one small world, the orchestra, and nothing else: on photographs and real
recordings its answers mean nothing.

**Saw:** {saw}. It never saw sound together with masks, nor sound together with images.

**How well it does its own task**, {numbers}:

| measure | value |
|---|---|
{rows}

Trained by `python -m tools.nano.{name}`. {_LICENCE}
"""


def _sound_bank(encoder: AudioTextEncoder, folder: Path, pool: SoundPool) -> None:
    noises = [row for row in pool.train if not pool.labels[row]][: _ITEMS // 3]
    sounds = [row for row in pool.train if pool.labels[row]][: _ITEMS - len(noises)]
    clips = [AudioClip(np.asarray(pool.waves[row], np.float32)[None], RATE_HZ) for row in (*noises, *sounds)]
    np.save(folder / "sound_bank.npy", encoder.encode_audio(clips).astype(np.float16))


def _picture_bank(encoder: ImageTextEncoder, folder: Path, pool: ImagePool) -> None:
    """Half of it crops around things or of ground, half whole images."""
    rng = np.random.default_rng(0)
    views = []
    for number, row in enumerate(pool.train[:_ITEMS]):
        image = pool.images[row]
        if number % 2:
            (x0, y0, x1, y1), _ = crop_box(pool, row, rng)
            image = image[y0:y1, x0:x1]
        views.append(np.ascontiguousarray(image))
    np.save(folder / "picture_bank.npy", encoder.encode_image(views).astype(np.float16))


def main(argv: list[str] | None = None) -> None:
    """Copy, measure banks, write cards."""
    parser = arguments("put the nano models into the package")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("names", nargs="*", help="all, unless some are named")
    parser.add_argument("--out", type=Path, default=PACKAGE, help="another folder than the package's")
    add_without(parser)
    options = parser.parse_args(argv)
    images, sounds = (pool.open(options.work).without(options.without) for pool in (ImagePool, SoundPool))
    for name in options.names or CARDS:
        target = options.out / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(options.models / name, target)
        quality = json.loads((target / "quality.json").read_text())
        (target / "quality.json").unlink()
        if name == "clap":
            _sound_bank(ClapEncoder.load(target, device="cpu"), target, sounds)
        elif name == "clip":
            _picture_bank(OpenClipEncoder.load(target, device="cpu"), target, images)
        elif name == "joint":
            encoder = ImageBindEncoder.load(target, device="cpu")
            _sound_bank(encoder, target, sounds)
            _picture_bank(encoder, target, images)
        (target / "README.md").write_text(_card(name, quality, options.without))
        print(name, quality)


if __name__ == "__main__":
    main()
