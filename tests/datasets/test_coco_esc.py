"""COCO-ESC: positives and negatives apart, and clear words about a list that does not fit its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_datasets import make_coco_esc
from PIL import Image

from zsavs.cli.main import main
from zsavs.datasets.check import check
from zsavs.datasets.coco_esc import CocoEsc, Pair
from zsavs.errors import InputError, UnknownName
from zsavs.metrics import suites


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    root = tmp_path / "pairs"
    return root, make_coco_esc(root)["items"]


def test_every_pair_is_read_with_its_kind(pairs: tuple[Path, list[dict[str, Any]]]) -> None:
    root, items = pairs
    dataset = CocoEsc(root)
    assert list(dataset) == [item["id"] for item in items]
    assert len(dataset) == dataset.group_count() == 4
    assert dataset.pairs["000000000030_offscreen_horn"] == Pair("offscreen", "car;bus")
    for item in items:
        sample, target = dataset.load(item["id"])
        positive = item["kind"] == "positive"
        assert sample.size_hw == target.size_hw == (30, 40)
        assert target.mask.sum() == item["area"]
        assert (item["area"] > 0) == positive
        assert target.category == (item["label"] if positive else item["kind"])
        assert target.sources == ((item["label"],) if positive else ())
        assert target.condition == ("positive" if positive else "offscreen")
        assert target.group == target.video_id == item["id"]


def test_conditions_are_those_of_the_suite(pairs: tuple[Path, list[dict[str, Any]]]) -> None:
    dataset, suite = CocoEsc(pairs[0]), suites.get(CocoEsc.suite)
    for item in dataset:
        target = dataset.load(item).target
        suite.update(target.mask.astype(np.float64), target.mask, condition=target.condition)
    numbers = suite.compute()
    assert (numbers["n_positive"], numbers["n_offscreen"], numbers["n_negative"]) == (2, 2, 2)
    assert (numbers["J"], numbers["FPR_negative"], numbers["empty_negative"]) == (1, 0, 1)


def test_kinds_can_be_chosen(pairs: tuple[Path, list[dict[str, Any]]]) -> None:
    root, items = pairs
    for kinds in (["positive"], ("offscreen", "ambient")):
        dataset = CocoEsc(root, kinds=kinds)
        assert list(dataset) == list(dataset.pairs) == [item["id"] for item in items if item["kind"] in kinds]
        assert dataset.options == {"kinds": list(kinds)}
    with pytest.raises(InputError, match="there is no item '000000000009_positive_meow'"):
        dataset.load("000000000009_positive_meow")
    with pytest.raises(UnknownName, match="did you mean 'ambient'"):
        CocoEsc(root, kinds=["ambiant"])
    with pytest.raises(InputError, match="none named"):
        CocoEsc(root, kinds=[])


def test_the_command_line_checks_a_folder(
    pairs: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, _ = pairs
    assert main(["data", "check", "coco_esc", str(root), "--decode"]) == 0
    assert main(["data", "check", "coco_esc", str(root), "--decode", "--option", "kinds=offscreen,ambient"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("test")]
    assert [row[1:4] for row in rows] == [["4", "4", "2"], ["2", "2", "2"]]
    (root / "pairs.csv").unlink()
    assert main(["data", "check", "coco_esc", str(root)]) == 1
    assert "pairs.csv: no such file" in capsys.readouterr().out


# ------------------------------------------------------------------------------------ wrong folders
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "ambient,",
            "ambience,",
            "'000000000025_ambient_rain' is of the kind 'ambience'; expected positive, offscreen",
        ),
        (",cat\n", ",\n", "'000000000009_positive_meow' is a positive without a label"),
        ("000000000025_ambient_rain", "000000000030_offscreen_horn", "'000000000030_offscreen_horn' is there twice"),
        ("000000000025_ambient_rain", "000000000026_ambient_rain", "no image for 1 pairs, first '000000000026_amb"),
        ("0,ambient,000000000025_ambient_rain,cat;dog,\n", "", "no row for 1 pairs, first '000000000025_ambient_rain'"),
        ("kind", "sort", "expected a column 'kind'"),
    ],
)
def test_a_list_that_does_not_fit(pairs: tuple[Path, list[dict[str, Any]]], old: str, new: str, words: str) -> None:
    path = pairs[0] / "pairs.csv"
    text = path.read_bytes().decode().replace("\r\n", "\n")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=words) as raised:
        CocoEsc(pairs[0])
    assert "pairs.csv" in str(raised.value)


def test_a_mask_that_is_not_what_the_kind_says_is_named(pairs: tuple[Path, list[dict[str, Any]]]) -> None:
    root, _ = pairs
    for name, value, words in (
        ("000000000009_positive_meow", 0, "empty"),
        ("000000000025_ambient_rain", 255, "not em"),
    ):
        Image.new("L", (40, 30), value).save(root / "gt_seg" / f"{name}.png")
        with pytest.raises(InputError, match=rf"{name}.png: the mask is {words}"):
            CocoEsc(root).load(name)
    report = check(CocoEsc, root, decode=True)
    assert report.splits[0].broken == 2
    assert not report.ok
