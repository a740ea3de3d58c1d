"""Pairs of COCO and ESC-50: what is chosen, exact masks, negatives that are none by chance, and the same again."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pair_downloads import CATEGORIES, ESC10, LICENCES, STUFF, THINGS, Truth, write_downloads
from PIL import Image

from tools.pairs.__main__ import build, main
from tools.pairs.choice import Pair
from tools.pairs.sounds import SOUNDS, SoundMap
from zsavs.cli.main import main as zsavs_main
from zsavs.datasets.coco_esc import CocoEsc
from zsavs.errors import ImageError, InputError, OutputError, UnknownName

MAP = SoundMap.read(SOUNDS, (*THINGS, *STUFF), CATEGORIES)
COUNTS = {"positive": 14, "offscreen": 10, "ambient": 8}


class Set:
    """Downloads, and a set that was built from them."""

    def __init__(self, root: Path) -> None:
        self.truth: Truth = write_downloads(root)
        self.coco, self.esc50, self.out = root / "coco", root / "ESC-50-master", root / "pairs"
        self.pairs = self.build(self.out)

    def build(self, out: Path, **options: Any) -> list[Pair]:
        return build(self.coco, self.esc50, out, **({"seed": 3, "counts": COUNTS} | options))

    def rows(self) -> list[dict[str, str]]:
        with (self.out / "pairs.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Set:
    return Set(tmp_path_factory.mktemp("pairs"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ------------------------------------------------------------------------------------------------ the map
def test_the_map_says_of_every_sound_what_makes_it() -> None:
    assert sorted((*MAP.sounding, *MAP.ambient, *MAP.unused)) == sorted(CATEGORIES)
    for sound in MAP.sounding.values():
        assert sound.makes or sound.perhaps
        assert set(sound.makes) <= set(THINGS)
        assert set(sound.perhaps).isdisjoint(sound.makes)
    assert not any(sound.makes for sound in MAP.ambient.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sounding": {"dog": {"makes": ["dgo"]}}}, "COCO has no label 'dgo'"),
        ({"sounding": {"bark": {"makes": ["dog"]}}}, "ESC-50 has no sound 'bark'"),
        ({"unused": {}}, "does not say what makes the sound 'can_opening'"),
        ({"sounding": {"dog": {"makes": "dog"}}}, "is no map of sounds .*'dog' has no list"),
        ({"ambient": ["rain"]}, "is no map of sounds"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    listing = json.loads(SOUNDS.read_text())
    for key, value in change.items():
        listing[key] = {**listing[key], **value} if value and isinstance(value, dict) else value
    (tmp_path / "sounds.json").write_text(json.dumps(listing))
    with pytest.raises(InputError, match=rf"sounds\.json: .*{words}"):
        SoundMap.read(tmp_path / "sounds.json", (*THINGS, *STUFF), CATEGORIES)


# ------------------------------------------------------------------------------------------------ the choice
def test_as_many_as_were_asked_for_and_each_image_once(made: Set) -> None:
    assert Counter(row["kind"] for row in made.rows()) == COUNTS
    assert len({row["image"] for row in made.rows()}) == sum(COUNTS.values()) == len(made.pairs)


def test_a_positive_is_the_one_label_in_view_that_makes_the_sound(made: Set) -> None:
    labels: Counter[str] = Counter()
    for row in made.rows():
        if row["kind"] != "positive":
            continue
        masks = made.truth[Path(row["image"]).stem]
        assert [label for label in MAP.sounding[row["sound"]].makes if label in masks] == [row["label"]]
        stored = np.asarray(Image.open(made.out / "gt_seg" / f"{row['name']}.png"))
        assert np.array_equal(stored, 255 * masks[row["label"]].astype(np.uint8))
        assert (stored > 0).mean() >= 0.01
        labels[row["label"]] += 1
    # All that can be, in turn; of a keyboard and a laptop, or of a car and a truck, either could be the source.
    known = ("bird", "bus", "car", "cat", "clock", "cow", "dog", "keyboard", "mouse", "person", "sheep", "train")
    assert labels.keys() == set(known)
    assert max(labels.values()) <= 2


def test_a_crowd_is_part_of_the_mask(made: Set) -> None:
    stems = [pair.image.file.stem for pair in made.pairs if (pair.kind, pair.label) == ("positive", "dog")]
    assert stems
    for stem in stems:
        assert made.truth[stem]["dog"][60:80].sum() == 400


def test_nothing_in_view_of_a_negative_makes_its_sound(made: Set) -> None:
    sounds = set()
    for row in made.rows():
        if row["kind"] == "positive":
            continue
        sound = (MAP.sounding if row["kind"] == "offscreen" else MAP.ambient)[row["sound"]]
        masks = made.truth[Path(row["image"]).stem]
        assert masks.keys().isdisjoint((*sound.makes, *sound.perhaps))
        assert any(masks[label].mean() >= 0.01 for label in MAP.makers & masks.keys()), "something could be mistaken"
        assert row["label"] == (";".join((*sound.makes, *sound.perhaps)) if row["kind"] == "offscreen" else "")
        assert not np.asarray(Image.open(made.out / "gt_seg" / f"{row['name']}.png")).any()
        sounds.add(row["sound"])
    assert len(sounds & MAP.sounding.keys()) == COUNTS["offscreen"], "sounds take turns"
    assert sounds >= MAP.ambient.keys()


def test_the_list_says_what_is_in_view_and_whose_it_is(made: Set) -> None:
    for row in made.rows():
        stem = Path(row["image"]).stem
        assert row["name"] == f"{stem}_{row['kind']}_{row['sound']}"
        assert row["visible"] == ";".join(sorted(made.truth[stem].keys() & set(THINGS)))
        assert row["image_licence"] == LICENCES[int(row["image_licence_url"].rpartition("/")[2])]
        assert row["image_url"] == f"http://farm.example/{stem}.jpg"
        assert row["audio_licence"] == ("CC BY 3.0" if row["sound"] in ESC10 else "CC BY-NC 3.0")
        assert row["audio_licence_url"].endswith("/by/3.0/" if row["sound"] in ESC10 else "/by-nc/3.0/")
        assert row["seed"] == "3"
        for folder, kind, source in (
            ("img", "jpg", made.coco / row["image"]),
            ("wav", "wav", made.esc50 / row["audio"]),
        ):
            assert (made.out / folder / f"{row['name']}.{kind}").read_bytes() == source.read_bytes()
    assert {row["image_licence"] for row in made.rows()} == set(LICENCES.values())


def test_no_clip_is_used_again_before_all_others_were(made: Set, tmp_path: Path) -> None:
    pairs = made.build(tmp_path / "out", counts={"positive": 0, "offscreen": 0, "ambient": 14})
    used = Counter(pair.clip.category for pair in pairs)
    assert set(used.values()) == {2}
    assert len({pair.clip.file for pair in pairs}) == 14


def test_the_same_seed_gives_the_same_bytes(made: Set, tmp_path: Path) -> None:
    made.build(tmp_path / "again")
    assert content(tmp_path / "again") == content(made.out)
    other = made.build(tmp_path / "other", seed=4)
    assert [pair.name for pair in other] != [pair.name for pair in made.pairs]


def test_tiny_things_are_no_sources_and_no_negatives(made: Set, tmp_path: Path) -> None:
    few = {"positive": 100, "offscreen": 0, "ambient": 0}
    normal, large, tiny = (made.build(tmp_path / str(area), counts=few, min_area=area) for area in (1.0, 9.0, 0.1))
    assert {"dog", "person"} <= {pair.label for pair in normal}
    small = {pair.image.file.stem for pair in tiny if pair.image.shares[pair.label] < 0.01}
    assert small
    assert small.isdisjoint(pair.image.file.stem for pair in normal)
    assert 0 < len(large) < len(normal)
    assert all(pair.image.mask(pair.label).mean() >= 0.09 for pair in large)


def test_an_image_that_is_stored_turned_is_left_out(made: Set, tmp_path: Path) -> None:
    shutil.copytree(made.coco, tmp_path / "coco")
    for stem in (stem for stem, masks in made.truth.items() if "dog" in masks):
        path = tmp_path / "coco" / "val2017" / f"{stem}.jpg"
        with Image.open(path) as image:
            exif = image.getexif()
            exif[0x0112] = 3
            image.load()
        image.save(path, exif=exif)
    pairs = build(tmp_path / "coco", made.esc50, tmp_path / "out", seed=3, counts=COUNTS)
    assert len(pairs) == sum(COUNTS.values())
    assert not any("dog" in pair.image.segments for pair in pairs)


def test_licences_can_be_chosen(made: Set, tmp_path: Path) -> None:
    pairs = made.build(tmp_path / "out", licences=["Attribution License", "No known copyright restrictions"])
    names = {pair.image.licence.name for pair in pairs}
    assert names == {"Attribution License", "No known copyright restrictions"}
    with pytest.raises(UnknownName, match="did you mean 'Attribution License'"):
        made.build(tmp_path / "none", licences=["Attribution Licence"])
    assert not (tmp_path / "none").exists()


def test_licences_are_read_from_the_instances_where_the_panoptic_list_has_none(made: Set, tmp_path: Path) -> None:
    shutil.copytree(made.coco, tmp_path / "coco")
    path = tmp_path / "coco" / "annotations" / "panoptic_val2017.json"
    listing = json.loads(path.read_text())
    (path.parent / "instances_val2017.json").write_text(json.dumps(listing | {"annotations": []}))
    del listing["licenses"]
    path.write_text(json.dumps(listing))
    build(tmp_path / "coco", made.esc50, tmp_path / "out", seed=3, counts=COUNTS)
    assert content(tmp_path / "out") == content(made.out)
    (path.parent / "instances_val2017.json").unlink()
    with pytest.raises(InputError, match=r"instances_val2017\.json: not there.* annotations_trainval2017\.zip"):
        build(tmp_path / "coco", made.esc50, tmp_path / "more")


def test_png_files_may_lie_beside_the_annotations(made: Set, tmp_path: Path) -> None:
    shutil.copytree(made.coco, tmp_path / "coco")
    (tmp_path / "coco" / "annotations" / "panoptic_val2017").rename(tmp_path / "coco" / "panoptic_val2017")
    build(tmp_path / "coco", made.esc50.parent, tmp_path / "out", seed=3, counts=COUNTS)
    assert content(tmp_path / "out") == content(made.out)


# ------------------------------------------------------------------------------------------------ wrong downloads
@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (
            "coco/val2017",
            r"val2017: not there; .*coco holds annotations\. It is in val2017\.zip, and tools/pairs/README",
        ),
        ("coco/annotations/panoptic_val2017.json", r"panoptic_annotations_trainval2017\.zip"),
        (
            "coco/annotations/panoptic_val2017",
            r"panoptic_val2017: not there.* holds panoptic_val2017\.json.*\.zip, which",
        ),
        ("ESC-50-master/meta/esc50.csv", r"esc50\.csv: not there.*ESC-50-master\.zip"),
        ("ESC-50-master/audio", r"audio: not there; .* holds meta\."),
    ],
)
def test_what_is_missing_is_named_with_its_download(
    made: Set, tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: str, words: str
) -> None:
    for folder in (made.coco, made.esc50):
        shutil.copytree(folder, tmp_path / folder.name)
    path = tmp_path / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(InputError, match=words):
        build(tmp_path / "coco", tmp_path / "ESC-50-master", tmp_path / "out")
    given = [
        "--coco",
        str(tmp_path / "coco"),
        "--esc50",
        str(tmp_path / "ESC-50-master"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(given) == 1
    said = capsys.readouterr().err
    assert said.startswith("python -m tools.pairs: error: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def white(path: Path) -> None:
    Image.new("RGB", Image.open(path).size, "white").save(path)


def smaller(path: Path) -> None:
    Image.open(path).crop((0, 0, 100, 90)).save(path)


@pytest.mark.parametrize(
    ("folder", "change", "error", "words"),
    [
        ("annotations/panoptic_val2017", white, InputError, r"\.png: no pixel of segment \d+, a '\w+'"),
        ("annotations/panoptic_val2017", smaller, InputError, r"\.png: \(90, 100\) pixels, the image .* \(96, 128\)"),
        ("annotations/panoptic_val2017", Path.unlink, InputError, r"\.png: not there, though the download's list"),
        ("val2017", Path.unlink, InputError, r"\.jpg: not there, though the download's list"),
        ("val2017", lambda path: path.write_bytes(b"no image"), InputError, r"\.jpg: cannot be read as an"),
        ("val2017", lambda path: path.write_bytes(path.read_bytes()[:900]), ImageError, r"\.jpg: "),
    ],
)
def test_a_damaged_file_is_named_and_no_list_written(
    made: Set, tmp_path: Path, folder: str, change: Callable[[Path], Any], error: type[Exception], words: str
) -> None:
    shutil.copytree(made.coco, tmp_path / "coco")
    for path in (tmp_path / "coco" / folder).iterdir():
        change(path)
    with pytest.raises(error, match=words):
        build(tmp_path / "coco", made.esc50, tmp_path / "out")
    assert not (tmp_path / "out" / "pairs.csv").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"categories": []}, "is no panoptic annotation of COCO .*KeyError"),
        ({"images": None}, "is no panoptic annotation"),
        ({"annotations": []}, "none of 0 images gives a pair"),
    ],
)
def test_a_list_of_another_kind_is_named(made: Set, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    shutil.copytree(made.coco, tmp_path / "coco")
    path = tmp_path / "coco" / "annotations" / "panoptic_val2017.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=words):
        build(tmp_path / "coco", made.esc50, tmp_path / "out")


def test_a_list_cannot_lead_out_of_the_download(made: Set, tmp_path: Path) -> None:
    shutil.copytree(made.esc50, tmp_path / "esc50")
    path = tmp_path / "esc50" / "meta" / "esc50.csv"
    path.write_text(path.read_text().replace("1-1000-A-0.wav", "../../secret.wav"))
    with pytest.raises(InputError, match="leads out of the data set"):
        build(made.coco, tmp_path / "esc50", tmp_path / "out")


def test_a_folder_with_something_in_it_is_left_alone(made: Set) -> None:
    before = content(made.out)
    with pytest.raises(OutputError, match=r"pairs: is not an empty folder; name a new one with --out"):
        made.build(made.out, seed=5)
    assert content(made.out) == before


# ------------------------------------------------------------------------------------------------ to the end
def test_the_command_builds_what_the_data_set_reads_and_an_evaluation_scores(
    made: Set, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, run = tmp_path / "pairs", tmp_path / "run"
    given = ["--coco", str(made.coco), "--esc50", str(made.esc50), "--out", str(out), "--ambient", "99"]
    assert main([*given, "--positive", "14", "--offscreen", "8", "--min-area", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["   14 positive", "    8 offscreen"]
    assert said[2].endswith("ambient (of 99 that were asked for: no image is left)")
    dataset = CocoEsc(out)
    for item in dataset:
        target = dataset.load(item).target
        label = dataset.pairs[item].label
        truth = made.truth[item.split("_")[0]]
        assert np.array_equal(target.mask, truth[label] if target.sources else np.zeros_like(target.mask))

    assert zsavs_main(["data", "check", "coco_esc", str(out), "--decode"]) == 0
    words = ["eval", "--dataset", "coco_esc", "--root", str(out), "--preset", "toy", "--strategy", "fused"]
    assert zsavs_main([*words, "--no-ablations", "--out", str(run)]) == 0
    report = json.loads((run / "report.json").read_text())
    assert report["dataset"]["done"] == len(dataset)
    numbers = next(row for row in report["rows"] if row["strategy"] == "fused")["metrics"]["robust"]
    assert (numbers["n_positive"], numbers["n_negative"], numbers["FPR_negative"]) == (14, len(dataset) - 14, 0)
    classes = report["per_class"]["fused"]
    seen_and_heard = ("dog", "cat", "bird", "car", "train")  # by the toy world
    assert min(classes[name]["J"] for name in (*seen_and_heard, "offscreen", "ambient")) > 0.9
    assert (classes["offscreen"]["items"], classes["ambient"]["items"]) == (8, len(dataset) - 22)
