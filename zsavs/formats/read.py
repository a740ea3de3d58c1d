"""The results of a folder, as ``zsavs segment``, ``compare`` and ``label`` write them, as items."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zsavs.errors import InputError, ResultFileError
from zsavs.formats.items import ImageItem, Instance, Item, TrackItem, VideoItem, unique_names
from zsavs.storage import rle
from zsavs.storage.files import read_text
from zsavs.storage.packed_maps import MAX_BYTES, UNREADABLE, checked_size

__all__ = ["read_folder"]

#: The layout of a result's JSON that is read here.
_FORMAT = 1
#: The shards of ``zsavs label``, whose rows may lack the number of the layout.
_SHARDS = "answers-*.jsonl"


def read_folder(folder: str | os.PathLike[str], strategy: str | None = None) -> list[Item]:
    """Every result of a folder, by the order of names: of shards, ``*.jsonl``, then of files, ``*.json``.

    A JSON file that is no result, such as the overview that ``zsavs compare`` writes, is passed over.

    Args:
        folder: its path; folders in it are not looked into.
        strategy: take the answers of this one alone.

    Raises:
        InputError: there is no such folder, or no result in it, or none of the strategy; or two answers to the same
            files, which would be two truths in one data set.
        ResultFileError: a result is damaged, or of another version.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; give one that zsavs segment, compare or label wrote.")
    rows = [(where, name, row) for where, name, row in _rows(root) if _is_result(row)]
    if not rows and any(root.glob("*.parquet")):
        raise InputError(f"{root}: shards of Parquet are not read; label with JSON Lines, or give single results.")
    if not rows:
        raise InputError(f"{root}: holds no result; give a folder that zsavs segment, compare or label wrote.")
    known = sorted({_strategy(row) for _, _, row in rows})
    if strategy is not None:
        rows = [(where, name, row) for where, name, row in rows if _strategy(row) == strategy]
        if not rows:
            raise InputError(f"{root}: holds no answer of the strategy {strategy!r}; there are: {', '.join(known)}.")
    _refuse_two_answers(rows)
    names = unique_names([name for _, name, _ in rows])
    return [_item(where, name, row) for (where, _, row), name in zip(rows, names, strict=True)]


def _rows(root: Path) -> Iterator[tuple[str, str, Any]]:
    """Where each value stands, what it is called, and the value."""
    for path in sorted(root.glob(_SHARDS)):
        for number, line in enumerate(_text(path).split("\n"), start=1):
            if line.strip():
                row = _parsed(line, where := f"{path}, line {number}")
                yield where, _name(row, f"{path.stem}-{number}"), row
    for path in sorted(root.glob("*.json"), key=lambda path: path.stem):
        yield str(path), path.stem, _parsed(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return read_text(path, max_bytes=MAX_BYTES)
    except (OSError, ValueError) as error:
        raise ResultFileError(
            f"{path}: cannot be read ({error}); take it out of the folder, or make it anew."
        ) from error


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultFileError(f"{where}: is no JSON ({error}); take it out of the folder, or make it anew.") from error


def _name(row: Any, otherwise: str) -> str:
    """What files about a row of a shard are called: by its id, if it has one."""
    told = row.get("id") if isinstance(row, dict) else None
    return str(told) if told is not None else otherwise


def _is_result(row: Any) -> bool:
    return isinstance(row, dict) and "size_hw" in row and ("objects" in row or "tracks" in row)


def _strategy(row: Mapping[str, Any]) -> str:
    return _text_of(row, "strategy") or "unknown"


def _text_of(row: Mapping[str, Any], name: str) -> str:
    """A file that a result is to, or its strategy, from the row of a shard or a result's meta; "" for none."""
    meta = row.get("meta")
    for place in (row, meta if isinstance(meta, dict) else {}):
        if isinstance(place.get(name), str):
            return str(place[name])
    return ""


def _refuse_two_answers(rows: list[tuple[str, str, Any]]) -> None:
    seen: dict[Any, tuple[str, str]] = {}
    for where, _, row in rows:
        seen_in = _text_of(row, "image") or _text_of(row, "video") or _text_of(row, "sample")
        key = (seen_in, _text_of(row, "audio"), row.get("id"), row.get("start_s"), row.get("end_s"))
        if not seen_in:
            continue
        if key in seen:
            other, strategy = seen[key]
            mine = _strategy(row)
            hint = "take one of them out of the folder"
            if mine != strategy:
                hint = f"of {strategy} and of {mine}: choose with --strategy, or strategy= in Python"
            raise InputError(f"{other} and {where}: two answers to {seen_in}; {hint}.")
        seen[key] = (where, _strategy(row))


def _item(where: str, name: str, row: Mapping[str, Any]) -> Item:
    try:
        if (form := row.get("format", _FORMAT)) != _FORMAT:
            raise ResultFileError(
                f"{where}: written in format {form}, this version reads format {_FORMAT}; update zsavs."
            )
        return _video(name, row) if "tracks" in row else _image(name, row)
    except UNREADABLE as error:
        raise ResultFileError(f"{where}: not a zsavs result ({type(error).__name__}: {error}).") from error


def _image(name: str, row: Mapping[str, Any]) -> ImageItem:
    size = checked_size(row["size_hw"], len(row["objects"]))
    instances = [
        _instance(one["phrase"], one["score"], one["box_xyxy"], one["mask"], size, None) for one in row["objects"]
    ]
    return ImageItem(
        name, size, tuple(instances), _text_of(row, "image") or _text_of(row, "sample"), audio=_text_of(row, "audio")
    )


def _video(name: str, row: Mapping[str, Any]) -> VideoItem:
    size = checked_size(row["size_hw"], 1)
    frames = tuple(float(time_s) for time_s in row["frames_s"])
    tracks = []
    for track in row["tracks"]:
        rows = zip(track["frames"], track["scores"], track["boxes_xyxy"], track["masks"], strict=True)
        places = {
            int(frame): _instance(
                track["phrase"], score, box, {"size": list(size), "counts": counts}, size, int(track["id"])
            )
            for frame, score, box, counts in rows
        }
        if places and not 0 <= min(places) <= max(places) < len(frames):
            raise ValueError(f"track {track['id']} has a frame that the video does not")
        times = tuple((float(on), float(off)) for on, off in track["times_s"])
        tracks.append(TrackItem(int(track["id"]), str(track["phrase"]), times, places))
    return VideoItem(name, size, frames, tuple(tracks), _text_of(row, "video") or str(row.get("source") or ""))


def _instance(
    phrase: Any, score: Any, box: Any, mask: Mapping[str, Any], size_hw: tuple[int, int], track: int | None
) -> Instance:
    """An instance of a file, with a mask of the result's size that can be decoded."""
    if list(mask["size"]) != list(size_hw):
        raise ValueError(f"a mask of {mask['size']} pixels in a result of {list(size_hw)}")
    x0, y0, x1, y1 = map(float, box)
    counts = rle.check(dict(mask)).tolist()
    return Instance(str(phrase), float(score), (x0, y0, x1, y1), {"size": list(size_hw), "counts": counts}, track)
