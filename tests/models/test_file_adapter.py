"""Single-file checkpoints: found, read by the runtime that they are for, shared, and refused with a way out."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_files import REAL, on_real_files

from zsavs.errors import InputError, MissingExtra, MissingWeights, UnknownName, WeightsError
from zsavs.models import file_adapter
from zsavs.models.deeplab import DeepLabSegmenter
from zsavs.models.file_runtimes import litert_network, onnx_network
from zsavs.models.u2net import U2NetSegmenter
from zsavs.models.yamnet import YamnetTagger
from zsavs.models.yolox import YoloxCaptioner, YoloxEncoder, YoloxGrounder
from zsavs.storage import weights

ADAPTERS = [YamnetTagger, YoloxGrounder, U2NetSegmenter, DeepLabSegmenter]


@pytest.mark.parametrize("cls", ADAPTERS)
def test_the_card_is_pinned_and_permissive(cls: Any) -> None:
    for name, card in cls.cards.items():
        assert card.source.startswith("https://")
        assert card.source.endswith(f"/{name}")
        assert f"/{card.revision}/" in card.source
        assert len(card.sha256) == 64
        assert card.licence == "Apache-2.0"
        assert not card.is_restricted
        assert 0 < card.size_mb < 10


@pytest.mark.parametrize("cls", ADAPTERS)
def test_a_file_that_is_not_here_is_said_with_where_it_belongs(
    cls: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache")
    with pytest.raises(MissingWeights, match=cls.default):
        cls.load()
    with pytest.raises(MissingWeights, match="no such folder"):
        cls.load("./nowhere.bin")
    with pytest.raises(UnknownName, match="colour"):
        cls.load(colour="red")


@pytest.mark.parametrize("cls", ADAPTERS)
@pytest.mark.parametrize("content", [b"", b"not a network", b"\x00" * 4096, b"TFL3" * 100])
def test_a_broken_file_is_one_clear_error(cls: Any, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"broken: cannot be read as a network"):
        cls.load(path)


@pytest.mark.parametrize(
    ("runtime", "module", "package"),
    [(onnx_network, "onnxruntime", "onnxruntime"), (litert_network, "ai_edge_litert", "ai-edge-litert")],
)
def test_a_runtime_that_is_not_installed_is_named_with_its_extra(
    runtime: Any, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.partition(".")[0] == module:
            raise ImportError(name)
        return real(name, *arguments, **more)

    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=rf"{package} is not installed.*pip install 'zsavs\[pocket\]'"):
        runtime(Path("net"))


def test_a_file_is_read_once_for_all_that_are_made_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"one")
    opened: list[Path] = []

    def runtime(file: Path) -> Any:
        opened.append(file)
        return lambda batch: np.zeros((1, 3549, 85), np.float32)

    for cls in (YoloxGrounder, YoloxEncoder, YoloxCaptioner):
        monkeypatch.setattr(cls, "runtime", staticmethod(runtime))
    made = [cls.load(path) for cls in (YoloxGrounder, YoloxEncoder, YoloxCaptioner)]
    assert len(opened) == 1
    assert len({id(one.network) for one in made}) == 1
    path.write_bytes(b"another file")
    made.append(YoloxGrounder.load(path))
    assert len(opened) == 2, "the file has changed"
    made.clear()
    assert not [key for key in file_adapter._alive if key[1] == path]


def test_a_local_file_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(YoloxGrounder, "runtime", staticmethod(lambda path: lambda batch: batch))
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"mine")
    card = YoloxGrounder.load(path).card
    assert (card.source, card.licence, card.revision) == (str(path), "unknown", "local file")


@on_real_files
@pytest.mark.parametrize("name", ["yolox_nano.onnx", "u2netp.onnx"])
def test_another_network_is_refused_when_it_is_run(name: str) -> None:
    network = onnx_network(REAL / "weights" / name)
    with pytest.raises(WeightsError, match="does not take an input of float32"):
        network(np.zeros((1, 3, 17, 17), np.float32))


@on_real_files
def test_nothing_is_printed_by_the_runtimes(capfd: pytest.CaptureFixture[str]) -> None:
    litert_network(REAL / "weights" / "yamnet_spectra_in.tflite")(np.zeros((1, 96, 64), np.float32))
    onnx_network(REAL / "weights" / "yolox_nano.onnx")(np.zeros((1, 3, 416, 416), np.float32))
    assert capfd.readouterr() == ("", "")
    with pytest.raises(WeightsError, match="does not take an input"):
        litert_network(REAL / "weights" / "yamnet_spectra_in.tflite")(np.zeros((1, 5, 5), np.float32))


def test_a_setting_out_of_range_is_refused_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(YoloxGrounder, "runtime", staticmethod(lambda path: lambda batch: batch))
    path = tmp_path / "net.onnx"
    path.write_bytes(b"one")
    with pytest.raises(InputError, match="threshold"):
        YoloxGrounder.load(path, threshold=7)


def test_another_device_is_said_to_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(YoloxGrounder, "runtime", staticmethod(lambda path: lambda batch: batch))
    file_adapter._say_cpu.cache_clear()
    path = tmp_path / "net.onnx"
    path.write_bytes(b"one")
    for device in ("auto", "cpu", "cuda", "cuda"):
        YoloxGrounder.load(path, device=device)
    assert caplog.text.count("run on the CPU") == 1
    assert "'cuda'" in caplog.text
