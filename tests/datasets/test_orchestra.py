"""The orchestra: scenes as they were written, in rounds, and clear words about folders that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from orchestra_scenes import GROUPS, SIZE_HW, write_scenes
from PIL import Image

from zsavs.cli.main import main
from zsavs.datasets.check import check
from zsavs.datasets.orchestra import Orchestra, Scene, Thing
from zsavs.errors import ImageError, InputError, UnknownName
from zsavs.metrics import suites
from zsavs.testing import toy


@pytest.fixture
def scenes(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    root = tmp_path / "scenes"
    return root, write_scenes(root)


def rewrite(root: Path, **changes: Any) -> None:
    """Change entries of the list."""
    listing = json.loads((root / "scenes.json").read_text())
    (root / "scenes.json").write_text(json.dumps({**listing, **changes}))


def test_items_go_round_the_groups(scenes: tuple[Path, dict[str, Any]]) -> None:
    dataset = Orchestra(scenes[0])
    assert list(dataset) == [f"{group}_{number:03d}" for number in range(2) for group in GROUPS]
    assert len(dataset) == dataset.group_count() == 12
    assert dataset.groups == {group: f"all about {group}" for group in GROUPS}


def test_a_target_is_every_pixel_of_what_sounds(scenes: tuple[Path, dict[str, Any]]) -> None:
    root, listing = scenes
    dataset = Orchestra(root)
    for entry in listing["scenes"]:
        sample, target = dataset.load(entry["name"])
        stored = np.asarray(Image.open(root / "masks" / f"{entry['name']}.png"))
        sounding = [place for place, thing in enumerate(entry["things"], 1) if thing["sounding"]]
        assert sample.size_hw == target.size_hw == SIZE_HW
        assert np.array_equal(target.mask, np.isin(stored, sounding))
        assert target.mask.any() == bool(sounding)
        assert target.sources == tuple(entry["things"][place - 1]["label"] for place in sounding)
        assert target.category == entry["group"]
        assert target.labels is not None
        for place, thing in enumerate(entry["things"], 1):
            named = thing["label"] if thing["sounding"] else "background"
            assert {target.classes[i] for i in target.labels[stored == place]} == {named}
        assert not target.labels[stored == 0].any()
        assert sample.audio.duration_s == pytest.approx(2)
        assert bool(sample.audio.waveform.any()) == (entry["group"] != "silence")


def test_two_things_that_sound_alike_are_two_sources(scenes: tuple[Path, dict[str, Any]]) -> None:
    target = Orchestra(scenes[0]).load("two_instances_000").target
    assert target.sources == ("red", "red")


def test_conditions_are_those_of_the_suite(scenes: tuple[Path, dict[str, Any]]) -> None:
    dataset, suite = Orchestra(scenes[0]), suites.get(Orchestra.suite)
    for item in dataset:
        target = dataset.load(item).target
        suite.update(target.mask.astype(np.float64), target.mask, condition=target.condition)
    numbers = suite.compute()
    assert [numbers[f"n_{name}"] for name in ("positive", "silence", "noise", "offscreen")] == [6, 2, 2, 2]


def test_a_sample_does_not_tell(scenes: tuple[Path, dict[str, Any]]) -> None:
    dataset = Orchestra(scenes[0])
    samples = [dataset.load(item).sample for item in dataset]
    assert len({sample.name for sample in samples}) == len(samples)
    for item, sample in zip(dataset, samples, strict=True):
        told = f"{sample.name} {sample.audio.source}"
        assert not any(word in told for word in (item, *toy.COLOURS, *GROUPS))


def test_groups_can_be_chosen_and_the_classes_stay(scenes: tuple[Path, dict[str, Any]]) -> None:
    whole, part = Orchestra(scenes[0]), Orchestra(scenes[0], groups=["single"])
    assert list(part) == ["single_000", "single_001"]
    assert list(part.groups) == ["single"]
    assert part.classes == whole.classes == ("background", "blue", "green", "purple", "red", "yellow")
    with pytest.raises(UnknownName, match="did you mean 'single'"):
        Orchestra(scenes[0], groups=["singel"])
    with pytest.raises(InputError, match="there is no item"):
        part.load("two_000")


def test_what_is_in_a_scene_is_told_for_benchmarks(scenes: tuple[Path, dict[str, Any]]) -> None:
    dataset = Orchestra(scenes[0])
    scene = dataset.scenes["off_screen_000"]
    assert scene.things == (Thing("red", False), Thing("yellow", False))
    assert (scene.heard, scene.sources, scene.condition) == (("blue",), (), "offscreen")
    assert set(np.unique(dataset.index_map("two_000"))) == {0, 1, 2, 3}


def test_a_scene_says_when_its_sources_sound_if_they_do_not_throughout(
    scenes: tuple[Path, dict[str, Any]],
) -> None:
    root, listing = scenes
    rows = listing["scenes"]
    two = next(row for row in rows if row["group"] == "two")
    rewrite(root, scenes=[row | ({"times": {"red": [[0.5, 1], [1, 2.25]]}} if row is two else {}) for row in rows])
    dataset = Orchestra(root)
    assert dataset.scenes[two["name"]].times == {"red": ((0.5, 1.0), (1.0, 2.25))}
    assert {name for name, scene in dataset.scenes.items() if scene.times} == {two["name"]}
    assert not Scene("two", ("red",), ()).times


def test_of_the_scenes_that_ship_those_in_turn_have_times() -> None:
    dataset = Orchestra()
    counts = {group: sum(scene.group == group for scene in dataset.scenes.values()) for group in dataset.groups}
    assert (counts["partly_off_screen"], counts["in_turn"]) == (16, 12)
    for name, scene in dataset.scenes.items():
        assert bool(scene.times) == (scene.group == "in_turn")
        if scene.group == "partly_off_screen":
            assert len(scene.heard) == 2
            assert [label for label in scene.heard if label in scene.sources] == [*scene.sources]
            assert len(scene.sources) == 1
            assert not {thing.label for thing in scene.things if not thing.sounding} & set(scene.heard)
        if scene.group == "in_turn":
            assert sorted(scene.sources) == sorted(scene.heard) == sorted(scene.times)
            ((on, off),), ((again, end),) = (scene.times[label] for label in scene.heard)
            assert 0.5 <= on < off - 1.5
            assert off + 0.5 <= again < end - 1.5
            assert end <= 19.5
            assert dataset.load(name).sample.audio.duration_s == 20


# ------------------------------------------------------------------------------------ wrong trees
def test_a_wrong_folder_is_named(scenes: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    root, _ = scenes
    with pytest.raises(InputError, match=r"nowhere: no such folder"):
        Orchestra(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"expected .*scenes\.json; found scenes\."):
        Orchestra(tmp_path)
    with pytest.raises(UnknownName, match="split"):
        Orchestra(root, split="train")
    (root / "masks").rename(root / "mask")
    with pytest.raises(InputError, match=r"masks: no such folder; .* holds audio, images, mask, scenes\.json"):
        Orchestra(root)


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "group": "single", "heard": ["red"], "things": [], **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 1; found 2"),
        ({"groups": ["single"]}, r"'groups' .* found \['single'\]"),
        ({"scenes": []}, r"'scenes' .* found \[\]"),
        ({"scenes": [{"name": "a"}]}, "scene 1 cannot be used .*'heard'"),
        ({"scenes": ["a"]}, "scene 1 cannot be used"),
        ({"scenes": [entry(), entry()]}, "'a' is there twice"),
        ({"scenes": [entry(group="quartet")]}, "unknown group 'quartet'"),
        ({"scenes": [entry(name="../a")]}, "'../a' is no file name"),
        ({"scenes": [entry(heard=[""])]}, "expected a word"),
        ({"scenes": [entry(things=[{"label": "red", "sounding": "yes"}])]}, "not true or false"),
        ({"scenes": [entry(things=[{"label": "blue", "sounding": True}])]}, "'blue' sounds and is not heard"),
        ({"scenes": [entry(times=[[0, 1]])]}, "'times' maps labels to seconds"),
        ({"scenes": [entry(times={"blue": [[0, 1]]})]}, "'blue' has times and is not heard"),
        ({"scenes": [entry(times={"red": [[1, 0.5]]})]}, "scene 1 cannot be used .*seconds must start at 0"),
        ({"scenes": [entry(times={"red": 3})]}, "scene 1 cannot be used .*pairs of seconds"),
        ({"scenes": [entry(heard=[f"thing {i}" for i in range(255)])]}, "more than 254 labels"),
    ],
)
def test_a_list_that_cannot_be_used(scenes: tuple[Path, dict[str, Any]], changes: dict[str, Any], words: str) -> None:
    root, _ = scenes
    rewrite(root, **changes)
    with pytest.raises(InputError, match=words) as error:
        Orchestra(root)
    assert str(root / "scenes.json") in str(error.value)


def test_a_list_that_is_no_json(scenes: tuple[Path, dict[str, Any]]) -> None:
    (scenes[0] / "scenes.json").write_text("[")
    with pytest.raises(InputError, match=r"scenes\.json: cannot be read as JSON"):
        Orchestra(scenes[0])


def test_a_mask_that_does_not_belong_to_its_scene(scenes: tuple[Path, dict[str, Any]]) -> None:
    root, _ = scenes
    dataset = Orchestra(root)
    mask = root / "masks" / "single_000.png"
    right = np.asarray(Image.open(mask)).copy()
    for wrong, kind, words in (
        (right[:-1], InputError, r"\(95, 128\) pixels, the image .*single_000\.jpg has \(96, 128\)"),
        (right + 3 * (right > 0), ImageError, "the value [45] stands for"),
        (np.where(right == 1, 0, right), InputError, "no pixel has the value 1, which is the sounding 'red'"),
    ):
        Image.fromarray(wrong.astype(np.uint8)).save(mask)
        with pytest.raises(kind, match=words) as error:
            dataset.load("single_000")
        assert str(mask) in str(error.value)
    assert dataset.load("two_000").target.mask.any()


# ----------------------------------------------------------------------------------- command line
def test_check_counts_what_is_there(scenes: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    root, _ = scenes
    assert main(["data", "check", "orchestra", str(root), "--decode", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"][0]["found"] == {"items": 12, "groups": 12, "empty": 6}
    (root / "audio" / "noise_001.ogg").unlink()
    report = check(Orchestra, root)
    assert not report.ok
    assert report.splits[0].problems == (f"{root / 'audio' / 'noise_001.ogg'}: missing",)


def test_the_scenes_of_the_package_are_used_without_a_root(
    scenes: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Orchestra, "shipped", scenes[0])
    assert len(Orchestra()) == 12
    assert main(["data", "check", "orchestra"]) == 0
    assert "complete" in capsys.readouterr().out
    assert main(["eval", "--dataset", "orchestra", "--preset", "toy", "--no-ablations", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    for name, groups in report["per_class"].items():
        assert set(groups) == set(GROUPS)
        if name == "pivot":  # one of two instances
            groups = {group: row for group, row in groups.items() if group != "two_instances"}
        assert min(group["J"] for group in groups.values()) > 0.95
    assert report["rows"][0]["metrics"]["robust"]["n_offscreen"] == 2


def test_an_installation_without_scenes_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Orchestra, "shipped", tmp_path / "orchestra")
    assert main(["eval", "--dataset", "orchestra", "--preset", "toy"]) == 1
    said = capsys.readouterr().err
    assert "has no scenes of the orchestra" in said
    assert "--root" in said
    assert main(["data", "check", "orchestra"]) == 1
    assert "has no scenes of the orchestra" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["eval"], ["eval", "--dataset", "s4"], ["data", "check", "s4"]])
def test_a_data_set_that_does_not_come_with_zsavs_needs_a_root(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "error: say where" in capsys.readouterr().err


def test_semantic_suites_can_be_run(scenes: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "--dataset", "orchestra", "--root", str(scenes[0]), "--preset", "toy", "--suite", "avss"]
    assert main([*words, "--strategy", "audio_to_text", "--no-ablations", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)["rows"][0]["metrics"]["avss"]
    assert numbers["mIoU_present"] > 0.9
    assert numbers["n_classes"] == 5  # purple is only ever off screen
