"""Miniature trees of the benchmarks, in the layouts in which they are distributed.

Every maker writes a tree and returns what it has written: the manifest that the readers are compared with. Images
are noise, masks are rectangles, and waveforms are stairs whose level in second k is k + 1 steps, so that a reader that
takes the wrong second, channel or part of an audio file is noticed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

#: Height of one step of a stair: exact in 16 bits.
STEP = 512 / 32768

_CLASSES = (
    "background accordion airplane axe baby bassoon bell bird boat boy bus car cat cello clarinet clipper clock dog "
    "donkey drum duck elephant emergency-car erhu flute frying-food girl goose guitar gun guzheng hair-dryer handpan "
    "harmonica harp helicopter hen horse keyboard leopard lion man marimba missile-rocket motorcycle mower parrot "
    "piano pig pipa saw saxophone sheep sitar sorna squirrel tabla tank tiger tractor train trombone truck trumpet "
    "tuba ukulele utv vacuum-cleaner violin wolf woman"
)
AVSS_CLASSES = _CLASSES.split()

Labels = NDArray[np.uint8]


def colour(label: int) -> tuple[int, int, int]:
    """The palette's rule: bit 3k + c of a label is bit 7 - k of channel c."""
    channels = [sum(((label >> (3 * k + c)) & 1) << (7 - k) for k in range(3)) for c in range(3)]
    return channels[0], channels[1], channels[2]


