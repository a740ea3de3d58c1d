"""The results of a folder, as ``zsavs segment``, ``compare`` and ``label`` write them, as items."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zsavs.errors import InputError, ResultFileError
from zsavs.formats.items import ImageItem, Instance, Item, TrackItem, VideoItem, unique_names
from zsavs.storage import rle
from zsavs.storage.files import read_text
from zsavs.storage.packed_maps import MAX_BYTES, UNREADABLE, checked_size
from zsavs.storage.parquet import read_parquet

__all__ = ["read_folder"]

#: The layout of a result's JSON that is read here.
_FORMAT = 1
#: The shards of ``zsavs label``, whose rows may lack the number of the layout.
_SHARDS = ("answers-*.jsonl", "answers-*.parquet")
#: Beside them; says which folder their files are named from.
_SETTINGS = "settings.json"


def read_folder(folder: str | os.PathLike[str], strategy: str | None = None) -> list[Item]:
    """Every result of a folder, by the order of names: of shards, ``answers-*``, then of files, ``*.json``.

    A JSON file that is no result, such as the overview that ``zsavs compare`` writes, is passed over.

    Args:
        folder: its path; folders in it are not looked into.
        strategy: take the answers of this one alone.

    Raises:
        InputError: there is no such folder, or no result in it, or none of the strategy; or two answers to the same
            files, which would be two truths in one data set.
        ResultFileError: a result is damaged, or of another version.
        MissingExtra: a shard is Parquet, and pyarrow is not installed.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; give one that zsavs segment, compare or label wrote.")
    known: set[str] = set()
    answers: dict[Any, tuple[str, str]] = {}
    names: list[str] = []
    items: list[Item] = []
    for where, name, row in _rows(root):
        if not _is_result(row):
            continue
        known.add(own := _strategy(row))
        if strategy in (None, own):
            _refuse_two_answers(answers, where, own, row)
            names.append(name)
            items.append(_item(where, name, row))
    if not known:
        raise InputError(f"{root}: holds no result; give a folder that zsavs segment, compare or label wrote.")
    if not items:
        raise InputError(
            f"{root}: holds no answer of the strategy {strategy!r}; there are: {', '.join(sorted(known))}."
        )
    return [replace(item, name=name) for item, name in zip(items, unique_names(names), strict=True)]


def _rows(root: Path) -> Iterator[tuple[str, str, Any]]:
    """Where each value stands, what it is called, and the value."""
    labelled = _labelled_folder(root)
    for path in sorted(path for shards in _SHARDS for path in root.glob(shards)):
        for where, number, row in _table(path) if path.suffix == ".parquet" else _lines(path):
            yield where, _name(row, f"{path.stem}-{number}"), _from_root(row, labelled)
    for path in sorted(root.glob("*.json"), key=lambda path: path.stem):
        yield str(path), path.stem, _parsed(_text(path), str(path))


def _labelled_folder(root: Path) -> str:
    """The folder that the rows of a labelling name their files from; "" where it is not known."""
    path = root / _SETTINGS
    told = _parsed(_text(path), str(path)) if path.is_file() else None
    found = told.get("root") if isinstance(told, dict) else None
    return found if isinstance(found, str) else ""


def _from_root(row: Any, root: str) -> Any:
    """A row of a shard with whole paths of its files, that an export finds them from any folder."""
    if not root or not isinstance(row, dict):
        return row
    files = {kind: row[kind] for kind in ("image", "audio", "video") if isinstance(row.get(kind), str)}
    return {**row, **{kind: os.path.join(root, path) for kind, path in files.items()}}  # noqa: PTH118


def _lines(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Where each value of a shard of JSON Lines stands, its number and the value."""
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            yield (where := f"{path}, line {number}"), number, _parsed(line, where)


def _table(path: Path) -> Iterator[tuple[str, int, Any]]:
    """The same of a shard of Parquet."""
    for number, row in enumerate(read_parquet(path), start=1):
        yield f"{path}, row {number}", number, row


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


def _refuse_two_answers(answers: dict[Any, tuple[str, str]], where: str, strategy: str, row: Any) -> None:
    """Note where the answer to these files is, and whose.

    Raises:
        InputError: there is one already.
    """
    seen_in = _text_of(row, "image") or _text_of(row, "video") or _text_of(row, "sample")
    if not seen_in:
        return
    key = (seen_in, _text_of(row, "audio"), row.get("id"), row.get("start_s"), row.get("end_s"))
    if key in answers:
        other, whose = answers[key]
        hint = "take one of them out of the folder"
        if strategy != whose:
            hint = f"of {whose} and of {strategy}: choose with --strategy, or strategy= in Python"
        raise InputError(f"{other} and {where}: two answers to {seen_in}; {hint}.")
    answers[key] = (where, strategy)


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
    counts = rle.check(dict(mask))
    return Instance(str(phrase), float(score), (x0, y0, x1, y1), {"size": list(size_hw), "counts": counts}, track)
