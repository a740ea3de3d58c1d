"""Draw scenes, and clips of things in motion, as files.

    python -m tools.orchestra --out DIR [--seed N] [--each M] [--group NAME ...]
    python -m tools.orchestra motion --out DIR [--seed N] [--each M] [--group NAME ...] [--video]

Every scene and every clip depends on the seed, its group and its number alone, so asking for more of them leaves the
first ones as they are; those of a group are added to a folder that holds other groups of the same seed. ``scenes.json``
says what is in each scene, ``clips.json`` what is in each clip; ``tools/orchestra/README.md`` describes the layouts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from tools.orchestra import clips
from tools.orchestra.audio import RATE_HZ, Band
from tools.orchestra.clips import Clip, make_clip
from tools.orchestra.motion import FPS
from tools.orchestra.scenes import GROUPS, Scene, make_scene

__all__ = ["write_clips", "write_scenes"]

#: First words of the seeds, so that no training item shares the numbers of a scene or of a clip.
_FOR_SCENES, _FOR_CLIPS = 0x5CE, 0xC11

#: Of the frames of clips, as WebP has it, to 100.
_QUALITY = 65

#: Red, blue and others for the things of a mask, the first for the background.
_PALETTE = [0, 0, 0, 230, 60, 60, 60, 160, 230, 240, 200, 60, 120, 200, 90, 180, 100, 210]


def write_scenes(folder: Path, seed: int, each: int, groups: Sequence[str] = tuple(GROUPS)) -> None:
    """Write ``each`` scenes of every group: images, masks, audio files and ``scenes.json``.

    Scenes of other groups that the folder holds stay there, and in the list.

    Raises:
        ValueError: the folder's scenes are of another seed.
    """

    def write(group: str, number: int, rng: np.random.Generator, band: Band) -> dict[str, Any]:
        return _write(folder, _name(group, number), make_scene(group, rng, band))

    _write_groups(folder, "scenes", ("images", "masks", "audio"), GROUPS, groups, (_FOR_SCENES, seed), each, write)


def write_clips(
    folder: Path, seed: int, each: int, groups: Sequence[str] = tuple(clips.GROUPS), *, video: bool = False
) -> None:
    """Write ``each`` clips of every group: frames, masks, audio files and ``clips.json``.

    Clips of other groups that the folder holds stay there, and in the list.

    Args:
        video: also write each clip as ``videos/NAME.mp4``, for players; needs ``zsavs[video]``.

    Raises:
        ValueError: the folder's clips are of another seed.
    """

    def write(group: str, number: int, rng: np.random.Generator, band: Band) -> dict[str, Any]:
        clip, name = make_clip(group, number, rng, band), _name(group, number)
        entry = _write_clip(folder, name, clip)
        if video:
            _write_video(folder, name, clip.film.frames)
        return entry

    _write_groups(folder, "clips", ("frames", "masks", "audio"), clips.GROUPS, groups, (_FOR_CLIPS, seed), each, write)


def _write_groups(
    folder: Path,
    kind: str,
    parts: Sequence[str],
    known: Mapping[str, str],
    groups: Sequence[str],
    seeds: tuple[int, int],
    each: int,
    write: Callable[[str, int, np.random.Generator, Band], dict[str, Any]],
) -> None:
    """Write some groups, and the list of all that the folder then holds; ``write`` gives an entry of it."""
    path = folder / f"{kind}.json"
    kept = _kept(path, kind, seeds[1], groups)
    for name in parts:
        (folder / name).mkdir(parents=True, exist_ok=True)
    listed = []
    for place, group in enumerate(known):
        listed += [entry for entry in kept[kind] if entry["group"] == group]
        if group not in groups:
            continue
        for number in range(each):
            with Band() as band:  # a new one each, so that none depends on those before it
                rng = np.random.default_rng((*seeds, place, number))
                listed.append(write(group, number, rng, band))
    described = {name: kept["groups"].get(name, text) for name, text in known.items()}
    present = {entry["group"] for entry in listed}
    listing = {
        "version": 1,
        "seed": seeds[1],
        "groups": {name: text for name, text in described.items() if name in present},
        kind: listed,
    }
    path.write_text(json.dumps(listing, indent=1) + "\n")


def _name(group: str, number: int) -> str:
    return f"{group}_{number:03d}"


def _kept(path: Path, kind: str, seed: int, groups: Sequence[str]) -> dict[str, Any]:
    """What a list says of groups that are not written now."""
    if not path.exists():
        return {"groups": {}, kind: []}
    listing = json.loads(path.read_text())
    if listing["seed"] != seed:
        raise ValueError(f"{path}: holds {kind} of seed {listing['seed']}; give that one, or another folder.")
    return {
        "groups": {name: text for name, text in listing["groups"].items() if name not in groups},
        kind: [entry for entry in listing[kind] if entry["group"] not in groups],
    }


def _write(folder: Path, name: str, scene: Scene) -> dict[str, Any]:
    Image.fromarray(scene.image).save(folder / "images" / f"{name}.jpg", quality=92)
    _write_mask(folder / "masks" / f"{name}.png", scene.index)
    soundfile.write(folder / "audio" / f"{name}.ogg", scene.wave, RATE_HZ, format="OGG", subtype="VORBIS")
    return {
        "name": name,
        "group": scene.group,
        "heard": list(scene.heard),
        "things": [
            {"label": label, "sounding": sounding} for label, sounding in zip(scene.labels, scene.sounding, strict=True)
        ],
        **_times(scene),
        **({"event": scene.event} if scene.event else {}),
    }


def _write_clip(folder: Path, name: str, clip: Clip) -> dict[str, Any]:
    Image.fromarray(_sheet(clip.film.frames)).save(folder / "frames" / f"{name}.webp", quality=_QUALITY, method=6)
    _write_mask(folder / "masks" / f"{name}.png", _sheet(clip.film.index))
    soundfile.write(folder / "audio" / f"{name}.ogg", clip.wave, RATE_HZ, format="OGG", subtype="VORBIS")
    return {
        "name": name,
        "group": clip.group,
        "fps": FPS,
        "frames": len(clip.film.frames),
        "things": [
            {"label": label, "times": _spans(spans)} for label, spans in zip(clip.labels, clip.times, strict=True)
        ],
        "off_screen": {label: _spans(spans) for label, spans in clip.off_screen.items()},
        "noise": clip.noise,
    }


def _write_video(folder: Path, name: str, frames: NDArray[np.uint8]) -> None:
    from zsavs.media.video_writer import VideoWriter

    sound = folder / "audio" / f"{name}.ogg"
    with VideoWriter(folder / "videos" / f"{name}.mp4", frames.shape[1:3], FPS, audio_from=sound) as file:
        for number, frame in enumerate(frames):
            file.write(frame, number / FPS)


def _sheet(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames (T, H, W, ...) side by side, a row for each second: one file is quick to open, and smaller than many."""
    rows, height, width = len(frames) // FPS, *frames.shape[1:3]
    rest = frames.shape[3:]
    side_by_side = frames.reshape(rows, FPS, height, width, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(side_by_side).reshape(rows * height, FPS * width, *rest)


def _write_mask(path: Path, index: NDArray[np.uint8]) -> None:
    mask = Image.fromarray(index, "P")
    mask.putpalette(_PALETTE)
    mask.save(path, optimize=True)


def _times(scene: Scene) -> dict[str, Any]:
    """The entry on when the sources sound, where they do not throughout."""
    times = {label: _spans(spans) for label, spans in scene.times.items()}
    return {"times": times} if times else {}


def _spans(spans: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[round(on, 2), round(off, 2)] for on, off in spans]


def main(argv: list[str] | None = None) -> None:
    """Read the arguments and write the scenes, or the clips."""
    argv = sys.argv[1:] if argv is None else argv
    motion = argv[:1] == ["motion"]
    what, groups = ("clips", clips.GROUPS) if motion else ("scenes", GROUPS)
    parser = argparse.ArgumentParser(
        prog=f"python -m tools.orchestra{' motion' * motion}",
        description=f"draw {what} of the orchestra",
        epilog="" if motion else "python -m tools.orchestra motion --help: clips of things in motion",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=4 if motion else 20, help=f"{what} of each group (%(default)s)")
    parser.add_argument("--group", action="append", choices=groups, help="several times for several; all if left out")
    if motion:
        parser.add_argument("--video", action="store_true", help="write each clip as an MP4 file, too")
    options = parser.parse_args(argv[motion:])
    chosen = options.group or tuple(groups)
    if motion:
        write_clips(options.out, options.seed, options.each, chosen, video=options.video)
    else:
        write_scenes(options.out, options.seed, options.each, chosen)


if __name__ == "__main__":
    main()
