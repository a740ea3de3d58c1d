"""A run never answers for files, code or settings that it did not see, and computes again just what has changed."""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from evaluation_set import SOURCES, plan, rows
from motion_clips import write_clips
from PIL import Image

from zsavs import registry
from zsavs.datasets.folder import Folder
from zsavs.datasets.orchestra_motion import OrchestraMotion
from zsavs.errors import InputError, OutputError
from zsavs.evaluation import evaluate, merge

#: Recorded audio alone, so that no item hears another's.
ALONE: dict[str, Any] = {"strategies": ("fused",), "audio": ("recorded",)}

STRATEGY = '''
"""A strategy that somebody tunes: it hears nothing of what is above its threshold."""
from limits_of_mine import MOST
from zsavs.testing.toy import ToyAudioText
from zsavs.strategies.fused import Fused


class Tuned(Fused):
    def query(self, samples):
        assert MOST
        return super().query(samples)
'''


@pytest.fixture
def data(folder: Path, tmp_path: Path) -> Path:
    """A copy of the data set, to be written to."""
    return Path(shutil.copytree(folder, tmp_path / "set"))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A researcher's module with a strategy, and another one that it imports, registered as "tuned"."""
    home = tmp_path / "research"
    home.mkdir()
    (home / "tuned_idea.py").write_text(STRATEGY)
    (home / "limits_of_mine.py").write_text("MOST = 1\n")
    monkeypatch.syspath_prepend(home)
    monkeypatch.setitem(registry._BUILT_IN["strategy"], "tuned", "tuned_idea:Tuned")
    yield home
    for name in ("tuned_idea", "limits_of_mine"):
        sys.modules.pop(name, None)


def edit(path: Path, text: str) -> ModuleType:
    """Write a module and load it again, as the next process will."""
    path.write_text(text)
    importlib.invalidate_caches()
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    return importlib.reload(sys.modules[path.stem])


def metrics(run: Path) -> bytes:
    return (run / "metrics.json").read_bytes()


def test_masks_that_changed_are_not_answered_for_with_the_old_numbers(data: Path, tmp_path: Path) -> None:
    """What it did before: J stayed at what it was with the old masks, in silence."""
    before = rows(evaluate(Folder(data), plan(**ALONE), tmp_path / "run"))["fused", "recorded"]["fixed"]["J"]
    assert before > 0.99
    for number in range(len(SOURCES)):
        full = Image.fromarray(np.full((48, 64), 255, np.uint8))
        full.save(data / "gt_seg" / f"{number:02d}.png")
    with pytest.raises(OutputError, match=r"gt_seg/00\.png: \d+ bytes then, \d+ bytes now.*; and \d more.*--refresh"):
        evaluate(Folder(data), plan(**ALONE), tmp_path / "run")
    report = evaluate(Folder(data), plan(**ALONE), tmp_path / "run", refresh=True)
    assert rows(report)["fused", "recorded"]["fixed"]["J"] < 0.2
    assert report["computed_now"] == len(SOURCES)
    evaluate(Folder(data), plan(**ALONE), tmp_path / "fresh")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "fresh")


def test_only_the_batches_with_a_file_that_changed_are_computed_again(data: Path, tmp_path: Path) -> None:
    evaluate(Folder(data), plan(**ALONE), tmp_path / "run")
    assert evaluate(Folder(data), plan(**ALONE), tmp_path / "run")["computed_now"] == 0
    shutil.copyfile(data / "wav" / "01.wav", data / "wav" / "04.wav")  # blue in the place of purple
    with pytest.raises(OutputError, match=r"wav/04\.wav: written .* then, written .* now.* the 3 items again"):
        evaluate(Folder(data), plan(**ALONE), tmp_path / "run")
    report = evaluate(Folder(data), plan(**ALONE), tmp_path / "run", refresh=True)
    assert report["computed_now"] == 3
    evaluate(Folder(data), plan(**ALONE), tmp_path / "fresh")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "fresh")
    assert report["rows"][0]["fixed"]["empty"] == pytest.approx(3 / 12), "purple was off screen, and blue is in view"


