"""Resuming a run: whatever ended the process, the numbers are those of a run that was never interrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluation_set import SOURCES, plan
from warm_process import EVALUATION, run_warm

from zsavs.datasets.folder import Folder
from zsavs.errors import InputError, OutputError, ResultFileError
from zsavs.evaluation import evaluate
from zsavs.evaluation.resumable_run import ResumableRun
from zsavs.testing import toy


def test_a_finished_run_is_not_run_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "run")
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    monkeypatch.setattr(toy.ToyAudioText, "encode_audio", lambda *_: pytest.fail("an item was answered again"))
    evaluate(Folder(folder), plan(), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before
    for name in ("report.json", "report.md", "report.html"):
        assert (tmp_path / "run" / name).stat().st_size > 100


def test_another_setting_is_refused_with_the_difference(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    with pytest.raises(OutputError, match=r"batch_size: 3 then, 2 now"):
        evaluate(Folder(folder), plan(limit=3, batch_size=2), tmp_path / "run")


def test_another_option_of_the_data_set_is_refused_with_the_difference(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    with pytest.raises(OutputError, match=r"dataset_options: \{\} then, \{'target_size': 24\} now"):
        evaluate(Folder(folder, target_size=24), plan(limit=3), tmp_path / "run")


def test_another_list_of_as_many_items_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "set")
    evaluate(Folder(tmp_path / "set"), plan(limit=3), tmp_path / "run")
    for file in tmp_path.glob("set/*/01.*"):
        file.rename(file.with_stem("99"))
    assert len(Folder(tmp_path / "set")) == len(SOURCES)
    with pytest.raises(OutputError, match=r"\(items_digest: '\w+' then, '\w+' now\)"):
        evaluate(Folder(tmp_path / "set"), plan(limit=3), tmp_path / "run")


def test_settings_say_which_device_auto_came_to(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run begun on one kind of device must not go on with another kind's numbers; cards of one kind may share it."""
    monkeypatch.setattr("zsavs.evaluation.settings.resolve_device", lambda name: torch.device("cuda:1"))
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    monkeypatch.setattr("zsavs.evaluation.settings.resolve_device", lambda name: torch.device("cuda:0"))
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(OutputError, match="device: 'cuda' then, 'cpu' now"):
        evaluate(Folder(folder), plan(limit=3, device="cpu"), tmp_path / "run")


def test_a_run_is_resumed_however_the_root_is_spelled(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    monkeypatch.chdir(folder.parent)
    evaluate(Folder(folder.name), plan(limit=3), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["root"] == str(folder.resolve())


def test_a_line_cut_short_is_run_again(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "run")
    good = (tmp_path / "run" / "metrics.json").read_bytes()
    path = tmp_path / "run" / "batches.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    evaluate(Folder(folder), plan(), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == good


def test_a_damaged_line_is_refused(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "run")
    path = tmp_path / "run" / "batches.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"batch": 1', b'"batch" 1', 1))
    with pytest.raises(ResultFileError, match="damaged"):
        evaluate(Folder(folder), plan(), tmp_path / "run")


def test_only_batches_with_a_failed_item_are_run_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run ends as one that never failed, where no other item has the shuffled audio of a failed one."""
    small = plan(audio=("recorded",))
    evaluate(Folder(folder), small, tmp_path / "whole")
    load = Folder.load
    loaded: list[str] = []

    def sometimes(self: Folder, item: str) -> Any:
        if item == "04":
            raise InputError("04: broken")
        return load(self, item)

    def noted(self: Folder, item: str) -> Any:
        loaded.append(item)
        return load(self, item)

    monkeypatch.setattr(Folder, "load", sometimes)
    report = evaluate(Folder(folder), small, tmp_path / "run", retry_failed=True)
    assert len(report["dataset"]["failed"]) == 1
    report = evaluate(Folder(folder), small, tmp_path / "run", retry_failed=True)
    assert len(report["dataset"]["failed"]) == 1, "still broken, and once in the list"
    monkeypatch.setattr(Folder, "load", noted)
    report = evaluate(Folder(folder), small, tmp_path / "run", retry_failed=True)
    assert not report["dataset"]["failed"]
    assert loaded == ["03", "04", "05"], "the batch of three"
    assert (tmp_path / "run" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()


def test_two_processes_do_not_share_a_run_folder(folder: Path, tmp_path: Path) -> None:
    with ResumableRun(tmp_path / "run", {"a": 1}), pytest.raises(OutputError, match="another process"):
        ResumableRun(tmp_path / "run", {"a": 1})
    ResumableRun(tmp_path / "run", {"a": 1}).close()


#: A process whose forks run the same evaluation, each killed after some calls of the grounder and a moment more:
#: between batches, in one, in the middle of a write. It prints how many were killed before one had finished.
KILLED = """
from zsavs.datasets.folder import Folder
from zsavs.evaluation import Plan, evaluate
from zsavs.testing import toy

root, run, seed = sys.argv[1:]
plan = Plan(strategies=("cross_modal", "fused"), preset="toy", batch_size=1, suites=("avsbench",))
ground = toy.ToyGrounder.ground
rng, killed = random.Random(int(seed)), 0
for _ in range(60):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        def noted(self, *given):
            os.write(tell, b".")
            time.sleep(0.01)
            return ground(self, *given)
        toy.ToyGrounder.ground = noted
        evaluate(Folder(root), plan, run)
        os._exit(0)
    os.close(tell)
    for _ in range(rng.randint(1, 30)):
        os.read(told, 1)
    time.sleep(rng.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(told)
    if (Path(run) / "metrics.json").exists():
        break
print(killed)
"""


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_it_ends_with_the_same_bytes(folder: Path, tmp_path: Path, seed: int) -> None:
    evaluate(Folder(folder), plan(batch_size=1), tmp_path / "whole")
    done = run_warm(KILLED, folder, tmp_path / "run", seed, imports=EVALUATION)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) >= 1
    evaluate(Folder(folder), plan(batch_size=1), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()
    lines = (tmp_path / "run" / "batches.jsonl").read_text().splitlines()
    assert [json.loads(line)["batch"] for line in lines] == list(range(len(SOURCES)))
