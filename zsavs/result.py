"""The answer: which pixels are sounding, what they are, how sure we are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ContractError, OutputError, ResultFileError
from zsavs.media.arrays import frozen
from zsavs.storage import rle
from zsavs.storage.files import png, read_text, write_atomically, write_png
from zsavs.storage.packed_maps import MAX_BYTES, UNREADABLE, checked_size, decode_masks, pack_map, unpack_map
from zsavs.types import AudioClip, Query, when

if TYPE_CHECKING:
    from PIL import Image

    from zsavs.protocols import TextEncoder

__all__ = ["AVSResult"]

#: Version of the JSON layout; a reader refuses one that it does not know.
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class AVSResult:
    """The sounding objects of one image. No objects is an answer, not an error.

    Everything is in the coordinates of the image as displayed. Two invariants hold, and are checked:
    ``mask == masks.any(0)`` and ``mask == (score_map > 0.5)``. Inside a selected region the score map is the
    probability of its mask; regions that were considered and not selected enter at less than 0.5, so that metrics
    over the soft map see the whole ranking.

    Args:
        masks: (N, H, W) bool, one for each sounding object, most certain first.
        boxes_xyxy: (N, 4) float32, the tight box of each mask in pixels, x1 and y1 exclusive.
        phrases: N labels, in the words of the vocabulary or the caption.
        scores: (N,) float32 in [0, 1], how sure we are that this object is there and sounds.
        score_map: (H, W) float32 in [0, 1].
        queries: what was heard, with weights, whether it was found in the image or not, and when, if that is known.
        timings: seconds for each stage, and for a test-time optimisation apart from the query that it serves; a
            batch's time is shared equally among its items.
        meta: strategy and settings, preset, models with revisions and licences, and under "notes" what the strategy
            says of this sample (the steps of a test-time optimisation); plain JSON values.
        frame: the image itself, kept for :meth:`save` and :meth:`show`; not part of the saved result.
        audio: the audio clip that was heard, kept for :meth:`card` and notebooks; not part of the saved result.

    Raises:
        ContractError: shapes disagree, or an invariant is broken.
    """

    masks: NDArray[np.bool_]
    boxes_xyxy: NDArray[np.float32]
    phrases: tuple[str, ...]
    scores: NDArray[np.float32]
    score_map: NDArray[np.float32]
    queries: Query = field(default_factory=Query.nothing)
    timings: Mapping[str, float] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    frame: NDArray[np.uint8] | None = field(default=None, repr=False)
    audio: AudioClip | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "phrases", tuple(self.phrases))
        object.__setattr__(self, "timings", dict(self.timings))
        object.__setattr__(self, "meta", dict(self.meta))
        for name in ("masks", "boxes_xyxy", "scores", "score_map"):
            if not isinstance(getattr(self, name), np.ndarray):
                raise ContractError(
                    f"AVSResult.{name}: expected a numpy array, got {type(getattr(self, name)).__name__}."
                )
        if not all(isinstance(phrase, str) for phrase in self.phrases):
            raise ContractError(f"AVSResult.phrases: expected texts, got {self.phrases!r:.80}.")
        count, size = len(self.phrases), self.score_map.shape
        if len(size) != 2:
            raise ContractError(f"AVSResult.score_map: expected (height, width), got shape {size}.")
        for name, dtype, shape in (
            ("masks", np.bool_, (count, *size)),
            ("boxes_xyxy", np.float32, (count, 4)),
            ("scores", np.float32, (count,)),
            ("score_map", np.float32, size),
        ):
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape:
                raise ContractError(
                    f"AVSResult.{name}: expected {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}."
                )
            object.__setattr__(self, name, frozen(array))
        if not np.isfinite(self.boxes_xyxy).all():
            raise ContractError("AVSResult.boxes_xyxy: every coordinate must be finite, found NaN or infinity.")
        for name in ("scores", "score_map"):
            array = getattr(self, name)
            if array.size and not (array.min() >= 0 and array.max() <= 1):
                raise ContractError(f"AVSResult.{name}: values must lie in [0, 1].")
        if not np.array_equal(self.mask, self.masks.any(axis=0)):
            raise ContractError("AVSResult: score_map > 0.5 must hold exactly where one of the masks is set.")
        if self.frame is not None and self.frame.shape != (*size, 3):
            raise ContractError(f"AVSResult.frame: expected an image of {size}, got an array of {self.frame.shape}.")

    @classmethod
    def nothing(cls, size_hw: tuple[int, int], **rest: Any) -> AVSResult:
        """The answer "nothing in view is sounding" for an image of ``size_hw`` (height, width)."""
        return cls(
            masks=np.zeros((0, *size_hw), np.bool_),
            boxes_xyxy=np.zeros((0, 4), np.float32),
            phrases=(),
            scores=np.zeros(0, np.float32),
            score_map=np.zeros(size_hw, np.float32),
            **rest,
        )

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: every sounding pixel."""
        return self.score_map > np.float32(0.5)

    def __len__(self) -> int:
        return len(self.phrases)

    def __repr__(self) -> str:
        height, width = self.score_map.shape
        found = ", ".join(f"{p!r} {s:.2f}" for p, s in zip(self.phrases, self.scores, strict=True))
        return f"AVSResult({len(self)} mask{'s'[: len(self) != 1]}, {height}x{width}{': ' if found else ''}{found})"

    # ------------------------------------------------------------------ images
    def overlay(self, image: NDArray[np.uint8] | None = None) -> Image.Image:
        """Draw the masks, labels and scores over the image.

        Args:
            image: (H, W, 3) uint8; the image that the result was made from if it is left out. A result that was
                read back from a file has none: its masks are then drawn on a transparent ground.

        Raises:
            ContractError: the image's size is not that of the result.
        """
        from zsavs import draw

        image = self.frame if image is None else image
        if image is None:
            return draw.mask_layer(self.masks, self.phrases, self.scores)
        if np.shape(image)[:2] != self.score_map.shape:
            raise ContractError(f"overlay: expected an image of {self.score_map.shape}, got {np.shape(image)[:2]}.")
        return draw.overlay(image, self.masks, self.phrases, self.scores, self.boxes_xyxy)

    def card(
        self, audio: AudioClip | None = None, title: str = "", image: NDArray[np.uint8] | None = None
    ) -> Image.Image:
        """Draw a page to show: the image with what sounds, its audio, and what was heard, and when, if that is known.

        Args:
            audio: the audio clip that the result was made from; the result's own if it is left out.
            title: a line above the image.
            image: (H, W, 3) uint8; the image that the result was made from if it is left out.

        Raises:
            ContractError: a result that was read back from a file needs the image, of its size, and the audio clip.
        """
        from zsavs import draw

        image = self.frame if image is None else image
        audio = self.audio if audio is None else audio
        if image is None or np.shape(image)[:2] != self.score_map.shape:
            raise ContractError(f"card: give the image that belongs to this result, {self.score_map.shape} pixels.")
        if audio is None:
            raise ContractError("card: give the audio clip that belongs to this result.")
        heard = list(zip(self.queries.phrases, map(float, self.queries.weights), strict=True))
        found = (self.masks, self.phrases, self.scores, self.boxes_xyxy)
        return draw.card(image, *found, audio, heard, title, self.queries.times)

    def show(self) -> None:
        """Show the result: in a notebook as a figure with its audio to play, elsewhere in the system's image viewer.

        Raises:
            OutputError: no image viewer can be started here; :meth:`save` writes files instead.
        """
        from zsavs.draw.notebook import show

        show(self, self.overlay())

    def _repr_png_(self) -> bytes:
        """The overlay as a PNG file, for notebooks."""
        return png(self.overlay())

    def _repr_html_(self) -> str:
        """The overlay, the audio to play, and a table of what was found and heard, for notebooks."""
        from zsavs.draw.notebook import result_html

        found = zip(self.phrases, map(float, self.scores), (int(mask.sum()) for mask in self.masks), strict=True)
        times = map(when, self.queries.times or ((),) * len(self.queries))
        heard = zip(self.queries.phrases, map(float, self.queries.weights), times, strict=True)
        return result_html(self._repr_png_(), self.audio, list(found), list(heard))

    def semantic(self, label_set: str | Sequence[str], encoder: TextEncoder | None = None) -> NDArray[np.uint8]:
        """A class for every pixel: (H, W) uint8, 0 is the background.

        Phrases find their class by its name and synonyms, then by the nearest text embedding; one that is like none
        stays background (:class:`zsavs.language.label_maps.ClassMapper`, which also says which class a phrase has got).

        Args:
            label_set: "avss" (71 classes), "vpo" (22), or the names by id with the background first.
            encoder: for phrases that words do not decide; best ``pipe.verifier.image_scorer.encoder``.

        Raises:
            UnknownName: no such label set.

        >>> AVSResult.nothing((2, 3)).semantic("vpo").tolist()
        [[0, 0, 0], [0, 0, 0]]
        """
        from zsavs.language.label_maps import class_mapper, label_map, text_embedder

        return label_map(self.phrases, self.masks, class_mapper(label_set, text_embedder(encoder)))

    # --------------------------------------------------------------------- files
    def save(self, folder: str | os.PathLike[str], stem: str) -> dict[str, Path]:
        """Write the result as four files, each complete or not there at all.

        Args:
            folder: made if it does not exist.
            stem: start of the file names, without folders.

        Returns:
            ``{"overlay": <stem>_overlay.png, "mask": <stem>_mask.png (0 and 255), "score_map": <stem>_score.png
            (16 bit, 65535 is 1.0), "json": <stem>.json}`` with their folder.

        Raises:
            OutputError: the folder cannot be written, or the disk is full.
            ContractError: ``meta`` or ``timings`` hold something that JSON does not.
        """
        from PIL import Image

        if not stem or Path(stem).name != stem:
            raise OutputError(f"{stem!r} cannot be the start of a file name; give a name without folders.")
        try:
            root = Path(folder)
        except TypeError as error:
            raise OutputError(f"expected the name of a folder to write to, got {type(folder).__name__}.") from error
        files = {
            "overlay": root / f"{stem}_overlay.png",
            "mask": root / f"{stem}_mask.png",
            "score_map": root / f"{stem}_score.png",
            "json": root / f"{stem}.json",
        }
        levels = np.rint(self.score_map * np.float32(65535)).astype(np.uint16)
        text = self.to_json().encode()
        images = {
            "overlay": self.overlay(),
            "mask": Image.fromarray(self.mask.astype(np.uint8) * 255),
            "score_map": Image.fromarray(levels),
        }
        for name, image in images.items():
            write_png(files[name], image)
        write_atomically(files["json"], lambda file: file.write(text))
        return files

    def to_dict(self) -> dict[str, Any]:
        """The result but its image and its score map, as plain JSON values: objects with masks, and what was heard."""
        objects = [
            {"phrase": phrase, "score": float(score), "box_xyxy": [float(x) for x in box], "mask": rle.encode(mask)}
            for phrase, score, box, mask in zip(self.phrases, self.scores, self.boxes_xyxy, self.masks, strict=True)
        ]
        heard: list[dict[str, Any]] = [
            {"phrase": phrase, "weight": float(weight)}
            for phrase, weight in zip(self.queries.phrases, self.queries.weights, strict=True)
        ]
        for row, times in zip(heard, self.queries.times or (), strict=False):
            row["times_s"] = times
        return {
            "format": _FORMAT,
            "size_hw": list(self.score_map.shape),
            "objects": objects,
            "heard": heard,
            "timings_s": self.timings,
            "meta": self.meta,
        }

    def to_json(self) -> str:
        """The whole result but the image, exactly, as JSON text; :meth:`load` restores it.

        Raises:
            ContractError: ``meta`` or ``timings`` hold something that JSON does not.
        """
        data = {**self.to_dict(), "score_map": pack_map(self.score_map)}
        try:
            text = json.dumps(data, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ContractError(f"AVSResult.meta and timings hold plain JSON values only ({error}).") from error
        # A file name that is no UTF-8 reaches us with lone surrogates; written as \udcXX they are JSON, and come back.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> AVSResult:
        """Read a result back: masks, boxes, scores and score map bit for bit.

        Query embeddings and priors, and the image, are not saved.

        Args:
            source: the path of a JSON file written by :meth:`save`, or the text that :meth:`to_json` gave.

        Raises:
            ResultFileError: there is no such file, or it is not a result that this version can read.
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
            except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a NUL in the path
                raise ResultFileError(f"{where}: cannot be read ({error}); give the .json file of a result.") from error
        try:
            data = json.loads(text)
            if data["format"] != _FORMAT:
                raise ResultFileError(
                    f"{where}: written in format {data['format']}, this version reads format {_FORMAT}; update zsavs."
                )
            objects, size = data["objects"], checked_size(data["size_hw"], len(data["objects"]))
            heard = data["heard"]
            return cls(
                masks=decode_masks([o["mask"] for o in objects], size),
                boxes_xyxy=np.array([o["box_xyxy"] for o in objects], np.float32).reshape(-1, 4),
                phrases=tuple(o["phrase"] for o in objects),
                scores=np.array([o["score"] for o in objects], np.float32),
                score_map=unpack_map(data["score_map"], size),
                queries=Query(
                    tuple(row["phrase"] for row in heard),
                    np.array([row["weight"] for row in heard], np.float32),
                    times=tuple(row["times_s"] for row in heard) if heard and "times_s" in heard[0] else None,
                ),
                timings=data["timings_s"],
                meta=data["meta"],
            )
        except UNREADABLE as error:
            raise ResultFileError(f"{where}: not a zsavs result ({type(error).__name__}: {error}).") from error

    def to_coco(self, *, compressed: bool = False) -> dict[str, Any]:
        """The result as a whole COCO file, which pycocotools loads; :func:`zsavs.to_coco` makes one of several results.

        Args:
            compressed: masks as COCO's compressed strings, which needs pycocotools, in place of lists of run lengths.

        Raises:
            MissingExtra: pycocotools is not installed.
        """
        from zsavs.formats.coco import to_coco

        return to_coco(self, compressed=compressed)

    def to_supervision(self) -> Any:
        """The objects as ``supervision.Detections``; see :func:`zsavs.formats.supervision.to_supervision`.

        Raises:
            MissingExtra: supervision is not installed.
        """
        from zsavs.formats.supervision import to_supervision

        return to_supervision(self)