class Tree:
    """Writes files below a folder, making folders on the way."""

    def __init__(self, root: Path, seed: int = 11) -> None:
        self.root = root
        self.rng = np.random.default_rng(seed)

    def place(self, path: str) -> Path:
        """Where a file goes."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def image(self, path: str, height: int, width: int) -> None:
        """Noise in blocks of four pixels, so that JPEG keeps some of it."""
        rows, columns = -(-height // 4), -(-width // 4)
        blocks = self.rng.integers(0, 256, (rows, columns, 3), np.uint8)
        pixels = blocks.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
        Image.fromarray(pixels).save(self.place(path), quality=92)

    def rectangle(self, height: int, width: int) -> NDArray[np.bool_]:
        """A random rectangle, at least two pixels wide and high."""
        y0, x0 = self.rng.integers(0, height // 2), self.rng.integers(0, width // 2)
        y1, x1 = self.rng.integers(y0 + 2, height + 1), self.rng.integers(x0 + 2, width + 1)
        mask = np.zeros((height, width), np.bool_)
        mask[y0:y1, x0:x1] = True
        return mask

    def grey(self, path: str, mask: NDArray[np.bool_], value: int = 255, **options: Any) -> None:
        """A mask as a grey image."""
        Image.fromarray(np.where(mask, value, 0).astype(np.uint8)).save(self.place(path), **options)

    def indexed(self, path: str, indices: Labels, colours: Sequence[int] = ()) -> None:
        """A palette image, by default with a palette in which everything is black."""
        image = Image.fromarray(indices).convert("P")
        image.putpalette(list(colours) or [0] * 768)
        image.save(self.place(path))

    def stairs(self, path: str, seconds: float, *, rate: int = 8000, channels: int = 1, base: int = 0) -> None:
        """An audio file at the level of (base + k + 1) steps in second k; the second channel is its negative half."""
        level = base + 1 + np.arange(round(seconds * rate)) // rate
        wave = level * STEP
        soundfile.write(self.place(path), np.stack([wave, -wave / 2][:channels], axis=1), rate, subtype="PCM_16")

    def table(self, path: str, rows: Iterable[Sequence[Any]]) -> None:
        """A comma-separated file."""
        with self.place(path).open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    def json(self, path: str, content: Any) -> None:
        """A JSON file."""
        self.place(path).write_text(json.dumps(content))


def make_s4(root: Path) -> dict[str, Any]:
    """AVSBench-S4: names that start with "-" and "_", one name in two categories, a frame without a source in view."""
    tree, base, items = Tree(root), "avsbench_data/Single-source", []
    videos = [
        ("tRain-vid_01", "dog_barking", "train", 5.0),
        ("vAl_vid-0002", "playing_piano", "val", 5.0),
        ("-dash_vid003", "helicopter", "test", 5.0),
        ("_underscore4", "dog_barking", "test", 4.9),
        ("_underscore4", "male_speech", "test", 5.2),
        ("plain0vid005", "playing_violin", "test", 5.0),
    ]
    # Columns 0 to 2 under names that nobody has seen.
    rows: list[list[Any]] = [["clip", "begins_at", "label of it", "split", "comment"]]
    for place, (name, category, split, seconds) in enumerate(videos):
        rows.append([name, place, category, split, ""])
        within, areas = f"{split}/{category}/{name}", []
        for k in range(1, 6):
            tree.image(f"{base}/s4_data/visual_frames/{within}/{name}_{k}.png", 28, 40)
            if split == "train" and k > 1:
                continue
            mask = tree.rectangle(28, 40) & (name != "plain0vid005" or k != 4)
            # Foreground as 255, and in one video as 1.
            tree.grey(f"{base}/s4_data/gt_masks/{within}/{name}_{k}.png", mask, 1 if split == "val" else 255)
            areas.append(int(mask.sum()))
        tree.stairs(f"{base}/s4_data/audio_wav/{within}.wav", seconds, channels=2, base=6 * place)
        items.append(
            {"id": f"{category}/{name}", "split": split, "category": category, "areas": areas, "seconds": seconds}
            | {"base": 6 * place, "size": [28, 40], "name": name}
        )
    tree.table(f"{base}/s4_meta_data.csv", rows)
    return {"items": items, "sources": {"dog_barking": "dog", "male_speech": "man", "playing_violin": "violin"}}


def make_ms3(root: Path) -> dict[str, Any]:
    """AVSBench-MS3: no split folder and ".mp4" among the frames, palette masks, empty frames."""
    tree, base, items = Tree(root, 12), "avsbench_data/Multi-sources/ms3_data", []
    rows: list[list[Any]] = [["video_id", "split"]]
    videos = [("aTrain_01_0", "train"), ("bVal-0002_1", "val"), ("-cTest0003_2", "test"), ("dTest_0004_7", "test")]
    for place, (name, split) in enumerate(videos):
        rows.append([name, split])
        areas = []
        for k in range(1, 6):
            tree.image(f"{base}/visual_frames/{name}/{name}.mp4_{k}.png", 30, 30)
            mask = tree.rectangle(30, 30) & (k not in (2, 3) or split != "test")
            file = f"{base}/gt_masks/{split}/{name}/{name}_{k}.png"
            if name.startswith("d"):
                tree.indexed(file, np.where(mask, 3 + k, 0).astype(np.uint8))
            else:
                tree.grey(file, mask)
            areas.append(int(mask.sum()))
        tree.stairs(f"{base}/audio_wav/{split}/{name}.wav", 5.0, base=10 * place)
        items.append({"id": name, "split": split, "areas": areas, "seconds": 5.0, "base": 10 * place, "size": [30, 30]})
    tree.table("avsbench_data/Multi-sources/ms3_meta_data.csv", rows)
    return {"items": items}


def make_avss(root: Path) -> dict[str, Any]:
    """AVSBench-semantic: three parts, both encodings of the masks, dirt in the column a_obj, an unknown colour."""
    tree, base, items = Tree(root, 13), "avsbench_semantic", []
    palette = np.array([colour(k) for k in range(len(AVSS_CLASSES))], np.uint8)
    rows: list[list[Any]] = [["vid", "uid", "s_min", "s_sec", "a_obj", "split", "label"]]
    videos = [
        ("tRain-vid_01", "tRain-vid_01_3000_8000", "dog", "train", "v1s", (40, 60)),
        ("-dash_vid003", "-dash_vid003_1000_6000", "helicopter", "test", "v1s", (40, 60)),
        ("aTrain_01_0", "aTrain_01_0", "man_background", "train", "v1m", (50, 30)),
        ("-cTest0003_2", "-cTest0003_2", "man_piano", "test", "v1m", (50, 30)),
        ("dTest_0004_7", "dTest_0004_7", "dog", "test", "v1m", (50, 30)),
        ("two0Video_05", "two0Video_05_9000_19000", "woman_emergency-car_h orse", "test", "v2", (64, 36)),
        ("two0Video_06", "two0Video_06_0_10000", "off-the-screen", "test", "v2", (36, 64)),
        ("two0Video_07", "two0Video_07_0_10000", "hen_tiger", "val", "v2", (36, 64)),
        ("two0Video_08", "two0Video_08_0_10000", "helicopter_man", "train", "v2", (36, 64)),
    ]
    for place, (vid, uid, a_obj, split, part, (height, width)) in enumerate(videos):
        rows.append([vid, uid, 0, place, a_obj, split, part])
        names = [word.replace(" ", "") for word in a_obj.split("_")]
        named = [name for name in names if name not in ("background", "off-the-screen")]
        count = 10 if part == "v2" else 5
        folder, histograms = f"{base}/{part}/{uid}", []
        for i in range(count):
            tree.image(f"{folder}/frames/{i}.jpg", height, width)
            if part == "v1s" and split == "train" and i:
                continue
            labels = np.zeros((height, width), np.uint8)
            for name in named[: 1 + i % 3]:
                labels[tree.rectangle(height, width)] = AVSS_CLASSES.index(name)
            if part == "v1m" and i == 1:
                labels[:3, :3] = AVSS_CLASSES.index("sitar")  # which a_obj does not name
            colours = palette[labels]
            if part == "v1m" and i == 2:
                labels[-2:, -2:] = 0
                colours[-2:, -2:] = (1, 2, 3)  # no class has this colour
            Image.fromarray(colours).save(tree.place(f"{folder}/labels_rgb/{i}.png"))
            Image.fromarray(labels).save(tree.place(f"{folder}/labels_semantic/{i}.png"))
            histograms.append({int(k): int((labels == k).sum()) for k in np.unique(labels)})
        tree.stairs(f"{folder}/audio.wav", count, channels=2, base=3 * place)
        items.append(
            {"id": f"{part}/{uid}", "uid": uid, "split": split, "part": part, "sources": named, "base": 3 * place}
            | {"frames": len(histograms), "histograms": histograms, "size": [height, width], "seconds": float(count)}
        )
    tree.table(f"{base}/metadata.csv", rows)
    tree.json(f"{base}/label2idx.json", {name: k for k, name in enumerate(AVSS_CLASSES)})
    return {"items": items}


VPO_VALUES = {"car": 3, "airplane": 5, "bus": 6, "cat": 17, "dog": 18, "male": 92, "female": 93, "baby": 94}
VPO_IDS = {"airplane": 1, "baby": 2, "bus": 4, "car": 5, "cat": 6, "dog": 9, "female": 11, "male": 14}


def make_vpo(root: Path) -> dict[str, Any]:
    """VPO: three lists, clips of several rates and lengths, an image with cars and airplanes, ignored pixels."""
    tree, manifest = Tree(root, 14), {"ss": [], "ms": [], "msmi": []}
    audios = "vggsound_bench/VGGSound/audios"
    clips = {category: f"{category[:3]}Clip-{place:04d}_000030" for place, category in enumerate(VPO_VALUES)}
    for place, (category, clip) in enumerate(clips.items()):
        rate, seconds = (24000 if category == "cat" else 16000), (2.5 if category == "baby" else 10.0)
        tree.stairs(f"{audios}/{clip}.wav", seconds, rate=rate, channels=2 if category == "bus" else 1, base=3 * place)
    stem = {category: 3 * place for place, category in enumerate(clips)}

    def scene(file: str, height: int, width: int, categories: Sequence[str], indexed: bool = False) -> dict[str, int]:
        """Write a mask with a column for each category, and return the sizes of the classes."""
        values = np.zeros((height, width), np.uint8)
        for place, category in enumerate(categories):
            values[3 : 10 + place, 8 * place : 8 * place + 6] = VPO_VALUES[category]
        values[:2] = 255
        if indexed:
            tree.indexed(file, values)
        else:
            Image.fromarray(values).save(tree.place(file))
        return {name: int((values == VPO_VALUES[name]).sum()) for name in dict.fromkeys(categories)}

    head = ["img_Id", "ann_Ids", "cateName", "cateId", "vgg_file", "audio_pos", "split"]
    rows: list[list[Any]] = [head]
    for img, ann, category, split, position in [
        (489267, 157452, "dog", "train", 0.2),
        (62491, 432356, "cat", "val", 0.75),
        (53484, 188901, "female", "test", 0.5),
        (18975, 157895, "baby", "test", 0.1),
        (77003, 157896, "bus", "test", 0.0),
    ]:
        name, height, width = f"{img:012d}_{ann:012d}", 24, 20 + img % 7
        tree.image(f"VPO/VPO-SS/data/{category}/{img:012d}.jpg", height, width)
        sizes = scene(f"VPO/VPO-SS/mask/{category}/{name}.png", height, width, [category])
        rows.append([img, ann, category, VPO_VALUES[category], clips[category], position, split])
        manifest["ss"].append(
            {"id": name, "split": "train" if split == "train" else "test", "sources": [category], "sizes": sizes}
            | {"size": [height, width], "positions": [position], "bases": [stem[category]]}
        )
    rows.append([53484, 188901, "female", 93, clips["baby"], 0.5, "test"])  # the same object with another clip
    manifest["ss"].append(
        manifest["ss"][2] | {"id": "000000053484_000000188901_2", "bases": [stem["baby"]], "sources": ["female"]}
    )
    tree.table("VPO/VPO-SS/vpo_ss_data_stereo.csv", rows)

    ms, msmi = [head], [[*head, "multi_instance"]]
    for img, categories, split, several in [
        (41772, ["dog", "cat"], "train", 0),
        (416718, ["car", "airplane"], "test", 0),
        (536963, ["male", "female", "baby"], "val", 0),
        (777001, ["dog", "dog"], "test", 1),
    ]:
        part, name, height, width = "VPO-MSMI" if several else "VPO-MS", f"{img:012d}", 22, 44
        tree.image(f"VPO/{part}/data/{name}.jpg", height, width)
        sizes = scene(f"VPO/{part}/mask/{name}.png", height, width, categories, indexed=split == "val")
        positions = [round((place + 0.5) / len(categories), 3) for place in range(len(categories))]
        for place, category in enumerate(categories):
            row = [img, 1000 + place, category, VPO_VALUES[category], clips[category], positions[place], split]
            if not several:
                ms.append(row)
            msmi.append([*row, several])
        entry = {"id": name, "split": "train" if split == "train" else "test", "sources": categories, "sizes": sizes}
        entry |= {"size": [height, width], "positions": positions, "bases": [stem[c] for c in categories]}
        manifest["msmi"].append(entry)
        if not several:
            manifest["ms"].append(entry)
    tree.table("VPO/VPO-MS/vpo_ms_data_stereo.csv", ms)
    tree.table("VPO/VPO-MSMI/vpo_msmi_data_stereo.csv", msmi)
    return manifest


#: Images, audio files and masks by either spelling.
IS3_SPELLINGS = {
    "IS3": ("images", "audio_waw", "gt_segmentation"),
    "synthetic3241": ("visual_frames", "audio_wav", "gt_masks"),
}


def make_is3(root: Path, spelling: str) -> dict[str, Any]:
    """IS3 in one of its spellings: JPEG masks, group names with and without a number."""
    tree, items = Tree(root, 15), []
    images, audio, masks = IS3_SPELLINGS[spelling]
    for group, pair in [
        ("accordion_baby_10467", ("accordion", "baby")),
        ("fox_train", ("subway", "fox")),
        ("rain-drum_cat_77", ("drum", "cat")),
    ]:
        for place, category in enumerate(pair):
            name = f"{group}_{category}"
            tree.image(f"{spelling}/{images}/{name}.jpg", 112, 112)
            mask = np.zeros((112, 112), np.bool_)
            mask[10:50, 20 + 30 * place : 60 + 30 * place] = True
            tree.grey(f"{spelling}/{masks}/{name}.jpg", mask, quality=60)
            seconds = 4.0 if place else 10.0
            tree.stairs(f"{spelling}/{audio}/{name}.wav", seconds, rate=4000)
            items.append(
                {"id": name, "group": group, "category": category, "area": int(mask.sum()), "size": [112, 112]}
            )
            items[-1] |= {"seconds": seconds, "box": [2 * (20 + 30 * place), 20, 2 * (60 + 30 * place), 100]}
    return {"items": items}


def make_localisation(root: Path, s4: dict[str, Any], ms3: dict[str, Any], is3: dict[str, Any]) -> dict[str, Any]:
    """SSLalignment's lists for trees that are there already, and VPO as it has flattened it."""
    tree, far = Tree(root, 16), "/home/of/the/authors"
    manifest: dict[str, Any] = {
        "ssl_is3": is3["items"],
        "ssl_s4": [],
        "ssl_ms3": [],
        "ssl_vpo_ss": [],
        "ssl_vpo_ms": [],
    }

    def write(name: str, boxes: str, rows: list[tuple[str, str, str, list[float]]]) -> None:
        masks, painted = [], []
        for image, audio, mask, box in rows:
            entry = {"image": f"{far}/{image}", "audio": f"{far}/{audio}"}
            masks.append(entry | {"gt_box": f"{far}/{mask}", "offset": 1})
            painted.append(entry | {"gt_box": box})
        tree.json(f"metadata/{name}_seg.json", masks)
        tree.json(f"metadata/{name}_{boxes}.json", painted)

    rows = []
    for item in is3["items"]:
        files = [f"{kind}/{item['id']}" for kind in IS3_SPELLINGS["synthetic3241"]]
        rows.append((f"s/{files[0]}.jpg", f"s/{files[1]}.wav", f"s/{files[2]}.jpg", [float(v) for v in item["box"]]))
    write("synthetic3240", "bbox", rows)

    for name, kind, entries in (("s4", "Single-source/s4_data", s4), ("ms3", "Multi-sources/ms3_data", ms3)):
        rows = []
        for item in entries["items"]:
            if item["split"] != "test":
                continue
            for k in range(1, 6):
                video = item["id"].rpartition("/")[2]
                within = f"test/{item['id']}"
                frame = f"{within}/{video}_{k}" if name == "s4" else f"{video}/{video}.mp4_{k}"
                with Image.open(root / "avsbench_data" / kind / f"gt_masks/{within}/{video}_{k}.png") as painting:
                    ys, xs = np.nonzero(np.asarray(painting))
                # Boxes on 224 x 224 that name the last pixel inside; empty ones are all zero.
                box = [float(v * 5) for v in (xs.min(), ys.min(), xs.max(), ys.max())] if len(xs) else [0.0] * 4
                mask, audio = f"gt_masks/{within}/{video}_{k}.png", f"audio_wav/{within}.wav"
                rows.append((f"{kind}/visual_frames/{frame}.png", f"{kind}/{audio}", f"{kind}/{mask}", box))
                manifest[f"ssl_{name}"].append(
                    {"id": frame.removeprefix("test/"), "box": [int(v) for v in box]}
                    | {"area": item["areas"][k - 1], "size": item["size"], "frame": k - 1}
                    | {"group": (item["id"] + "/" + video) if name == "s4" else f"{video}/{video}.mp4"}
                    | {"seconds": item["seconds"]}
                )
        write(name, "box", rows)

    for name, folder, stems in (
        ("vpo_ss", "COCO_AV", ["000000062491_432356"]),
        ("vpo_ms", "COCO_AV_MS", ["000000041772_159191", "000000041772_159192"]),
    ):
        rows = []
        for stem in stems:
            tree.image(f"{folder}/visual_frames/{stem}.jpg", 56, 28)
            mask = tree.rectangle(56, 28)
            tree.grey(f"{folder}/gray_masks/{stem}.jpg", mask, quality=60)
            tree.stairs(f"{folder}/audio_wav/{stem}.wav", 4.0)
            ys, xs = np.nonzero(mask)
            box = [int(v) for v in (xs.min() * 8, ys.min() * 4, (xs.max() + 1) * 8, (ys.max() + 1) * 4)]
            image, audio = f"{folder}/visual_frames/{stem}.jpg", f"{folder}/audio_wav/{stem}.wav"
            rows.append((image, audio, f"{folder}/gray_masks/{stem}.jpg", [float(v) for v in box]))
            manifest[f"ssl_{name}"].append(
                {"id": stem, "box": box, "area": int(mask.sum()), "size": [56, 28], "frame": 0, "seconds": 4.0}
                | {"group": stem.partition("_")[0]}
            )
        write(name, "bbox", rows)
    return manifest


