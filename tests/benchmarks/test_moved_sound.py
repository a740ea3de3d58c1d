"""The sound moved in time: what lies around it is what it says, and a world that is understood scores as it must."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from benchmark_scripts import load_benchmark
from orchestra_scenes import write_scenes
from PIL import Image

import zsavs
from zsavs.media.waveform import rms_db
from zsavs.testing import toy


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("moved_sound")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, each=2)
    return folder


@pytest.fixture
def case(benchmark: ModuleType) -> Any:
    sample, mask = toy.scene(("red", "blue"), ("blue",))
    stereo = zsavs.AudioClip(np.concatenate([sample.audio.waveform] * 2), sample.audio.sample_rate_hz)
    other = zsavs.AudioClip(toy.tone("green").waveform[:, ::2], sample.audio.sample_rate_hz // 2)
    return benchmark.Case("a", "single", zsavs.AVSample(sample.image, stereo), mask, lambda: other)


@pytest.mark.parametrize(
    ("name", "level_db"), [("silence", -120), ("hiss60", -60), ("hiss40", -40), ("room", -45), ("other", None)]
)
def test_the_sound_lies_unchanged_between_its_paddings(
    benchmark: ModuleType, case: Any, name: str, level_db: float | None
) -> None:
    clip = case.sample.audio
    moved = benchmark.moved_clip(case, (name, 1.5))
    rate, length = clip.sample_rate_hz, clip.waveform.shape[1]
    pad = round(1.5 * rate)
    assert moved.sample_rate_hz == rate
    assert moved.waveform.shape == (2, length + 2 * pad)
    np.testing.assert_array_equal(moved.waveform[:, pad : pad + length], clip.waveform)
    before, after = moved.waveform[:, :pad], moved.waveform[:, pad + length :]
    for part in (before, after):
        assert rms_db(part) == pytest.approx(rms_db(clip.waveform) - 35 if level_db is None else level_db, abs=0.3)
        np.testing.assert_array_equal(part[0], part[1])
    assert np.array_equal(before, after) == (name in ("silence", "other"))
    np.testing.assert_array_equal(moved.waveform, benchmark.moved_clip(case, (name, 1.5)).waveform)


def test_the_place_is_chosen_and_no_seconds_leave_the_sound_alone(benchmark: ModuleType, case: Any) -> None:
    clip = case.sample.audio
    assert benchmark.moved_clip(case, ("own", 0.0)) is clip
    length, pad = clip.waveform.shape[1], clip.sample_rate_hz
    before = benchmark.moved_clip(case, ("silence", 1.0), "before").waveform
    after = benchmark.moved_clip(case, ("silence", 1.0), "after").waveform
    assert before.shape == after.shape == (2, length + pad)
    np.testing.assert_array_equal(before[:, pad:], clip.waveform)
    np.testing.assert_array_equal(after[:, :length], clip.waveform)


def test_the_other_sound_is_of_nothing_that_is_heard_or_in_view(benchmark: ModuleType, root: Path) -> None:
    cases = list(benchmark.orchestra_cases(root, None, 1))
    assert [case.name for case in cases] == [
        f"{group}_000" for group in ("single", "two", "two_instances", "silence", "noise", "off_screen")
    ]
    scenes = benchmark.Orchestra(root).scenes
    for case in cases:
        wave = case.other().mono()
        scene = scenes[case.name]
        here = {*scene.heard, *(thing.label for thing in scene.things)}
        strength = {colour: abs(np.vdot(wave, toy.tone(colour).mono())) for colour in toy.COLOURS}
        assert max(strength, key=lambda colour: strength[colour]) not in here


def table(markdown: str, section: str) -> list[list[str]]:
    """The rows of a section's table."""
    lines = markdown[markdown.index(f"## {section}\n") :].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")][2:]


