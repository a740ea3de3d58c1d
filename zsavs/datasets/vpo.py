"""VPO: COCO images with VGGSound clips, one or more an image, in mono, or in stereo from left to right.

SS has one source, MS several of different classes, MSMI also several of one class. Objects in view without a clip are
background. Layout and audio: dataset/vpo_mono and dataset/vpo_stereo in cyh-0/CAVP at 96a6c34. Two defects of that
code are not repeated: class ids that are overwritten by later ones (cars beside airplanes), and the crop of short
clips (:func:`zsavs.datasets.audio.centre_crop`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

from zsavs.datasets.audio import AudioFiles, mix
from zsavs.datasets.base import Counts, Item, Reader, Target
from zsavs.datasets.layout import find_folder, need_folder
from zsavs.datasets.masks import check_size, read_ids, read_image
from zsavs.datasets.metadata import read_table, relative_path
from zsavs.errors import InputError
from zsavs.language.label_sets import vpo_classes, vpo_table
from zsavs.types import AVSample

__all__ = ["VPO", "VPOMS", "VPOMSMI", "VPOSS", "VPOMSMIStereo", "VPOMSStereo", "VPOSSStereo"]

#: Where the audio clips are, from the folder that holds VPO.
_AUDIOS = "vggsound_bench/VGGSound/audios"
RATE_HZ = 16_000
LENGTH_S = 3.0


class _Source(NamedTuple):
    """A row of the list: the class of a source, its audio clip, and its position (0 left, 1 right)."""

    category: str
    clip: str
    position: float


class _Scene(NamedTuple):
    """An item: its image and mask, as paths below the folder of VPO, and its sources."""

    image: str
    mask: str
    sources: tuple[_Source, ...]


class VPO(Reader):
    """What the parts of VPO share; the classes below name one each, in mono or stereo.

    Args:
        root: the folder that holds ``VPO/`` and ``vggsound_bench/``, or its ``VPO/``.
        split: "train" or "test"; the lists call the latter "val" or "test".
        audios: the folder with the clips, if it is not ``vggsound_bench/VGGSound/audios``.

    Target: native size; labels over the 22 classes, 255 where pixels do not count; sources in the order of the list.
    The audio is 3 s at 16 kHz: the middles of the clips, added without scaling. An id is the image's name, in SS the
    mask's.

    Raises:
        UnknownName: no such split.
        InputError: lists or folders are missing, or a row cannot be right.
    """

    suite = "cavp"
    splits = ("train", "test")
    #: Folder below VPO, and the name of its list.
    tree: ClassVar[str]
    table: ClassVar[str]
    stereo: ClassVar[bool] = False

    def __init__(
        self, root: str | os.PathLike[str], *, split: str = "test", audios: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__(root, split)
        self.classes = vpo_classes()
        self._base = find_folder(self.root, ("VPO", ""), f"{self.tree}/{self.table}")
        self._audios = self._base.parent / _AUDIOS if self._base.name == "VPO" else self.root / _AUDIOS
        self._audios = need_folder(self._audios if audios is None else Path(audios).expanduser())
        self._audio_files = AudioFiles()
        self._scenes: dict[str, _Scene] = {}
        self.annotations = (self._base / self.tree / self.table,)
        self._read(self._base / self.tree / self.table)
        if not self._scenes:
            raise InputError(f"{self._base / self.tree / self.table}: no row of the split {split!r}.")

    def _read(self, table: Path) -> None:
        columns = ["img_Id", "cateName", "vgg_file", "split", *self._more_columns()]
        for row in read_table(table, columns):
            values = dict(zip(columns, row, strict=True))
            if ("test" if values["split"] == "val" else values["split"]) != self.split:
                continue
            try:
                image = int(float(values["img_Id"]))
                position = float(values.get("audio_pos", "0.5"))
            except (ValueError, OverflowError) as error:
                raise InputError(f"{table}: expected numbers in img_Id and audio_pos, found {values}.") from error
            if not 0 <= position <= 1:
                raise InputError(f"{table}: audio_pos must lie in [0, 1], found {values}.")
            category, clip = relative_path(values["cateName"], table), relative_path(values["vgg_file"], table)
            self._add(image, values, _Source(category, clip, position))

    def _more_columns(self) -> tuple[str, ...]:
        return ("audio_pos",) if self.stereo else ()

    def _add(self, image: int, values: Mapping[str, str], source: _Source) -> None:
        """Take in a row of the list: one more source of an item, or a new item."""
        item = f"{image:012d}"
        if item in self._scenes:
            scene = self._scenes[item]
            self._scenes[item] = scene._replace(sources=(*scene.sources, source))
        else:
            tree = self._tree_of(values)
            self._scenes[item] = _Scene(f"{tree}/data/{item}.jpg", f"{tree}/mask/{item}.png", (source,))

    def _tree_of(self, values: Mapping[str, str]) -> str:
        return self.tree

    def __len__(self) -> int:
        return len(self._scenes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._scenes)

    def group_count(self) -> int:
        """Number of images."""
        return len({scene.image for scene in self._scenes.values()})

    def files(self, item: str) -> tuple[Path, ...]:
        """Image, mask and clips of an item; see :meth:`Reader.files`."""
        scene = self._find(item)
        return (self._base / scene.image, self._base / scene.mask, *self._clips(scene))

    def load(self, item: str) -> Item:
        """Read one image with the audio of its sources; see :meth:`Reader.load`."""
        scene = self._find(item)
        image = read_image(self._base / scene.image)
        labels = read_ids(self._base / scene.mask, vpo_table())
        check_size(labels, image, self._base / scene.mask)
        audio = mix(
            [self._audio_files(path) for path in self._clips(scene)],
            [source.position for source in scene.sources] if self.stereo else None,
            rate_hz=RATE_HZ,
            length_s=LENGTH_S,
        )
        names = tuple(source.category for source in scene.sources)
        group = Path(scene.image).stem
        target = Target.from_labels(
            labels,
            self.classes,
            category=names[0] if len(set(names)) == 1 else "",
            sources=names,
            video_id=group,
            group=group,
        )
        return Item(AVSample(image, audio, self.sample_name(item)), target)

    def _find(self, item: str) -> _Scene:
        if item not in self._scenes:
            raise self.unknown(item)
        return self._scenes[item]

    def _clips(self, scene: _Scene) -> list[Path]:
        return [self._audios / f"{source.clip}.wav" for source in scene.sources]


class VPOSS(VPO):
    """VPO-SS in mono: one source; every row of the list is an item. See :class:`VPO`."""

    name = "vpo_ss"
    tree, table = "VPO-SS", "vpo_ss_data_stereo.csv"
    published: ClassVar[Mapping[str, Counts]] = {"test": Counts(890)}

    def _more_columns(self) -> tuple[str, ...]:
        return (*super()._more_columns(), "ann_Ids")

    def _add(self, image: int, values: Mapping[str, str], source: _Source) -> None:
        try:
            mask = f"{image:012d}_{int(float(values['ann_Ids'])):012d}"
        except (ValueError, OverflowError) as error:
            raise InputError(f"{self._base}: expected a number in ann_Ids, found {dict(values)}.") from error
        item, times = mask, 1
        while item in self._scenes:  # the same object with another clip
            times += 1
            item = f"{mask}_{times}"
        in_category = f"{source.category}/{image:012d}"
        self._scenes[item] = _Scene(
            f"{self.tree}/data/{in_category}.jpg", f"{self.tree}/mask/{source.category}/{mask}.png", (source,)
        )


class VPOSSStereo(VPOSS):
    """VPO-SS in stereo, the source at its position from left to right. See :class:`VPO`."""

    name = "vpo_ss_stereo"
    stereo = True


class VPOMS(VPO):
    """VPO-MS in mono: several sources of different classes. See :class:`VPO`."""

    name = "vpo_ms"
    tree, table = "VPO-MS", "vpo_ms_data_stereo.csv"


class VPOMSStereo(VPOMS):
    """VPO-MS in stereo, every source at its position from left to right. See :class:`VPO`."""

    name = "vpo_ms_stereo"
    stereo = True


class VPOMSMI(VPO):
    """VPO-MSMI in mono: several sources, also of one class. See :class:`VPO`.

    Rows whose ``multi_instance`` is 0 are images of VPO-MS, which must be there too.
    """

    name = "vpo_msmi"
    tree, table = "VPO-MSMI", "vpo_msmi_data_stereo.csv"

    def _more_columns(self) -> tuple[str, ...]:
        return (*super()._more_columns(), "multi_instance")

    def _tree_of(self, values: Mapping[str, str]) -> str:
        return "VPO-MS" if values["multi_instance"] in ("0", "0.0", "False") else self.tree


class VPOMSMIStereo(VPOMSMI):
    """VPO-MSMI in stereo, every source at its position from left to right. See :class:`VPO`."""

    name = "vpo_msmi_stereo"
    stereo = True