def make_folder(root: Path, images: str = "img") -> dict[str, Any]:
    """A flat folder: two kinds of images and masks, names with dots, a silent item."""
    tree, items = Tree(root, 17), []
    for name, kind, truth, size, seconds in [
        ("a_dog_1", "jpg", "png", (30, 40), 3.0),
        ("b.cat-2", "png", "jpg", (50, 20), 1.0),
        ("silent_3", "jpg", "png", (24, 24), 2.0),
    ]:
        tree.image(f"{images}/{name}.{kind}", *size)
        mask = tree.rectangle(*size) & (name != "silent_3")
        tree.grey(f"gt_seg/{name}.{truth}", mask)
        tree.stairs(f"wav/{name}.wav", seconds, channels=2)
        items.append({"id": name, "size": list(size), "area": int(mask.sum()), "seconds": seconds})
    return {"items": items}


def make_coco_esc(root: Path) -> dict[str, Any]:
    """A folder of pairs of every kind, with the columns of the list in an order of their own."""
    tree, items = Tree(root, 18), []
    rows = [["seed", "kind", "name", "visible", "label"]]
    for name, kind, label in [
        ("000000000009_positive_meow", "positive", "cat"),
        ("000000000025_ambient_rain", "ambient", ""),
        ("000000000030_offscreen_horn", "offscreen", "car;bus"),
        ("000000000034_positive_bark", "positive", "dog"),
    ]:
        tree.image(f"img/{name}.jpg", 30, 40)
        mask = tree.rectangle(30, 40) & (kind == "positive")
        tree.grey(f"gt_seg/{name}.png", mask)
        tree.stairs(f"wav/{name}.wav", 2.0)
        rows.append(["0", kind, name, "cat;dog", label])
        items.append({"id": name, "kind": kind, "label": label, "area": int(mask.sum())})
    tree.table("pairs.csv", rows)
    return {"items": items}


def make_all(root: Path) -> dict[str, Any]:
    """Every tree below one folder; the manifest is written beside them."""
    manifest: dict[str, Any] = {
        "s4": make_s4(root),
        "ms3": make_ms3(root),
        "avss": make_avss(root),
        "vpo": make_vpo(root),
    }
    manifest["is3"] = make_is3(root, "synthetic3241")
    manifest["localisation"] = make_localisation(root, manifest["s4"], manifest["ms3"], manifest["is3"])
    manifest["folder"] = make_folder(root / "flat")
    manifest["coco_esc"] = make_coco_esc(root / "pairs")
    (root / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest
