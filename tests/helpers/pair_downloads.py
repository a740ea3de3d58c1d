"""Miniature downloads of COCO val2017 and ESC-50, in which things have colours and sounds of the toy world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from zsavs.testing import toy


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


#: The panoptic categories of COCO: 80 things, and stuff.
THINGS = _names(
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"
    "skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,"
    "cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)
STUFF = _names(
    "banner,blanket,bridge,cardboard,counter,curtain,door-stuff,floor-wood,flower,fruit,gravel,house,light,"
    "mirror-stuff,net,pillow,platform,playingfield,railroad,river,road,roof,sand,sea,shelf,snow,stairs,tent,towel,"
    "wall-brick,wall-stone,wall-tile,wall-wood,water-other,window-blind,window-other,tree-merged,fence-merged,"
    "ceiling-merged,sky-other-merged,cabinet-merged,table-merged,floor-other-merged,pavement-merged,mountain-merged,"
    "grass-merged,dirt-merged,paper-merged,food-other-merged,building-other-merged,rock-merged,wall-other-merged,"
    "rug-merged"
)
#: The categories of ESC-50.
CATEGORIES = _names(
    "dog,rooster,pig,cow,frog,cat,hen,insects,sheep,crow,rain,sea_waves,crackling_fire,crickets,chirping_birds,"
    "water_drops,wind,pouring_water,toilet_flush,thunderstorm,crying_baby,sneezing,clapping,breathing,coughing,"
    "footsteps,laughing,brushing_teeth,snoring,drinking_sipping,door_wood_knock,mouse_click,keyboard_typing,"
    "door_wood_creaks,can_opening,washing_machine,vacuum_cleaner,clock_alarm,clock_tick,glass_breaking,helicopter,"
    "chainsaw,siren,car_horn,engine,train,church_bells,airplane,fireworks,hand_saw"
)
ESC10 = {"dog", "rooster", "rain", "sea_waves", "crackling_fire", "crying_baby", "sneezing", "clock_tick"}
ESC10 |= {"helicopter", "chainsaw"}

LICENCES = {1: "Attribution License", 4: "Attribution-NonCommercial License", 7: "No known copyright restrictions"}
SIZE_HW = (96, 128)

#: What is in view, image after image, again and again; "-" behind a label makes it tiny, "+" adds a crowd of it.
VIEWS = (
    *(("dog+", "grass-merged"), ("cat", "dog-"), ("car", "truck"), ("person", "sea"), ("person", "chair"), ("bus",)),
    *(("bird", "tree-merged"), ("train", "railroad"), ("car",), ("person", "umbrella"), ("laptop", "keyboard")),
    *(("keyboard", "mouse"), ("pizza",), ("person-", "bed"), ("cow", "sheep"), ("clock", "person"), ("bird", "kite")),
)
_COLOUR = {"dog": "red", "cat": "yellow", "person": "green", "car": "blue", "bird": "purple", "train": "orange"}
_SOUND_COLOUR = {name: _COLOUR[name] for name in ("dog", "cat", "train")}
_SOUND_COLOUR |= dict.fromkeys(("rooster", "hen", "crow", "chirping_birds"), "purple")
_SOUND_COLOUR |= dict.fromkeys(("sneezing", "clapping", "coughing", "laughing", "footsteps", "crying_baby"), "green")
_SOUND_COLOUR |= dict.fromkeys(("car_horn", "engine", "siren"), "blue")

Truth = dict[str, dict[str, NDArray[np.bool_]]]


def write_downloads(root: Path, images: int = 3 * len(VIEWS)) -> Truth:
    """Write ``coco/`` and ``ESC-50-master/`` below a folder; the mask of each label by the stem of its image."""
    _write_esc50(root / "ESC-50-master")
    return _write_coco(root / "coco", images)


def _write_coco(root: Path, count: int) -> Truth:
    for name in ("val2017", "annotations/panoptic_val2017"):
        (root / name).mkdir(parents=True)
    # Numbers of categories are neither dense nor in the order of the list.
    numbers = {label: 3 * place + 5 for place, label in enumerate(reversed((*THINGS, *STUFF)))}
    truth: Truth = {}
    images, annotations = [], []
    for place in range(count):
        stem = f"{37 * place + 139:012d}"
        ids, segments, truth[stem] = _segments(VIEWS[place % len(VIEWS)], place, numbers)
        colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
        Image.fromarray(colours).save(root / "annotations" / "panoptic_val2017" / f"{stem}.png")
        _draw(truth[stem], place).save(root / "val2017" / f"{stem}.jpg", quality=95, subsampling=0)
        licence = list(LICENCES)[place % len(LICENCES)]
        facts = {"file_name": f"{stem}.jpg", "height": SIZE_HW[0], "width": SIZE_HW[1], "license": licence}
        images.append({"id": int(stem), "flickr_url": f"http://farm.example/{stem}.jpg", **facts})
        annotations.append({"image_id": int(stem), "file_name": f"{stem}.png", "segments_info": segments})
    listing = {
        "licenses": [{"id": i, "name": name, "url": f"http://licences.example/{i}"} for i, name in LICENCES.items()],
        "categories": [{"id": i, "name": name, "isthing": int(name in THINGS)} for name, i in numbers.items()],
        "images": images,
        "annotations": annotations[::-1],
    }
    (root / "annotations" / "panoptic_val2017.json").write_text(json.dumps(listing))
    return truth


def _segments(
    view: tuple[str, ...], seed: int, numbers: dict[str, int]
) -> tuple[NDArray[np.int64], list[dict[str, Any]], dict[str, NDArray[np.bool_]]]:
    """The ids of an image, its list of segments, and the mask of each label."""
    ids = np.zeros(SIZE_HW, np.int64)
    rng = np.random.default_rng(seed)
    segments, masks = [], {}
    for column, entry in enumerate(view):
        label, left = entry.rstrip("-+"), column * SIZE_HW[1] // len(view) + 4
        side = 5 if entry.endswith("-") else int(rng.integers(24, 36))
        boxes = [(8, left, side)] + ([(60, left, 20)] if entry.endswith("+") else [])
        masks[label] = np.zeros(SIZE_HW, np.bool_)
        for crowd, (y, x, width) in enumerate(boxes):
            # Ids that are told apart by each of the three colours alone.
            number = [3, 3 + 256, 3 + 65536, 300 + 2 * 65536][2 * column + crowd]
            ids[y : y + width, x : x + width] = number
            masks[label][y : y + width, x : x + width] = True
            facts = {"category_id": numbers[label], "area": width * width, "iscrowd": crowd}
            segments.append({"id": number, "bbox": [x, y, width, width], **facts})
    return ids, segments, masks


def _draw(masks: dict[str, NDArray[np.bool_]], seed: int) -> Image.Image:
    canvas = np.random.default_rng(seed).normal(128, 3, (*SIZE_HW, 1)).repeat(3, axis=2)
    for label, mask in masks.items():
        if label in _COLOUR:
            canvas[mask] = toy.COLOURS[_COLOUR[label]]
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))


def _write_esc50(root: Path) -> None:
    for name in ("meta", "audio"):
        (root / name).mkdir(parents=True)
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for target, category in enumerate(CATEGORIES):
        for take in "AB":
            name = f"{1 + target % 5}-{1000 + target}-{take}-{target}.wav"
            clip = toy.tone(*([_SOUND_COLOUR[category]] if category in _SOUND_COLOUR else []), seconds=1.0)
            soundfile.write(root / "audio" / name, clip.waveform[0], clip.sample_rate_hz)
            rows.append(f"{name},{1 + target % 5},{target},{category},{category in ESC10},{1000 + target},{take}")
    (root / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
