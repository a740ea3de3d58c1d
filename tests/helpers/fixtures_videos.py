"""Miniature trees of AVISeg and Ref-AVS, made as those of :mod:`fixtures_datasets` are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fixtures_datasets import Tree
from numpy.typing import NDArray


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's run lengths that are not compressed, counted pixel by pixel."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel is not value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


def make_aviseg(root: Path, *, polygons: bool = False) -> dict[str, Any]:
    """AVISeg: two instances of a class, instances that overlap, frames without any, a video in which nothing sounds.

    Categories are not in the order of their numbers, frames are numbered from anything, and the list is not in the
    order of the videos' numbers. Masks are rectangles, as run lengths or, as in the download, as ``polygons``.
    """
    tree, items, lists = Tree(root, 19), [], {split: ([], []) for split in ("train", "val", "test")}
    ids = {"lawn_mover": 15, "person": 1, "dog": 14, "violin": 2}
    videos: list[tuple[str, str, int, tuple[int, int], list[tuple[str, list[int]]]]] = [
        ("-lChxq186HE-1694961940678-seg1", "train", 2, (24, 32), [("dog", [0, 1])]),
        ("00000003", "val", 2, (24, 32), [("violin", [1])]),
        ("00000768", "test", 4, (24, 40), [("person", [0, 1]), ("person", [1, 3]), ("violin", [0, 1])]),
        ("_87Rxhx-1694963122882", "test", 3, (36, 28), []),
    ]
    for place, (name, split, length, (height, width), tracks) in enumerate(videos):
        names = [f"{name}/{5 * k + 1:05d}.jpg" for k in range(length)]
        for file in names:
            tree.image(f"datasets/{split}/JPEGImages/{file}", height, width)
        tree.stairs(f"datasets/{split}/WAVAudios/{name}.wav", length, rate=4000, channels=2, base=5 * place)
        number, frames = 90 - place, [[] for _ in range(length)]
        lists[split][0].append(
            {"id": number, "length": length, "height": height, "width": width, "file_names": names, "license": 1}
        )
        for track, (label, sounding) in enumerate(tracks, 100 * place):
            segmentations: list[Any] = [None] * length
            boxes: list[Any] = [None] * length
            for k in sounding:
                # The violin, the smallest, lies on the first person.
                x, y, wide, high = (3, 4, 6, 5) if label == "violin" else (1 + 17 * (track % 2), 2, 12, 14 + k)
                mask = np.zeros((height, width), np.bool_)
                mask[y : y + high, x : x + wide] = True
                corners = [x, y, x + wide, y, x + wide, y + high, x, y + high]
                segmentations[k] = [[float(v) for v in corners]] if polygons else run_lengths(mask)
                boxes[k] = [x, y, wide, high]
                frames[k].append({"track": track, "label": label, "box": [x, y, x + wide, y + high]})
            lists[split][1].append(
                {"id": track, "video_id": number, "category_id": ids[label], "iscrowd": 0, "height": height}
                | {"width": width, "bboxes": boxes, "segmentations": segmentations}
            )
        items.append(
            {"id": name, "split": split, "frames": frames, "size": [height, width], "base": 5 * place, "files": names}
        )
    for split, (listed, instances) in lists.items():
        categories = [{"id": number, "name": label, "supercategory": "object"} for label, number in ids.items()]
        content = {"info": {}, "licenses": [], "videos": listed, "categories": categories, "annotations": instances}
        tree.json(f"datasets/{split}.json", content)
    return {"items": items, "classes": ["background", "person", "violin", "dog", "lawn_mover"]}


def make_ref_avs(root: Path) -> dict[str, Any]:
    """Ref-AVS: rows of every set, null clips of four expressions each, and the video one of them was made of."""
    tree, items = Tree(root, 20), []
    rows: list[list[Any]] = [["vid", "uid", "split", "fid", "exp"]]
    seen = "c3enHqIWN3c_20000_30000"
    rows.append(["--KCIeTv6PM_14000_24000", "--KCIeTv6PM_14000_24000_cat_1", "val", 0, "The object, having white fur."])
    for place, (kind, vid) in enumerate([("m", seen), ("c", "9scT0XNxmVw_330000_340000"), ("m", "-FfYT_1000_11000")]):
        clip = f"null_{kind}-{vid}"
        for number in range(1, 5):
            rows.append([vid, f"{clip}_null_{number}", "test_n", 0, f"The sounding object, {number}"])
        for k in range(10):
            tree.image(f"REFAVS/media/{clip}/frames/{k}.jpg", 20, 30 + 2 * place)
        tree.stairs(f"REFAVS/media/{clip}/audio.wav", 10, rate=4000, base=11 * place)
        items.append({"id": clip, "category": f"null_{kind}", "base": 11 * place, "size": [20, 30 + 2 * place]})
    rows.append([seen, f"{seen}_ukulele_4", "test_s", 0, "The source of the sound."])
    tree.table("REFAVS/metadata.csv", rows)
    return {"items": items}
