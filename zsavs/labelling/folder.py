"""The items of a folder: its videos, and its images with the audio files of the same name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from zsavs.labelling.items import Inputs, Item, Refused

__all__ = ["AUDIO", "IMAGES", "RULES", "VIDEOS", "read_folder"]

#: By their ending. Of several images, or audio files, with one name the kind listed first is taken.
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm")
AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aiff", ".aif")
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".3gp")

RULES = (
    f"videos are files ending in {', '.join(VIDEOS)}; each is an item, heard with its own sound",
    "an image goes with the audio file of the same name in the same folder: a/1.jpg with a/1.wav",
    "one that has none there, with the audio file of the same name below another first folder: images/1.jpg with "
    "audio/1.wav, where there is exactly one of each",
    f"of several files with one name the first of {', '.join(IMAGES)} and of {', '.join(AUDIO)} is taken",
    "folders are searched to the bottom; names that begin with a dot, linked folders and other files are left alone",
)


def read_folder(root: Path, leave_out: Path | None = None) -> Inputs:
    """The items of a folder, sorted by their files' names; :data:`RULES` says which.

    Args:
        root: the folder.
        leave_out: a folder below it that is not looked into: the one that answers go to.

    Returns:
        The items, each called after its image or its video, without the ending. Images without audio, audio files
        without an image, and files of whose name another one was taken, are refused.
    """
    found: dict[str, dict[str, str]] = {"image": {}, "audio": {}, "video": {}}
    refused: list[Refused] = []
    ranks = {"image": IMAGES, "audio": AUDIO, "video": VIDEOS}
    kinds = {suffix: kind for kind, suffixes in ranks.items() for suffix in suffixes}
    for name in sorted(_files(root, leave_out)):
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a Path for each of a million files is slow)
        kind = kinds.get(suffix.lower())
        if kind is None:
            continue
        held = found[kind].setdefault(stem, name)
        if held != name:
            rank = ranks[kind].index
            if rank(suffix.lower()) < rank(held[len(stem) :].lower()):
                held, name = name, held
            found[kind][stem] = held
            refused.append(Refused(name, f"{held} of the same name is taken"))
    items = [{"id": stem, "video": name} for stem, name in found["video"].items()]
    images, audio = found["image"], found["audio"]
    items += [{"id": stem, "image": images[stem], "audio": audio[stem]} for stem in images.keys() & audio.keys()]
    lost_images = {stem: name for stem, name in images.items() if stem not in audio}
    lost_audio = {stem: name for stem, name in audio.items() if stem not in images}
    audio_below = _below(lost_audio)
    for below, stems in _below(lost_images).items():
        others = audio_below.get(below, [])
        if len(stems) == len(others) == 1:
            pair = {"image": lost_images.pop(stems[0]), "audio": lost_audio.pop(others[0])}
            items.append({"id": below, **pair})
    refused += [Refused(name, _why_no_partner(name, "audio file")) for name in lost_images.values()]
    refused += [Refused(name, _why_no_partner(name, "image")) for name in lost_audio.values()]
    items = _with_own_ids(sorted(items, key=lambda item: item.get("video") or item["image"]))
    return Inputs(root, tuple(_item(item, str(root)) for item in items), tuple(refused), RULES)


def _item(named: dict[str, str], root: str) -> Item:
    return Item(named["id"], root, named.get("image", ""), named.get("audio", ""), named.get("video", ""))


def _files(root: Path, leave_out: Path | None) -> Iterator[str]:
    """The names of files below a folder, with slashes."""
    out = None if leave_out is None else leave_out.resolve()
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if not name.startswith(".") and (here / name).resolve() != out]
        prefix = here.relative_to(root).as_posix()
        for name in names:
            if not name.startswith("."):
                yield name if prefix == "." else f"{prefix}/{name}"


def _below(names: dict[str, str]) -> dict[str, list[str]]:
    """Stems by what they are below their first folder; those that lie in none are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for stem in names:
        _, slash, rest = stem.partition("/")
        if slash:
            found[rest].append(stem)
    return found


def _why_no_partner(name: str, kind: str) -> str:
    stem = PurePosixPath(name).stem
    return f"no {kind} {stem}.* in the same folder, nor exactly one below another; a manifest can name it"


def _with_own_ids(items: list[dict[str, str]]) -> list[dict[str, str]]:
    """The items with an id of their own: the whole name of the file, where two would be called the same."""
    count: dict[str, int] = defaultdict(int)
    for item in items:
        count[item["id"]] += 1
    return [{**item, "id": item.get("video") or item["image"]} if count[item["id"]] > 1 else item for item in items]
