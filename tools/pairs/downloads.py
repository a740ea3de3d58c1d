"""The official downloads of COCO val2017 and ESC-50, read as they are unpacked; nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsavs.datasets.layout import folder_content
from zsavs.datasets.metadata import load_json, read_table, relative_path
from zsavs.errors import InputError
from zsavs.media.image_file import decode, load_image
from zsavs.storage.files import is_there

__all__ = ["Clip", "Coco", "CocoImage", "Licence", "read_coco", "read_esc50"]

_CC = "https://creativecommons.org/licenses"
_IMAGES = "val2017"
_PANOPTIC = "annotations/panoptic_val2017.json"
_INSTANCES = "annotations/instances_val2017.json"
_EXIF_ORIENTATION = 0x0112
_MASKS = ("annotations/panoptic_val2017", "panoptic_val2017")


@dataclass(frozen=True)
class Licence:
    """A licence, by the name that the download gives it."""

    name: str
    url: str


@dataclass(frozen=True)
class CocoImage:
    """An image with its panoptic annotation.

    Args:
        file: the JPEG file.
        panoptic: the PNG file, in which a segment's pixels have the colour r + 256 g + 65536 b = its id.
        url: where the image was published.
        licence: of the image, by its author.
        segments: ids of the segments of each label in the image, of things and of stuff, crowds included.
        shares: what part of the image's area each label covers, in [0, 1].
        things: the labels that are things, in alphabetical order.
    """

    file: Path
    panoptic: Path
    url: str
    licence: Licence
    segments: Mapping[str, tuple[int, ...]]
    shares: Mapping[str, float]
    things: tuple[str, ...]

    def upright(self) -> bool:
        """Whether the file is stored as it is displayed. The annotations are of what is stored.

        Raises:
            InputError: the file is not there, or cannot be read.
        """
        try:
            with Image.open(self.file) as image:
                return bool(image.getexif().get(_EXIF_ORIENTATION, 1) == 1)
        except FileNotFoundError as error:
            raise InputError(
                f"{self.file}: not there, though the download's list names it; unpack it again."
            ) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{self.file}: cannot be read as an image ({error}); unpack it again.") from error

    def mask(self, label: str) -> NDArray[np.bool_]:
        """All pixels of a label: (H, W) bool, of all its instances and crowds.

        Raises:
            InputError: a file cannot be read, their sizes differ, or a segment has no pixel.
        """
        stored = decode(self.panoptic)
        if stored.mode != "RGB":
            raise InputError(f"{self.panoptic}: expected an RGB image of segment ids, got {stored.mode!r}.")
        red, green, blue = np.moveaxis(np.asarray(stored).astype(np.int64), 2, 0)
        ids = red + 256 * green + 65536 * blue
        if ids.shape != (size := load_image(self.file).shape[:2]):
            raise InputError(
                f"{self.panoptic}: {ids.shape} pixels, the image {self.file} has {size}; unpack both again."
            )
        lost = set(self.segments[label]) - set(np.unique(ids).tolist())
        if lost:
            raise InputError(f"{self.panoptic}: no pixel of segment {min(lost)}, a {label!r}; unpack it again.")
        return np.isin(ids, self.segments[label])


@dataclass(frozen=True)
class Coco:
    """What is used of COCO.

    Args:
        images: all that are annotated, by file name.
        labels: names of all panoptic categories.
        licences: the licences that images can have.
    """

    images: tuple[CocoImage, ...]
    labels: tuple[str, ...]
    licences: tuple[Licence, ...]


@dataclass(frozen=True)
class Clip:
    """An audio file of ESC-50 with its category and licence."""

    file: Path
    category: str
    licence: Licence


def read_coco(root: Path) -> Coco:
    """Read what COCO val2017 says of its images; no image is opened.

    Raises:
        InputError: something is missing, or is not what it should be; says what, and of which download it is.
    """
    images = _need(root / _IMAGES, "val2017.zip")
    panoptic = _need(root / _PANOPTIC, "panoptic_annotations_trainval2017.zip")
    masks = next((root / place for place in _MASKS if is_there(root / place, folder=True)), None)
    if masks is None:
        inside = "panoptic_val2017.zip, which panoptic_annotations_trainval2017.zip holds"
        masks = _need(root / _MASKS[0], inside)
    try:
        return _coco(load_json(panoptic), images, masks, root)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{panoptic}: is no panoptic annotation of COCO ({reason}); unpack it again.") from error


def _coco(listing: Any, folder: Path, masks: Path, root: Path) -> Coco:
    names = {entry["id"]: (str(entry["name"]), bool(entry["isthing"])) for entry in listing["categories"]}
    licensed = listing
    if "licenses" not in listing or any("license" not in image for image in listing["images"]):
        licensed = load_json(_need(root / _INSTANCES, "annotations_trainval2017.zip"))
    licences = {entry["id"]: Licence(str(entry["name"]), str(entry["url"])) for entry in licensed["licenses"]}
    facts = {image["id"]: image for image in licensed["images"]}
    sizes = {image["id"]: image["width"] * image["height"] for image in listing["images"]}
    found = []
    for entry in listing["annotations"]:
        image = facts[entry["image_id"]]
        segments: dict[str, tuple[int, ...]] = {}
        shares: dict[str, float] = {}
        for segment in entry["segments_info"]:
            label, _ = names[segment["category_id"]]
            segments[label] = (*segments.get(label, ()), int(segment["id"]))
            shares[label] = shares.get(label, 0) + segment["area"] / sizes[entry["image_id"]]
        things = {label for label, thing in names.values() if thing and label in segments}
        found.append(
            CocoImage(
                folder / relative_path(image["file_name"], root / _PANOPTIC),
                masks / relative_path(entry["file_name"], root / _PANOPTIC),
                str(image.get("flickr_url", "")),
                licences[image["license"]],
                segments,
                shares,
                tuple(sorted(things)),
            )
        )
    found.sort(key=lambda image: image.file.name)
    return Coco(tuple(found), tuple(name for name, _ in names.values()), tuple(licences.values()))


def read_esc50(root: Path) -> tuple[Clip, ...]:
    """The clips of ESC-50, by file name; none is opened.

    Args:
        root: the folder that holds ``ESC-50-master``, or that folder itself.

    Raises:
        InputError: something is missing, or is not what it should be.
    """
    base = root / "ESC-50-master" if is_there(root / "ESC-50-master", folder=True) else root
    table = _need(base / "meta" / "esc50.csv", "ESC-50-master.zip")
    folder = _need(base / "audio", "ESC-50-master.zip")
    clips = []
    for name, category, esc10 in read_table(table, ("filename", "category", "esc10")):
        if esc10 not in ("True", "False"):
            raise InputError(f"{table}: {name!r} has {esc10!r} in the column esc10; expected True or False.")
        terms = "by" if esc10 == "True" else "by-nc"
        licence = Licence(f"CC {terms.upper()} 3.0", f"{_CC}/{terms}/3.0/")
        clips.append(Clip(folder / relative_path(name, table), category, licence))
    if not clips:
        raise InputError(f"{table}: holds no clips; unpack ESC-50-master.zip again.")
    return tuple(sorted(clips, key=lambda clip: clip.file.name))


def _need(path: Path, download: str) -> Path:
    """Return what must be there.

    Raises:
        InputError: it is not; says what is there, and which download holds it.
    """
    if is_there(path):
        return path
    parent = next((p for p in path.parents if is_there(p, folder=True)), Path("/"))
    raise InputError(
        f"{path}: not there; {parent} holds {folder_content(parent)}. It is in {download}, and tools/pairs/README.md "
        f"says where to get that."
    )