def test_the_table_of_a_world_that_is_understood(
    benchmark: ModuleType, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "moved.md"
    words = ["--root", str(root), "--preset", "toy", "--strategy", "fused", "--padding", "silence", "--each", "1"]
    assert benchmark.main([*words, "--seconds", "1", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert out.read_text() == text
    ((strategy, name, own, moved, lost),) = table(text, "J")
    assert (strategy, name) == ("fused", "silence")
    assert float(own) > 98
    assert float(lost) == pytest.approx(max(0, float(own) - float(moved)), abs=0.11)
    assert table(text, "False positives") == [["fused", "silence", "0.0", "0.0"]]
    assert "1 single, 1 two, 1 two_instances, 1 silence, 1 noise, 1 off_screen" in text


def test_scores_are_of_what_was_answered(benchmark: ModuleType, case: Any) -> None:
    """With pipelines whose answers are known: one that marks all once the sound has moved, one that is right."""

    class Answers:
        def __init__(self, wrong: bool) -> None:
            self.wrong = wrong

        def batch(self, samples: list[zsavs.AVSample]) -> list[Any]:
            assert sum(sample.audio.duration_s for sample in samples) <= benchmark._BATCH_S or len(samples) == 1
            own = case.sample.audio.duration_s
            return [
                type("Result", (), {"mask": target | (self.wrong and sample.audio.duration_s > own)})
                for sample in samples
                for target in [case.target if sample.name == "a" else np.zeros_like(case.target)]
            ]

    positive = benchmark.Case(
        "a", "single", zsavs.AVSample(case.sample.image, case.sample.audio, "a"), case.target, None
    )
    negative = benchmark.Case("b", "silence", case.sample, np.zeros_like(case.target), None)
    ways = [("silence", 1.0), ("silence", 200.0)]
    scores = benchmark.measure([positive, negative], {"right": Answers(False), "wrong": Answers(True)}, ways)
    text = benchmark.render(benchmark.page(scores, ["right", "wrong"], ways, "t", "a"), "markdown")
    share = f"{100 * case.target.mean():.1f}"
    assert table(text, "J") == [
        ["right", "silence", "100.0", "100.0", "100.0", "0.0"],
        ["wrong", "silence", "100.0", share, share, f"{100 - 100 * case.target.mean():.1f}"],
    ]
    assert table(text, "False positives")[1] == ["wrong", "silence", "0.0", "100.0", "100.0"]
    assert table(text, "False positives by group")[1] == ["wrong", "0.0", "100.0"]


def test_real_pairs_are_moved_among_sounds_of_no_class(benchmark: ModuleType, tmp_path: Path) -> None:
    for part in ("img", "wav", "gt_seg"):
        (tmp_path / part).mkdir()
    listed: list[dict[str, Any]] = []
    kinds = (("a", "positive", "red"), ("b", "positive", "red"), ("c", "ambient", None), ("d", "ambient", None))
    for place, (name, kind, label) in enumerate(kinds):
        sample, mask = toy.scene(("red", "blue"), ("red",) if label else ("green", "yellow")[place % 2 : place % 2 + 1])
        Image.fromarray(sample.image).save(tmp_path / "img" / f"{name}.png")
        soundfile.write(tmp_path / "wav" / f"{name}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        Image.fromarray((255 * mask).astype(np.uint8)).save(tmp_path / "gt_seg" / f"{name}.png")
        listed.append({"name": name, "kind": kind, "label": label})
    (tmp_path / "manifest.json").write_text(json.dumps(listed), encoding="utf-8")
    cases = list(benchmark.real_cases(tmp_path, 1))
    assert [(case.name, case.group, bool(case.target.any())) for case in cases] == [
        ("a", "positive", True),
        ("c", "ambient", False),
    ]
    for case in cases:
        assert not np.array_equal(case.other().waveform, case.sample.audio.waveform)
    (tmp_path / "manifest.json").write_text(json.dumps(listed[:3]), encoding="utf-8")
    with pytest.raises(zsavs.errors.InputError, match="needs two pairs with a sound of no class"):
        list(benchmark.real_cases(tmp_path, 1))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--preset", "bas"], "did you mean 'base'"),
        (["--preset", "toy", "--root", "nowhere"], "nowhere: no such folder"),
        (["--preset", "toy", "--real", "nowhere"], "nowhere"),
    ],
)
def test_errors_are_one_line(
    benchmark: ModuleType, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark.main([*words, "--strategy", "fused"]) == 1
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("moved_sound: error: ")
    assert said.count("\n") == 1
