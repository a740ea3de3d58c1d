"""The answer for a video: which objects sound, followed through its frames."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, OutputError, ResultFileError
from zsavs.media.arrays import checked_floats, checked_unit_range, frozen
from zsavs.result import AVSResult
from zsavs.storage import rle
from zsavs.storage.files import read_text, write_atomically, write_png
from zsavs.storage.packed_maps import MAX_BYTES, UNREADABLE, checked_size
from zsavs.types import Query, Times

__all__ = ["SHOW", "Track", "VideoResult"]

#: Version of the JSON layout, and its kind; a reader refuses what it does not know.
_FORMAT, _KIND = 1, "video"
#: When an object is shown: while it sounds, or wherever its mask is known.
SHOW = ("sounding", "always")


@dataclass(frozen=True, eq=False)
class Track:
    """One object of a video: where it is in the frames in which it was found, and when it sounds.

    Args:
        id: its number in the video, from 1.
        phrase: its label.
        times: when it sounds, on and off in seconds from the start of the video.
        frames: (F,) numbers of the video's frames in which its mask is known, increasing.
        scores: (F,) in [0, 1], how sure we are that it is there and sounds.
        boxes_xyxy: (F, 4) the tight boxes of its masks in pixels, x1 and y1 exclusive.
        runs: F masks as run lengths in COCO's form (:mod:`zsavs.storage.rle`); :meth:`mask` decodes them.

    Raises:
        ContractError: lengths disagree, frames do not increase, or values are out of range.
    """

    id: int
    phrase: str
    times: Times
    frames: NDArray[np.int64]
    scores: NDArray[np.float32]
    boxes_xyxy: NDArray[np.float32]
    runs: tuple[dict[str, list[int]], ...] = field(repr=False)

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, np.int64)
        if frames.ndim != 1 or (np.diff(frames) <= 0).any() or (frames < 0).any():
            raise ContractError(f"Track.frames: expected numbers of frames that increase, got {frames!r:.80}.")
        count = len(frames)
        if len(self.runs) != count:
            raise ContractError(f"Track.runs: expected a mask for each of {count} frames, got {len(self.runs)}.")
        object.__setattr__(self, "frames", frozen(frames))
        object.__setattr__(self, "scores", checked_unit_range(self.scores, (count,), "Track.scores"))
        object.__setattr__(self, "boxes_xyxy", checked_floats(self.boxes_xyxy, (count, 4), "Track.boxes_xyxy"))
        object.__setattr__(self, "runs", tuple(self.runs))
        object.__setattr__(self, "times", tuple((float(on), float(off)) for on, off in self.times))

    def __len__(self) -> int:
        return len(self.frames)

    def place(self, frame: int) -> int | None:
        """The position of a frame's number in :attr:`frames`; None where the object's mask is not known."""
        at = int(np.searchsorted(self.frames, frame))
        return at if at < len(self.frames) and self.frames[at] == frame else None

    def mask(self, frame: int) -> NDArray[np.bool_] | None:
        """Its mask (H, W) in a frame, by the frame's number; None where it is not known."""
        at = self.place(frame)
        return None if at is None else rle.decode(self.runs[at])

    def sounds_at(self, time_s: float) -> bool:
        """Whether it sounds at a time of the video."""
        return any(on <= time_s < off for on, off in self.times)