def test_audio_that_other_items_were_heard_with_is_theirs_too(data: Path, tmp_path: Path) -> None:
    """Items 9 to 11 are heard with the audio of items 3 to 5, half the data set away."""
    both = plan(strategies=("fused",), audio=("recorded", "shuffled"))
    evaluate(Folder(data), both, tmp_path / "run")
    shutil.copyfile(data / "wav" / "01.wav", data / "wav" / "04.wav")
    report = evaluate(Folder(data), both, tmp_path / "run", refresh=True)
    assert report["computed_now"] == 6, "two batches of three"
    evaluate(Folder(data), both, tmp_path / "fresh")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "fresh")


def test_a_file_that_came_back_is_noticed(data: Path, tmp_path: Path) -> None:
    aside = (data / "wav" / "04.wav").rename(tmp_path / "04.wav")
    opened = Folder.__new__(Folder)  # opened while the file was there
    aside.rename(data / "wav" / "04.wav")
    Folder.__init__(opened, data)
    aside = (data / "wav" / "04.wav").rename(tmp_path / "04.wav")
    assert len(evaluate(opened, plan(**ALONE), tmp_path / "run")["dataset"]["failed"]) == 1
    aside.rename(data / "wav" / "04.wav")
    with pytest.raises(OutputError, match=r"wav/04\.wav: not there then, \d+ bytes now"):
        evaluate(opened, plan(**ALONE), tmp_path / "run")
    assert not evaluate(opened, plan(**ALONE), tmp_path / "run", refresh=True)["dataset"]["failed"]


def test_a_strategy_whose_source_was_edited_is_another_run(data: Path, tmp_path: Path, module: Path) -> None:
    tuned = plan(**{**ALONE, "strategies": ("tuned",)})
    before = rows(evaluate(Folder(data), tuned, tmp_path / "run"))["tuned", "recorded"]["fixed"]
    assert before["J"] > 0.99
    assert evaluate(Folder(data), tuned, tmp_path / "run")["computed_now"] == 0
    edit(
        module / "tuned_idea.py",
        STRATEGY.replace("super().query(samples)", "super().query(samples[:1] * len(samples))"),
    )
    with pytest.raises(OutputError, match=r"\(code: tuned_idea has changed\)"):
        evaluate(Folder(data), tuned, tmp_path / "run")
    report = evaluate(Folder(data), tuned, tmp_path / "run", refresh=True)
    assert report["computed_now"] == len(SOURCES)
    assert rows(report)["tuned", "recorded"]["fixed"]["J"] < 0.9


def test_what_a_strategy_imports_of_its_own_is_looked_at_too(data: Path, tmp_path: Path, module: Path) -> None:
    tuned = plan(**{**ALONE, "strategies": ("tuned",)}, limit=3)
    evaluate(Folder(data), tuned, tmp_path / "run")
    (module / "not_imported.py").write_text("MOST = 3\n")
    evaluate(Folder(data), tuned, tmp_path / "run")
    edit(module / "limits_of_mine.py", "MOST = 2\n")
    edit(module / "tuned_idea.py", STRATEGY)
    with pytest.raises(OutputError, match=r"\(code: limits_of_mine has changed\)"):
        evaluate(Folder(data), tuned, tmp_path / "run")


@pytest.mark.parametrize(
    ("old", "new"), [("return super().query(samples)", "return []"), ("class Tuned", "LEAST = 2\n\n\nclass Tuned")]
)
def test_code_that_is_not_what_was_loaded_is_not_run(
    data: Path, tmp_path: Path, module: Path, old: str, new: str
) -> None:
    """In a notebook the old lines go on running; their numbers must not be filed under the new ones."""
    (module / "tuned_idea.py").write_text(STRATEGY.replace("class Tuned", "LEAST = 1\n\n\nclass Tuned"))
    tuned = plan(**{**ALONE, "strategies": ("tuned",)}, limit=3)
    evaluate(Folder(data), tuned, tmp_path / "run")
    (module / "tuned_idea.py").write_text(STRATEGY.replace(old, new))
    with pytest.raises(InputError, match=r"tuned_idea\.py: .* is not what this process has loaded"):
        evaluate(Folder(data), tuned, tmp_path / "another")


