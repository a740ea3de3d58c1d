"""``zsavs verify``: a table of what passes, exit code 1 on a miss, and words that help."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from huggingface_hub import constants

import zsavs
from zsavs.cli.main import main
from zsavs.testing import toy

verify = importlib.import_module("zsavs.cli.commands.verify")


def test_a_world_that_works_passes_and_the_text_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "verified.md"
    assert main(["verify", "toy", "--device", "cpu", "--out", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"# zsavs verify toy: all {3 * len(zsavs.list_components('strategy'))} checks pass\n")
    for name in zsavs.list_components("strategy"):
        assert f"| {name} | pass | pass | pass |" in said.out.replace("\\", "")
    assert f"zsavs {zsavs.__version__}, Python " in said.out
    assert "device cpu" in said.out
    assert path.read_text(encoding="utf-8") == said.out
    assert said.err == f"zsavs: wrote: {path}\n"


def test_a_miss_is_1_and_says_where_it_went_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["verify", "toy", "--device", "cpu", "--strategy", "fused", "--strategy", "classify"]
    assert main([*run, "--set", "top_k=0"]) == 1
    said = capsys.readouterr().out
    assert "4 of 6 checks missed" in said
    assert "no better than chance" in said
    assert "hearing, 4 answers" in said
    assert "zsavs doctor --deep" in said
    assert "--set top_k=0" in said.replace("\\", "")

    monkeypatch.setattr(toy.ToyTagger, "tag", lambda *_: 1 / 0)
    assert main(run) == 1
    said = capsys.readouterr().out.replace("\\", "")
    assert "| fused | pass | pass | pass |" in said
    assert "| classify | **ERROR** | **ERROR** | **ERROR** |" in said
    assert "classify: error: ZeroDivisionError: division by zero" in said


def test_strategies_without_a_part_are_shown_as_left_out_with_what_would_add_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    off_screen = verify._checks("toy")[2:]
    monkeypatch.setattr(verify, "_checks", lambda _: off_screen)
    words = ["verify", "base", "--device", "cpu"]
    for part in ("audio_text", "image_text", "captioner", "audio_tagger", "grounder", "segmenter"):
        words += ["--part", f"{part}=toy"]
    assert main(words) == 0
    said = capsys.readouterr().out.replace("\\", "")
    assert "caption: the preset has no audio_captioner for it; --part audio_captioner=NAME[:CHECKPOINT] adds it" in said
    assert "whisper (MU-NLPC/whisper-tiny-audio-captioning, " in said
    assert "joint_embedding: the preset has no joint for it" in said
    assert "omni: the preset has no omni for it; --part omni=NAME[:CHECKPOINT] adds it" in said
    words += ["--part", "audio_captioner=toy", "--part", "joint=toy", "--part", "verifier=clip", "--part", "omni=toy"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Left out" not in said
    assert "| caption | pass |" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["bas"], 2, "did you mean 'base'"),
        ([], 2, "Missing argument 'PRESET'"),
        (["base"], 1, "zsavs download base"),
        (["toy", "--strategy", "fusd"], 2, "did you mean 'fused'"),
        (["toy", "--part", "grounder=toi"], 2, "did you mean 'toy'"),
        (["toy", "--set", "min_zed=1"], 2, "min_zed"),
        (["toy", "--out", "/proc/x/verified.md"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_verified_is_one_line(
    words: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert main(["verify", *words]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_ctrl_c_is_130_and_reports_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(toy.ToyGrounder, "ground", interrupt)
    assert main(["verify", "toy", "--strategy", "fused"]) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "zsavs: interrupted: not all checks were run, and none is reported\n"
