"""Nothing that is loaded runs, nothing that is named leads out of its folder, nothing in a report is a script."""

from __future__ import annotations

import ast
import contextlib
import importlib.metadata
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers
from adapter_helpers import harmful_pickle
from PIL import Image

from zsavs.datasets.avsbench import MS3, S4
from zsavs.datasets.folder import Folder
from zsavs.datasets.localisation import LocalisationS4
from zsavs.datasets.vpo import VPOSS
from zsavs.errors import InputError, WeightsError
from zsavs.evaluation import Plan, evaluate
from zsavs.models import imagebind, open_clip
from zsavs.models.checkpoints import bank_beside, load_model
from zsavs.models.runtime import load_part
from zsavs.testing import toy

ROOT = Path(__file__).parents[2]
#: Our own code, whether it ships or not; the tests prove their attacks and are left out.
CODE = sorted(path for part in ("zsavs", "tools", "benchmarks", "examples") for path in (ROOT / part).rglob("*.py"))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


# ------------------------------------------------------------------------------ no pickle, no code
EXPORTED = frozenset(dir(transformers))
#: Every class of transformers that a model file loads weights into.
LOADED = sorted(
    {
        node.value
        for path in CODE
        if path.is_relative_to(ROOT / "zsavs" / "models")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in EXPORTED
        if isinstance(getattr(transformers, node.value), type)
        if issubclass(getattr(transformers, node.value), transformers.PreTrainedModel)
    }
)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The value of ``weights_only`` at each call of ``torch.load``."""
    seen: list[Any] = []
    plain = torch.load

    def load(*args: Any, **settings: Any) -> Any:
        seen.append(settings.get("weights_only"))
        return plain(*args, **settings)

    monkeypatch.setattr(torch, "load", load)
    return seen


def test_the_list_of_loaded_classes_is_not_empty() -> None:
    assert {"ClapModel", "Sam2Model"} <= set(LOADED)


@pytest.mark.parametrize("name", LOADED)
def test_a_pickle_in_the_place_of_weights_does_not_run(name: str, tmp_path: Path, reads: list[Any]) -> None:
    folder, evidence = tmp_path / "bad", tmp_path / "ran"
    getattr(transformers, name).config_class().save_pretrained(folder)
    attack = harmful_pickle(evidence)  # has checked that it works, through torch.load too
    reads.clear()
    (folder / "pytorch_model.bin").write_bytes(attack)
    with pytest.raises(WeightsError, match=re.escape(str(folder))):
        load_model(name, folder, torch.float32)
    assert not evidence.exists()
    assert set(reads) == {True}, "the file was looked at, and with care"


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth"])
@pytest.mark.parametrize(
    "load",
    [
        lambda path: open_clip.OpenClipEncoder.load("ViT-S-32-alt", weights=path, device="cpu"),
        lambda path: imagebind.ImageBindEncoder.load(path, device="cpu"),
    ],
    ids=["open_clip", "imagebind"],
)
def test_a_pickle_that_is_named_by_hand_does_not_run(
    load: Callable[[Path], Any], suffix: str, tmp_path: Path, reads: list[Any]
) -> None:
    path, evidence = tmp_path / f"weights{suffix}", tmp_path / "ran"
    attack = harmful_pickle(evidence)
    reads.clear()
    path.write_bytes(attack)
    with pytest.raises(WeightsError, match=re.escape(str(path))):
        load(path)
    assert not evidence.exists()
    assert set(reads) == {True}


def test_a_bank_of_objects_does_not_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    np.save(tmp_path / "sound_bank.npy", np.array([Harmful()], object), allow_pickle=True)
    np.load(tmp_path / "sound_bank.npy", allow_pickle=True)
    (tmp_path / "ran").unlink()
    with pytest.raises(WeightsError, match=r"sound_bank\.npy"):
        bank_beside(tmp_path, "sound_bank")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("part", ["AutoTokenizer", "AutoImageProcessor", "AutoConfig"])
def test_code_that_comes_with_a_checkpoint_does_not_run(part: str, tmp_path: Path) -> None:
    folder, evidence = tmp_path / "model", tmp_path / "ran"
    folder.mkdir()
    (folder / "evil.py").write_text(
        f"import pathlib\npathlib.Path({str(evidence)!r}).touch()\n"
        "from transformers import PretrainedConfig\nclass Evil(PretrainedConfig):\n    model_type = 'evil'\n"
    )
    entry = ["evil.Evil", None] if part == "AutoTokenizer" else "evil.Evil"
    text = json.dumps({"model_type": "evil", "auto_map": {part: entry}, "image_processor_type": "Evil"})
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        (folder / name).write_text(text)
    with contextlib.suppress(Exception):  # what comes of running it does not matter
        getattr(transformers, part).from_pretrained(folder, trust_remote_code=True)
    assert evidence.exists(), "the attack does not work, so that refusing it would prove nothing"
    evidence.unlink()
    with pytest.raises(WeightsError, match=re.escape(str(folder))):
        load_part(part, folder)
    assert not evidence.exists()


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_of_ours_could(path: Path) -> None:
    for name, call in calls(path):
        settings = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        where = f"{path.relative_to(ROOT)}, line {call.lineno}: {name}"
        assert name not in ("eval", "exec", "compile", "os.system", "os.popen", "__import__"), where
        assert not name.startswith(("pickle.", "marshal.", "shelve.", "dill.", "joblib.", "yaml.load")), where
        assert settings.get("trust_remote_code", "False") == "False", where
        assert settings.get("allow_pickle", "False") == "False", where
        assert settings.get("shell", "False") == "False", where
        assert name != "torch.load" or settings.get("weights_only") == "True", where


# ------------------------------------------------------------------------------------------- paths
def table(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def _s4(root: Path, name: str) -> Any:
    table(root / "s4_meta_data.csv", "name,uid,category,split", f"{name},x,dog,test")
    return S4(root)


def _s4_category(root: Path, name: str) -> Any:
    table(root / "s4_meta_data.csv", "name,uid,category,split", f"v,x,{name},test")
    return S4(root)


def _ms3(root: Path, name: str) -> Any:
    table(root / "ms3_meta_data.csv", "name,split", f"{name},test")
    return MS3(root)


def _vpo(column: int) -> Callable[[Path, str], Any]:
    def make(root: Path, name: str) -> Any:
        values = ["1", "dog", "clip", "test", "1"]
        values[column] = name
        table(root / "VPO/VPO-SS/vpo_ss_data_stereo.csv", "img_Id,cateName,vgg_file,split,ann_Ids", ",".join(values))
        (root / "vggsound_bench/VGGSound/audios").mkdir(parents=True, exist_ok=True)
        return VPOSS(root)

    return make


def _ssl(key: str) -> Callable[[Path, str], Any]:
    def make(root: Path, name: str) -> Any:
        row = {"image": "/x/a/b/c.png", "audio": "/x/a/b.wav", "gt_box": "/x/a/b/c.png"} | {key: f"/x/{name}/c.png"}
        table(root / "metadata/s4_seg.json", json.dumps([row]))
        for kind in ("visual_frames", "audio_wav", "gt_masks"):
            (root / "s4_data" / kind / "test").mkdir(parents=True, exist_ok=True)
        return LocalisationS4(root)

    return make


LISTS: dict[str, Callable[[Path, str], Any]] = {
    "S4, name": _s4,
    "S4, category": _s4_category,
    "MS3": _ms3,
    "VPO, category": _vpo(1),
    "VPO, clip": _vpo(2),
    **{f"SSL, {key}": _ssl(key) for key in ("image", "audio", "gt_box")},
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["../..", "a/../.."])
def test_a_list_leads_to_no_file_outside_of_the_data_set(kind: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"leads out of the data set"):
        LISTS[kind](tmp_path, name)
    data = LISTS[kind](tmp_path, "a..b/c" if "SSL" in kind else "a..b")  # two dots alone are no way out
    for item in data:
        assert all(path.resolve().is_relative_to(tmp_path) for path in data.files(item))


@pytest.mark.parametrize("kind", ["MS3", "VPO, clip"])
def test_a_list_names_no_absolute_path(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"leads out of the data set"):
        LISTS[kind](tmp_path, "/etc/passwd")


# --------------------------------------------------------------------------------- reports
SCRIPT = "<script>alert(1)<!--"


class Tags(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_run_over_hostile_names_writes_a_harmless_report_and_nothing_elsewhere(tmp_path: Path) -> None:
    """File names, labels and phrases, and with them groups, come from whoever made the data set."""
    names = [f"{SCRIPT}{number}" for number in range(2)] + ["..a", "a\" onload='x", "-->&amp;"]
    root, out = tmp_path / "set", tmp_path / "runs" / "run"
    for part in ("img", "wav", "gt_seg"):
        (root / part).mkdir(parents=True)
    for seed, name in enumerate(names):
        sample, target = toy.scene(("red", "blue"), ("blue",), size_hw=(32, 48), seed=seed)
        Image.fromarray(sample.image).save(root / "img" / f"{name}.png")
        with (root / "wav" / f"{name}.wav").open("wb") as file:
            soundfile.write(file, sample.audio.waveform.T, sample.audio.sample_rate_hz, format="WAV")
        Image.fromarray(target).save(root / "gt_seg" / f"{name}.png")
    (root / "gt_seg" / f"{SCRIPT}0.png").write_bytes(b"broken")  # its name is in the list of failures
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)}
    words = (SCRIPT, f"{SCRIPT} blue", "blue</td><img src=x onerror=alert(1)>")
    plan = Plan(("audio_to_text",), preset="toy", vocabulary=words, audio=("recorded",))
    evaluate(Folder(root), plan, out, visuals=2)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(out)} == before | {out.parent}
    text = (out / "report.html").read_text()
    page = Tags(text)
    assert "script" not in page.tags
    assert not {name for name in page.attributes if name.startswith("on")}
    assert SCRIPT in page.text, "shown as text"
    assert "script-src" not in text
    assert "default-src 'none'" in text or "default-src &#x27;none&#x27;" in text
    assert "<script" not in (out / "report.md").read_text()


# ------------------------------------------------------------------------------------------ licences
def requirements() -> list[str]:
    """Names of the packages in pyproject.toml, those of the extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    found = [re.match(r"[\w.-]+", name) for name in (*project["dependencies"], *extras)]
    return sorted({match[0].lower().replace("_", "-") for match in found if match} - {"zsavs"})


def listed() -> dict[str, str]:
    """What docs/licences.md says: package and licence."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", (ROOT / "docs" / "licences.md").read_text(encoding="utf-8"), re.M)
    return {name: licence.strip() for name, licence in rows}


def test_every_dependency_is_listed_with_its_licence() -> None:
    assert sorted(listed()) == requirements()


@pytest.mark.parametrize("name", requirements())
def test_no_package_states_a_licence_that_is_not_listed(name: str) -> None:
    """Read from what is installed; an extra that is not cannot be compared. A release may state fewer than another."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    texts = (metadata.get("License-Expression"), metadata.get("License"))
    classifiers = [c.removeprefix("License :: OSI Approved :: ") for c in metadata.get_all("Classifier", [])]
    classified = [text for text in classifiers if "License" in text]
    stated = next(text for text in (*texts, *classified) if text).splitlines()[0]
    assert stated.strip()
    assert set(stated.strip().split(" AND ")) <= set(listed()[name].split(" AND "))
