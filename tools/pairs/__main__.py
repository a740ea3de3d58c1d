"""Build pairs of an image and an audio clip from downloads of COCO val2017 and ESC-50.

    python -m tools.pairs --coco DIR --esc50 DIR --out DIR [--seed N] [--positive N] [--offscreen N] [--ambient N]

``tools/pairs/README.md`` says where the downloads are, how pairs are chosen and what is written.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.pairs.choice import Pair, choose
from tools.pairs.downloads import Coco, read_coco, read_esc50
from tools.pairs.sounds import SOUNDS, SoundMap
from zsavs.datasets.layout import folder_content
from zsavs.errors import InputError, OutputError, UnknownName, ZsavsError
from zsavs.media.image_file import load_image
from zsavs.storage.files import is_there, write_atomically

__all__ = ["build"]

#: How many pairs of each kind are made unless something else is asked for.
COUNTS = {"positive": 200, "offscreen": 100, "ambient": 100}
COLUMNS = (
    *("name", "kind", "label", "visible", "sound", "image", "image_url", "image_licence", "image_licence_url"),
    *("audio", "audio_licence", "audio_licence_url", "seed"),
)


def build(
    coco: Path,
    esc50: Path,
    out: Path,
    *,
    seed: int = 0,
    counts: Mapping[str, int] = COUNTS,
    min_area: float = 1.0,
    licences: Sequence[str] = (),
    sounds: Path = SOUNDS,
) -> list[Pair]:
    """Choose pairs and write them: images and audio files as they are, masks as 8-bit PNG of 0 and 255, and the list.

    Args:
        coco, esc50: the downloads, unpacked.
        out: the folder to write, empty or not there yet.
        seed: of the choice.
        counts: the most pairs of each kind.
        min_area: percent of the image that the source of a positive covers at least, and in a negative something that
            could sound.
        licences: names of the licences that an image may have; none for all.
        sounds: the map of sounds to labels.

    Returns:
        The pairs, sorted by name.

    Raises:
        InputError: a download is not complete, or there is not one pair to be made.
        UnknownName: no image can have such a licence.
        OutputError: the folder is not empty, or cannot be written.
    """
    if is_there(out) and (not is_there(out, folder=True) or folder_content(out) != "nothing"):
        raise OutputError(f"{out}: is not an empty folder; name a new one with --out.")
    images, clips = read_coco(coco), read_esc50(esc50)
    known = SoundMap.read(sounds, images.labels, {clip.category for clip in clips})
    allowed = _allowed(images, licences)
    usable = [image for image in images.images if image.licence.name in allowed and image.upright()]
    pairs = choose(usable, clips, known, seed=seed, counts=counts, min_share=min_area / 100)
    if not pairs:
        raise InputError(f"{coco}: none of {len(usable)} images gives a pair; ask for a smaller area or more licences.")
    for pair in pairs:
        for path in (pair.image.panoptic, pair.clip.file):
            if not is_there(path):
                raise InputError(f"{path}: not there, though the download's list names it; unpack it again.")
    _write(pairs, out, seed)
    return pairs


def _allowed(coco: Coco, licences: Sequence[str]) -> set[str]:
    known = {licence.name for licence in coco.licences}
    for name in licences:
        if name not in known:
            raise UnknownName("licence of images of COCO", name, known)
    return set(licences) or known


def _write(pairs: Sequence[Pair], out: Path, seed: int) -> None:
    """Write the files of all pairs, and ``pairs.csv`` last."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for pair in pairs:
        image, clip = pair.image, pair.clip
        if pair.kind == "positive":
            mask = image.mask(pair.label)
        else:
            mask = np.zeros(load_image(image.file).shape[:2], np.bool_)
        _write_mask(mask, out / "gt_seg" / f"{pair.name}.png")
        _copy(image.file, out / "img" / f"{pair.name}.jpg")
        _copy(clip.file, out / "wav" / f"{pair.name}.wav")
        rows.writerow(
            [
                *(pair.name, pair.kind, pair.label, ";".join(image.things), clip.category),
                *(f"{image.file.parent.name}/{image.file.name}", image.url, image.licence.name, image.licence.url),
                *(f"{clip.file.parent.name}/{clip.file.name}", clip.licence.name, clip.licence.url, seed),
            ]
        )
    write_atomically(out / "pairs.csv", lambda file: file.write(table.getvalue().encode()))


def _write_mask(mask: NDArray[np.bool_], path: Path) -> None:
    grey = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
    write_atomically(path, lambda file: grey.save(file, "PNG"))


def _copy(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror}); unpack it again.") from error
    write_atomically(target, lambda file: file.write(content))


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be below 0")
    return number


def _percent(text: str) -> float:
    percent = float(text)
    if not 0 < percent <= 100:
        raise argparse.ArgumentTypeError("must be above 0 and at most 100")
    return percent


def main(argv: list[str] | None = None) -> int:
    """Read the arguments and build the pairs; 0, or 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.pairs", description="build pairs of COCO and ESC-50")
    parser.add_argument("--coco", type=Path, required=True, help="folder with val2017/ and annotations/")
    parser.add_argument("--esc50", type=Path, required=True, help="the folder ESC-50-master")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    for kind, count in COUNTS.items():
        parser.add_argument(f"--{kind}", type=_number, default=count, metavar="N", help=f"pairs, {count} by default")
    parser.add_argument("--min-area", type=_percent, default=1.0, metavar="PERCENT", help="of the image; 1 by default")
    parser.add_argument("--licences", nargs="+", default=(), metavar="NAME", help="of images; all by default")
    parser.add_argument("--sounds", type=Path, default=SOUNDS, help="another map of sounds to labels")
    given = parser.parse_args(argv)
    counts = {kind: getattr(given, kind) for kind in COUNTS}
    choice = {"seed": given.seed, "min_area": given.min_area, "licences": given.licences, "sounds": given.sounds}
    try:
        pairs = build(given.coco, given.esc50, given.out, counts=counts, **choice)
    except ZsavsError as error:
        print(f"python -m tools.pairs: error: {error}", file=sys.stderr)
        return 1
    made = Counter(pair.kind for pair in pairs)
    for kind, count in counts.items():
        lack = f" (of {count} that were asked for: no image is left)" if made[kind] < count else ""
        print(f"{made[kind]:5d} {kind}{lack}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