@dataclass(frozen=True, eq=False)
class VideoResult:
    """The sounding objects of a video, followed through its frames. No objects is an answer, not an error.

    Iterating gives an :class:`~zsavs.AVSResult` for each frame, with the objects that sound then; ``len`` is the number
    of frames.

    Args:
        frames: (T,) float64, when each frame that was looked at is shown, in seconds from the start of the video.
        size_hw: height and width of the video as displayed, in pixels.
        tracks: the objects, in the order in which they are first found.
        queries: what was heard in all of the video, whether it was found in view or not: phrases, weights, and when.
        source: the file of the video; "" where it was given as frames.
        timings: seconds for each stage, in all.
        meta: as in :class:`~zsavs.AVSResult`; under "notes" what has to be known of this video.

    Raises:
        ContractError: shapes disagree, or an object has a frame that the video does not.
    """

    frames: NDArray[np.float64]
    size_hw: tuple[int, int]
    tracks: tuple[Track, ...]
    queries: Query = field(default_factory=Query.nothing)
    source: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, np.float64)
        if frames.ndim != 1 or not np.isfinite(frames).all() or (np.diff(frames) < 0).any():
            raise ContractError(f"VideoResult.frames: expected times in seconds, in order, got {frames!r:.80}.")
        object.__setattr__(self, "frames", frozen(frames))
        object.__setattr__(self, "tracks", tuple(self.tracks))
        object.__setattr__(self, "size_hw", (int(self.size_hw[0]), int(self.size_hw[1])))
        object.__setattr__(self, "timings", dict(self.timings))
        object.__setattr__(self, "meta", dict(self.meta))
        ids = [track.id for track in self.tracks]
        if len(set(ids)) != len(ids):
            raise ContractError(f"VideoResult.tracks: every track needs an id of its own, got {ids}.")
        for track in self.tracks:
            if len(track) and track.frames[-1] >= len(frames):
                raise ContractError(
                    f"VideoResult: track {track.id} has frame {track.frames[-1]} of a video of {len(frames)} frames."
                )
            if any(tuple(runs["size"]) != self.size_hw for runs in track.runs):
                raise ContractError(f"VideoResult: track {track.id} has a mask that is not {self.size_hw} pixels.")

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[AVSResult]:
        return (self.frame(number) for number in range(len(self)))

    def __repr__(self) -> str:
        found = ", ".join(f"{track.id} {track.phrase!r} in {len(track)} frames" for track in self.tracks)
        return f"VideoResult({len(self)} frames{': ' if found else ''}{found})"

    def shown(self, number: int, show: str = "sounding") -> list[tuple[Track, int]]:
        """The tracks with a mask in a frame, and the place of it in each, surest first.

        Args:
            number: the frame's number, from 0.
            show: "sounding" for those that sound then, "always" for all.

        Raises:
            ContractError: no such frame, or another word for ``show``.
        """
        if show not in SHOW:
            raise ContractError(f"show must be one of {', '.join(SHOW)}, got {show!r}.")
        if not 0 <= number < len(self):
            raise ContractError(f"no frame {number}: this video has {len(self)}, numbered from 0.")
        time_s = float(self.frames[number])
        places = [(track, track.place(number)) for track in self.tracks if show == "always" or track.sounds_at(time_s)]
        known = [(track, place) for track, place in places if place is not None]
        return sorted(known, key=lambda pair: -float(pair[0].scores[pair[1]]))

    def frame(self, number: int, show: str = "sounding", image: NDArray[np.uint8] | None = None) -> AVSResult:
        """The result of one frame; its score map is 1 within the masks and 0 elsewhere.

        Args:
            number: the frame's number, from 0.
            show: see :meth:`shown`.
            image: (H, W, 3) uint8, the frame itself, for drawing.

        Raises:
            ContractError: as :meth:`shown`.
        """
        rows = self.shown(number, show)
        masks = [rle.decode(track.runs[place]) for track, place in rows]
        time_s = float(self.frames[number])
        times = self.queries.times or ((),) * len(self.queries)
        on = [any(a <= time_s < b for a, b in spans) for spans in times]
        stacked = np.stack(masks) if masks else np.zeros((0, *self.size_hw), np.bool_)
        return AVSResult(
            masks=stacked,
            boxes_xyxy=np.array([t.boxes_xyxy[p] for t, p in rows], np.float32).reshape(-1, 4),
            phrases=tuple(track.phrase for track, _ in rows),
            scores=np.array([track.scores[place] for track, place in rows], np.float32),
            score_map=np.asarray(stacked.any(axis=0), np.float32),
            queries=self.queries.rows(np.array(on, np.bool_)),
            meta={**self.meta, "time_s": time_s, "tracks": [track.id for track, _ in rows]},
            frame=image,
        )

    # --------------------------------------------------------------------- files
    def save(self, folder: str | os.PathLike[str], stem: str, masks: str = "rle") -> dict[str, Path]:
        """Write the result: ``<stem>.json``, and the masks as files if asked.

        Args:
            folder: made if it does not exist.
            stem: start of the file names, without folders.
            masks: "rle" for run lengths within the JSON alone; "png" for an image of each frame as well,
                ``<stem>_masks/00000.png``, 8-bit, in which a pixel's value is the place of the surest sounding track
                in :attr:`tracks`, from 1, and 0 where nothing sounds.

        Returns:
            "json", and with "png" also "masks", to what was written.

        Raises:
            OutputError: the folder cannot be written, or the disk is full; or more than 255 tracks for "png".
            ContractError: ``meta`` or ``timings`` hold something that JSON does not.
        """
        if not stem or Path(stem).name != stem:
            raise OutputError(f"{stem!r} cannot be the start of a file name; give a name without folders.")
        if masks not in ("rle", "png"):
            raise OutputError(f"masks: expected 'rle' or 'png', got {masks!r}.")
        files = {"json": Path(folder) / f"{stem}.json"}
        text = self.to_json().encode()
        write_atomically(files["json"], lambda file: file.write(text))
        if masks == "png":
            files["masks"] = Path(folder) / f"{stem}_masks"
            self._write_masks(files["masks"])
        return files

    def save_video(self, path: str | os.PathLike[str], **settings: Any) -> Path:
        """Write the video with what sounds marked in it, and the timeline of its sound beneath.

        Args:
            path: the file, for example "out.mp4".
            settings: of :func:`zsavs.temporal.annotate.annotate`: ``show``, ``codec``, ``progress``, and ``frames`` and
                ``audio`` where the result was made from frames.

        Raises:
            as :func:`zsavs.temporal.annotate.annotate`.
        """
        from zsavs.temporal.annotate import annotate

        return annotate(self, path, **settings)

    def save_page(self, folder: str | os.PathLike[str], stem: str, **settings: Any) -> dict[str, Path]:
        """Write ``<stem>.mp4``, as :meth:`save_video`, and ``<stem>.html``, a page that plays it with a lane a source.

        Args:
            folder: made if it does not exist.
            stem: start of the file names, without folders.
            settings: as of :meth:`save_video`.

        Returns:
            "video" and "page", to what was written.

        Raises:
            as :func:`zsavs.temporal.page.write_page`.
        """
        from zsavs.temporal.page import write_page

        return write_page(self, folder, stem, **settings)

    def _write_masks(self, folder: Path) -> None:
        from PIL import Image

        if len(self.tracks) > 255:
            raise OutputError(f"{folder}: {len(self.tracks)} tracks do not fit an 8-bit image; use masks='rle'.")
        places = {track.id: place for place, track in enumerate(self.tracks, start=1)}
        for number in range(len(self)):
            ids = np.zeros(self.size_hw, np.uint8)
            for track, place in reversed(self.shown(number)):  # the surest last, over the others
                ids[rle.decode(track.runs[place])] = places[track.id]
            write_png(folder / f"{number:05d}.png", Image.fromarray(ids))

    def to_dict(self) -> dict[str, Any]:
        """The whole result but the video itself, as plain JSON values."""
        times = self.queries.times or ((),) * len(self.queries)
        return {
            "format": _FORMAT,
            "kind": _KIND,
            "source": self.source,
            "size_hw": list(self.size_hw),
            "frames_s": self.frames.tolist(),
            "tracks": [
                {
                    "id": track.id,
                    "phrase": track.phrase,
                    "times_s": track.times,
                    "frames": track.frames.tolist(),
                    "scores": [float(score) for score in track.scores],
                    "boxes_xyxy": [[float(x) for x in box] for box in track.boxes_xyxy],
                    "masks": [runs["counts"] for runs in track.runs],
                }
                for track in self.tracks
            ],
            "heard": [
                {"phrase": phrase, "weight": float(weight), "times_s": spans}
                for phrase, weight, spans in zip(self.queries.phrases, self.queries.weights, times, strict=True)
            ],
            "timings_s": self.timings,
            "meta": self.meta,
        }

    def to_json(self) -> str:
        """The whole result but the video itself, exactly, as JSON text; :meth:`load` restores it.

        Raises:
            ContractError: ``meta`` or ``timings`` hold something that JSON does not.
        """
        try:
            text = json.dumps(self.to_dict(), ensure_ascii=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ContractError(f"VideoResult.meta and timings hold plain JSON values only ({error}).") from error
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> VideoResult:
        """Read a result back: tracks, boxes, scores and masks bit for bit.

        Args:
            source: the path of a JSON file written by :meth:`save`, or the text that :meth:`to_json` gave.

        Raises:
            ResultFileError: there is no such file, or it is no result of a video that this version can read.
        """
        try:
            text, where = os.fsdecode(source), "the JSON text"
        except TypeError as error:
            raise ResultFileError(
                f"expected the path or the text of a result, got {type(source).__name__}; give its .json file."
            ) from error
        if not text.lstrip().startswith("{"):
            where = text
            try:
                text = read_text(Path(source), max_bytes=MAX_BYTES)
            except (OSError, ValueError) as error:
                raise ResultFileError(f"{where}: cannot be read ({error}); give the .json file of a result.") from error
        try:
            data = json.loads(text)
            if data.get("kind") != _KIND:
                raise ResultFileError(f"{where}: not the result of a video; AVSResult.load reads that of an image.")
            if data["format"] != _FORMAT:
                raise ResultFileError(
                    f"{where}: written in format {data['format']}, this version reads format {_FORMAT}; update zsavs."
                )
            size = checked_size(data["size_hw"], 1)
            heard = data["heard"]
            return cls(
                frames=np.array(data["frames_s"], np.float64),
                size_hw=size,
                tracks=tuple(_track(row, size) for row in data["tracks"]),
                queries=Query(
                    tuple(row["phrase"] for row in heard),
                    np.array([row["weight"] for row in heard], np.float32),
                    times=tuple(row["times_s"] for row in heard) or None,
                ),
                source=data["source"],
                timings=data["timings_s"],
                meta=data["meta"],
            )
        except UNREADABLE as error:
            raise ResultFileError(f"{where}: not a zsavs result ({type(error).__name__}: {error}).") from error

    def to_coco(self, *, compressed: bool = False) -> dict[str, Any]:
        """The result as a YouTube-VIS file: an annotation for each track, with a mask for each frame or None.

        A frame in which the object does not sound has None. ``zsavs.to_coco(result)`` makes a COCO file of it, in which
        each frame is an image.

        Args:
            compressed: masks as COCO's compressed strings, which needs pycocotools, in place of lists of run lengths.

        Raises:
            MissingExtra: pycocotools is not installed.
        """
        from zsavs.formats.items import items_of
        from zsavs.formats.youtube_vis import videos_of

        return videos_of(items_of(self), compressed=compressed)


def _track(row: Mapping[str, Any], size_hw: Sequence[int]) -> Track:
    """A track of a file, with masks that can be decoded."""
    runs = [{"size": list(size_hw), "counts": counts} for counts in row["masks"]]
    for each in runs:
        rle.check(each)
    return Track(
        row["id"],
        row["phrase"],
        tuple((on, off) for on, off in row["times_s"]),
        np.array(row["frames"], np.int64),
        np.array(row["scores"], np.float32),
        np.array(row["boxes_xyxy"], np.float32).reshape(-1, 4),
        tuple(runs),
    )
