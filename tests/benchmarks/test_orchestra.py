"""The table of strategies and groups, in a world whose right numbers are known."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import load_benchmark
from orchestra_scenes import write_scenes

import zsavs
from zsavs.datasets.orchestra import Orchestra, Scene, Thing
from zsavs.metrics.functional import jaccard


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("orchestra")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, each=4)
    return folder


def table(markdown: str) -> dict[tuple[str, str], dict[str, str]]:
    """The cells by strategy and kind of audio, and by column."""
    lines = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("|")]
    head, rows = lines[0], [[cell.strip() for cell in line] for line in lines[2:]]
    return {(row[0], row[1]): dict(zip(head, row, strict=False)) for row in rows}


def test_the_table_of_a_world_that_is_understood(
    benchmark: ModuleType, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tables" / "orchestra.md"
    names = ["audio_to_text", "cross_modal", "fused"]
    words = ["--root", str(root), "--preset", "toy", "--out", str(out)]
    assert benchmark.main([*words, *(word for name in names for word in ("--strategy", name))]) == 0
    text = capsys.readouterr().out
    assert out.read_text() == text
    rows = table(text)
    expected = [(name, audio) for name in names for audio in ("recorded", "shuffled")]
    assert list(rows) == [*expected, (benchmark.CEILING, "recorded"), (benchmark.PERFECT, "shuffled")]
    for name in ("fused", benchmark.CEILING):
        row = rows[name, "recorded"]
        assert min(float(row[f"J {group}"]) for group in ("single", "two", "two_instances", "all")) > 98
        assert {row[f"FP {group}"] for group in ("silence", "noise", "off_screen")} == {"0.0"}
        assert row["Label accuracy"] == "100.0"
    # The captioner of the toy world says "red thing", which is not the label.
    assert rows["cross_modal", "recorded"]["Label accuracy"] == "0.0"
    # In this world strategies are perfect, so that the coincidences explain all of what is left.
    for column in ("J single", "J two", "J two_instances", "J all"):
        lucky = float(rows[benchmark.PERFECT, "shuffled"][column])
        assert float(rows["fused", "shuffled"][column]) == pytest.approx(lucky, abs=1)
        assert lucky < 60
    assert float(rows[benchmark.PERFECT, "shuffled"]["J two"]) > 20
    assert "4 of 12 such pairs (33.3 %) share a label" in text


def test_the_coincidences_are_counted_by_hand(benchmark: ModuleType, root: Path) -> None:
    dataset = Orchestra(root, groups=["two"])
    measured = benchmark.measure(dataset, {}, batch_size=3)
    scores = []
    for number in range(4):
        scene, other = (dataset.scenes[f"two_{k:03d}"] for k in (number, (number + 2) % 4))
        index, target = dataset.index_map(f"two_{number:03d}"), dataset.load(f"two_{number:03d}").target
        marked = np.zeros_like(target.mask)
        for place, thing in enumerate(scene.things, 1):
            marked |= (index == place) & (thing.label in other.heard)
        scores.append(jaccard(marked, target.mask))
    assert measured.tallies[benchmark.PERFECT, "shuffled"].scores == {"two": scores}
    assert (measured.coincidences, measured.pairs) == (4, 4)
    assert 0 < min(scores) < max(scores) < 1


def test_the_oracle_is_given_the_sources_and_never_shuffled(benchmark: ModuleType, root: Path) -> None:
    dataset = Orchestra(root)
    pipes, skipped = benchmark.build(dataset, ["fused"], {"preset": "toy"})
    assert skipped == []
    samples = [dataset.load(item).sample for item in ("two_000", "off_screen_000", "silence_000")]
    assert [query.phrases for query in pipes[benchmark.CEILING].strategy.query(samples)] == [
        ("red", "green"),
        ("blue",),
        (),
    ]
    silent = replace(samples[0], audio=samples[2].audio)
    assert pipes[benchmark.CEILING](silent).mask.any()  # it ignores the audio, which is why it is no strategy
    assert not pipes["fused"](silent).mask.any()


def test_the_times_of_sources_are_scored_by_hand(benchmark: ModuleType) -> None:
    tally = benchmark.EventTally()
    assert (tally.share, tally.event_f1, tally.seconds_f1) == (None, None, None)
    annotated = {"bell": ((1.0, 3.0),), "drum": ((5.0, 9.0),)}
    tally.add(annotated, zsavs.Query(("bell",), np.ones(1, np.float32)))
    assert tally.share is None, "no answer says when"
    heard = zsavs.Query(
        ("Bell", "drum", "dog"), np.ones(3, np.float32), times=(((0.5, 3.5),), ((5.0, 6.0), (7.0, 9.0)), ((0.0, 1.0),))
    )
    tally = benchmark.EventTally()
    tally.add(annotated, heard)
    assert tally.share == 1  # the drum is in two pieces, which begin and end where it does
    assert tally.event_f1 == pytest.approx(2 * 1 / (2 + 4))
    assert tally.seconds_f1 == pytest.approx(2 * (2 + 3) / (6 + 7))
    tally.add({"bell": ((1.0, 3.0),)}, zsavs.Query.nothing())
    assert tally.share == pytest.approx(2 / 3)


def test_one_span_finds_one_event(benchmark: ModuleType) -> None:
    tally = benchmark.EventTally()
    twice = {"bell": ((1.0, 1.4), (1.5, 1.9))}
    tally.add(twice, zsavs.Query(("bell",), np.ones(1, np.float32), times=(((1.2, 1.6),),)))
    assert (tally.found, tally.events, tally.predicted) == (1, 2, 1)


def test_groups_are_chosen_and_times_have_a_table(
    benchmark: ModuleType, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--preset", "toy", "--strategy", "fused", "--group", "single", "--group", "silence"]
    assert benchmark.main(["--root", str(root), *words]) == 0
    said = capsys.readouterr().out
    assert "Scenes: 4 single, 4 silence." in said
    assert "## When" not in said
    timed = tmp_path / "timed"
    listing = write_scenes(timed, each=1)
    for scene in listing["scenes"]:
        scene["times"] = {label: [[0, 2]] for label in scene["heard"]}
    (timed / "scenes.json").write_text(json.dumps(listing))
    assert benchmark.main(["--root", str(timed), *words]) == 0
    said = capsys.readouterr().out
    assert "| fused | – | – | – |" in said[said.index("## When") :]
    assert "\n1 sources of scenes" in said


@pytest.mark.parametrize(
    ("phrase", "sounding", "where", "right"),
    [
        ("Bell", True, 1, 1),
        ("bell", False, 1, 0),
        ("dog", True, 1, 0),
        ("dog", True, 2, 0),  # the dog is there and does not sound
        ("bell", True, 0, 0),  # on the ground
    ],
)
def test_a_label_is_right_only_on_a_thing_of_that_name_that_sounds(
    benchmark: ModuleType, phrase: str, sounding: bool, where: int, right: int
) -> None:
    index = np.repeat(np.arange(3, dtype=np.uint8), 4).reshape(3, 4)
    scene = Scene("single", ("bell",), (Thing("bell", sounding), Thing("dog", False)))
    mask = index == where
    if where == 1:
        mask[2, :3] = True  # less of the other thing
    result = zsavs.AVSResult(
        masks=mask[None],
        boxes_xyxy=np.array([[0, 0, 4, 3]], np.float32),
        phrases=(phrase,),
        scores=np.ones(1, np.float32),
        score_map=mask.astype(np.float32),
    )
    tally = benchmark.Tally()
    tally.add_labels(scene, index, result)
    assert (tally.right, tally.regions) == (right, 1)


def test_a_strategy_that_the_preset_cannot_run_is_told(
    benchmark: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--root", str(root), "--preset", "toy", "--strategy", "fused", "--strategy", "telepathy"]
    assert benchmark.main(words) == 0
    said = capsys.readouterr().out
    assert "Left out telepathy: " in said
    assert ("telepathy", "recorded") not in table(said)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--preset", "bas"], "did you mean 'base'"),
        (["--preset", "toy", "--strategy", "telepathy"], "none of the strategies. Left out telepathy"),
        (["--preset", "toy", "--root", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_errors_are_one_line(
    benchmark: ModuleType, root: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark.main(["--root", str(root), *words]) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_fresh_scenes_say_what_they_need(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "tools.orchestra.__main__", None)  # as where it cannot be imported
    assert benchmark.main(["--fresh", "1", "--preset", "toy"]) == 1
    assert "needs pyfluidsynth and" in capsys.readouterr().err


def test_fresh_scenes_are_measured(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[Any] = []
    generator = ModuleType("tools.orchestra.__main__")
    generator.write_scenes = lambda folder, seed, each: drawn.append((seed, each, write_scenes(folder, 1)))  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "tools.orchestra.__main__", generator)
    assert benchmark.main(["--fresh", "7", "--preset", "toy", "--strategy", "fused"]) == 0
    assert drawn[0][:2] == (7, 16)
    assert "6 scenes: fresh, seed 7" in capsys.readouterr().out