def test_another_plan_is_refused_or_computed_from_its_start(data: Path, tmp_path: Path) -> None:
    evaluate(Folder(data), plan(**ALONE), tmp_path / "run")
    other = plan(**ALONE, settings={"min_z": 50.0})
    with pytest.raises(OutputError, match=r"settings: \{\} then, \{'min_z': 50.0\} now"):
        evaluate(Folder(data), other, tmp_path / "run")
    report = evaluate(Folder(data), other, tmp_path / "run", refresh=True)
    assert report["computed_now"] == len(SOURCES)
    assert rows(report)["fused", "recorded"]["fixed"]["empty"] == 1.0
    assert evaluate(Folder(data), other, tmp_path / "run")["computed_now"] == 0


def test_labels_in_a_file_are_known_by_what_they_are(data: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("red\nblue\ngreen\n")
    heard = plan(**ALONE, vocabulary=str(tmp_path / "labels.txt"), limit=3)
    evaluate(Folder(data), heard, tmp_path / "run")
    (tmp_path / "labels.txt").write_text("red\ngreen\nyellow\n")
    with pytest.raises(OutputError, match="labels: "):
        evaluate(Folder(data), heard, tmp_path / "run")


def test_the_audio_of_another_clip_belongs_to_a_whole_video(tmp_path: Path) -> None:
    write_clips(tmp_path / "clips", each=1)
    videos = OrchestraMotion(tmp_path / "clips")
    names = list(videos.scripts)
    first = videos.other_audio_files(f"{names[0]}/0")[0]
    settings: dict[str, Any] = {"strategies": ("fused",), "limit": 1, "preset": "toy"}
    evaluate(videos, plan(**settings, audio=("recorded", "shuffled")), tmp_path / "both")
    evaluate(videos, plan(**settings, audio=("recorded",)), tmp_path / "alone")
    os.utime(first)
    with pytest.raises(OutputError, match=f"audio/{first.name}"):
        evaluate(videos, plan(**settings, audio=("recorded", "shuffled")), tmp_path / "both")
    evaluate(videos, plan(**settings, audio=("recorded",)), tmp_path / "alone")
    os.utime(tmp_path / "clips" / "clips.json")
    with pytest.raises(OutputError, match=r"annotations: clips\.json: written .* then"):
        evaluate(videos, plan(**settings, audio=("recorded",)), tmp_path / "alone")


def test_a_data_set_that_names_no_files_is_told_of(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Mine:
        name, suite = "mine", "avsbench"

        def __init__(self, inner: Folder) -> None:
            self.load, self._ids = inner.load, list(inner)

        def __len__(self) -> int:
            return len(self._ids)

        def __iter__(self) -> Iterator[str]:
            return iter(self._ids)

    with caplog.at_level(logging.WARNING):
        evaluate(Mine(Folder(data)), plan(**ALONE, limit=3), tmp_path / "run")
    assert "does not say which files it reads" in caplog.text
    assert evaluate(Mine(Folder(data)), plan(**ALONE, limit=3), tmp_path / "run")["computed_now"] == 0


def test_shards_of_copies_with_other_times_merge_and_with_other_weights_do_not(data: Path, tmp_path: Path) -> None:
    for part in range(2):
        evaluate(Folder(data), plan(**ALONE, shard=(part, 2)), tmp_path / f"part{part}")
    path = tmp_path / "part1" / "settings.json"
    own = json.loads(path.read_text())
    first = json.loads((tmp_path / "part0" / "settings.json").read_text())
    for settings, written in ((own, 2), (first, 1)):
        settings["weights"] = {"org/model": {"model.safetensors": [1000, written]}}
        settings["annotations"] = {"list.csv": [20, written]}
    (tmp_path / "part0" / "settings.json").write_text(json.dumps(first))
    path.write_text(json.dumps(own))
    merge([tmp_path / "part0", tmp_path / "part1"], tmp_path / "merged")
    own["weights"]["org/model"]["model.safetensors"][0] = 1001
    path.write_text(json.dumps(own))
    with pytest.raises(InputError, match="another run, it differs in weights"):
        merge([tmp_path / "part0", tmp_path / "part1"], tmp_path / "again")


def test_a_run_of_before_there_were_keys_is_not_trusted(data: Path, tmp_path: Path) -> None:
    evaluate(Folder(data), plan(**ALONE, limit=3), tmp_path / "run")
    path = tmp_path / "run" / "settings.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in settings.items() if key not in ("code", "weights")}))
    with pytest.raises(OutputError, match=r"code: .* is new"):
        evaluate(Folder(data), plan(**ALONE, limit=3), tmp_path / "run")
