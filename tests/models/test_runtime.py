"""Device, dtype and loading: what is asked for and not there is one clear sentence."""

from __future__ import annotations

import functools
import importlib
import json
import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from forked import run_in_fork

from zsavs.errors import BrokenInstallation, MissingWeights, UnknownName, WeightsError, ZsavsError, first_line
from zsavs.models.runtime import import_transformers, load_part, resolve_device, resolve_dtype, to_device


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to be a machine with some cards."""

    def pretend(cuda: int = 0, mps: bool = False, capability: tuple[int, int] = (9, 0)) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _=None: capability)

    pretend()
    return pretend


# -------------------------------------------------------------------------------- device
@pytest.mark.parametrize(
    ("cards", "wanted"),
    [({}, "cpu"), ({"mps": True}, "mps"), ({"cuda": 2}, "cuda"), ({"cuda": 1, "mps": True}, "cuda")],
)
def test_auto_takes_the_best_device(machine: Any, cards: dict[str, Any], wanted: str) -> None:
    machine(**cards)
    assert resolve_device("auto") == resolve_device() == torch.device(wanted)


def test_a_device_that_is_here(machine: Any) -> None:
    machine(cuda=2)
    for name in ("cpu", "cuda", "cuda:0", "cuda:1"):
        assert resolve_device(name) == torch.device(name)
    assert resolve_device(torch.device("cuda:1")) == torch.device("cuda:1")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "gpu", "tpu", "", "CPU", "cuda:x"])
@pytest.mark.usefixtures("machine")
def test_a_device_that_is_not_here_lists_those_that_are(name: str) -> None:
    with pytest.raises(UnknownName, match=r"no device named .*Choose from: auto, cpu\. \(these are the ones on this"):
        resolve_device(name)


def test_a_card_too_many(machine: Any) -> None:
    machine(cuda=1)
    with pytest.raises(UnknownName, match="did you mean 'cuda:0'"):
        resolve_device("cuda:1")


# --------------------------------------------------------------------------------- dtype
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_auto_is_half_only_where_it_is_fast_and_safe(machine: Any) -> None:
    machine(cuda=1)
    assert resolve_dtype("auto", CPU) == torch.float32
    assert resolve_dtype("auto", torch.device("mps")) == torch.float32
    assert resolve_dtype("auto", CUDA) == torch.bfloat16
    assert resolve_dtype("auto", CUDA, half_is_safe=False) == torch.float32
    machine(cuda=1, capability=(7, 5))
    assert resolve_dtype("auto", CUDA) == torch.float32, "Turing only emulates bfloat16"


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_a_named_dtype_is_taken_at_its_word(name: str) -> None:
    assert resolve_dtype(name, CPU, half_is_safe=False) == getattr(torch, name)


@pytest.mark.parametrize("name", ["float23", "int8", "", "half", torch.float32])
def test_an_unknown_dtype_suggests(name: Any) -> None:
    with pytest.raises(UnknownName, match=r"no dtype named .*auto, bfloat16, float16, float32"):
        resolve_dtype(name, CPU)


# --------------------------------------------------------------------------- transformers
def test_transformers_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BrokenInstallation, match=r"run: pip install 'transformers>="):
        import_transformers()


def test_the_version_that_the_message_asks_for_is_the_one_that_we_need() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"transformers>=5.24,<6"' in text


def _what_loading_says(packages: Path) -> str:
    """The error where ``packages`` come first and transformers has not been imported; for a process of its own."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("transformers", "torchaudio")]:
        del sys.modules[name]
    sys.path.insert(0, str(packages))
    importlib.invalidate_caches()
    try:
        load_part("ClapModel", Path("/nowhere"))
    except ZsavsError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def test_a_torchaudio_of_another_torch_is_one_clear_sentence(tmp_path: Path) -> None:
    """In a process of its own: transformers imports whatever torchaudio it finds, and its message names neither."""
    package = tmp_path / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise OSError('/site/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv')"
    )
    # Found by importlib.metadata too, as a real one would be.
    info = tmp_path / "torchaudio-2.6.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchaudio\nVersion: 2.6.0\n")
    (info / "RECORD").write_text("torchaudio/__init__.py,,\n")
    said = run_in_fork(functools.partial(_what_loading_says, tmp_path))
    if "MissingWeights" in said:
        pytest.skip("this version of transformers does not import torchaudio for models")
    (line,) = said.splitlines()
    assert line.startswith("BrokenInstallation: the installed torchaudio does not fit the installed torch")
    assert "undefined symbol" in line
    assert line.endswith("zsavs does not need it, run: pip uninstall torchaudio")


def fake_transformers(monkeypatch: pytest.MonkeyPatch, **classes: Any) -> None:
    """A transformers whose classes do what a test wants; an exception in place of a class is raised on access."""

    class Fake(ModuleType):
        utils = transformers.utils

        def __getattr__(self, name: str) -> Any:
            if name not in classes:
                raise AttributeError(f"module 'transformers' has no attribute {name!r}")
            if isinstance(classes[name], Exception):
                raise classes[name]
            return classes[name]

    monkeypatch.setitem(sys.modules, "transformers", Fake("transformers"))


def loading(result: Any) -> Any:
    """A model class whose ``from_pretrained`` notes its arguments, and returns or raises."""
    calls: list[tuple[Any, dict[str, Any]]] = []

    def from_pretrained(folder: Path, **settings: Any) -> Any:
        calls.append((folder, settings))
        if isinstance(result, BaseException):
            raise result
        return result

    return SimpleNamespace(from_pretrained=from_pretrained, calls=calls)


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'x'\nmore"), RuntimeError(""), ImportError()])
def test_a_class_that_cannot_be_imported(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_transformers(monkeypatch, ClapModel=error)
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BrokenInstallation, match="a model class of transformers cannot be imported: ") as raised:
        load_part("ClapModel", Path("x"))
    assert "\n" not in str(raised.value)
    assert not str(raised.value).endswith(": ")


def test_a_class_that_fails_only_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a library is missing, transformers hands out a dummy class that raises when it is called."""
    fake_transformers(monkeypatch, ClapModel=loading(ImportError("ClapModel requires the PyTorch library")))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BrokenInstallation, match="requires the PyTorch library"):
        load_part("ClapModel", Path("x"))


def test_models_are_loaded_offline_and_without_remote_code(monkeypatch: pytest.MonkeyPatch) -> None:
    model = loading("the model")
    fake_transformers(monkeypatch, ClapModel=model)
    assert load_part("ClapModel", Path("folder"), dtype=torch.float32) == "the model"
    offline = {"local_files_only": True, "trust_remote_code": False, "dtype": torch.float32}
    assert model.calls == [(Path("folder"), offline)]


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (OSError("no file named model.safetensors\nfound in"), MissingWeights, "missing or unreadable .no file named"),
        (ValueError("Unrecognized model"), WeightsError, "cannot be loaded as ClapModel .ValueError: Unrecognized"),
        (RuntimeError("size mismatch for a.weight\n\tcopying"), WeightsError, "RuntimeError: size mismatch"),
        (KeyError(), WeightsError, "KeyError: KeyError"),
    ],
)
def test_what_breaks_in_loading_names_the_folder_and_the_remedy(
    error: Exception, kind: type[ZsavsError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_transformers(monkeypatch, ClapModel=loading(error))
    with pytest.raises(kind, match=says) as raised:
        load_part("ClapModel", Path("/my/folder"))
    message = str(raised.value)
    assert message.startswith("/my/folder: ")
    assert "zsavs download" in message
    assert "\n" not in message


def test_our_own_errors_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_transformers(monkeypatch, ClapModel=loading(UnknownName("thing", "x", [])))
    with pytest.raises(UnknownName):
        load_part("ClapModel", Path("x"))


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"config.json": "{"},
        {"config.json": json.dumps({"model_type": "clap"})},
        {"config.json": json.dumps({"model_type": "clap"}), "model.safetensors": "not a tensor file"},
        {"config.json": json.dumps({"model_type": "clap"}), "model.safetensors": ""},
    ],
    ids=["empty folder", "broken config", "no weights", "broken weights", "empty weights"],
)
def test_a_damaged_folder_for_real(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(WeightsError, match=str(tmp_path)) as raised:
        load_part("ClapModel", tmp_path)
    assert "\n" not in str(raised.value)


def test_pickled_weights_run_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clap"}))
    torch.save({"weight": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError):
        load_part("ClapModel", tmp_path)
    assert not (tmp_path / "ran").exists()


def test_loading_is_quiet_and_puts_the_settings_back(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = transformers.utils.logging
    seen: list[tuple[int, bool]] = []

    def from_pretrained(*_: Any, **__: Any) -> str:
        seen.append((settings.get_verbosity(), settings.is_progress_bar_enabled()))
        return "model"

    fake_transformers(monkeypatch, ClapModel=SimpleNamespace(from_pretrained=from_pretrained))
    for verbosity, bars in ((logging.INFO, True), (logging.WARNING, False)):
        settings.set_verbosity(verbosity)
        (settings.enable_progress_bar if bars else settings.disable_progress_bar)()
        load_part("ClapModel", Path("x"))
        assert (settings.get_verbosity(), settings.is_progress_bar_enabled()) == (verbosity, bars)
    assert seen == [(logging.ERROR, False)] * 2
    settings.set_verbosity_warning()
    settings.enable_progress_bar()


# ------------------------------------------------------------------------------- to a device
def test_a_model_is_moved_frozen_and_put_to_evaluation() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    model.train()
    moved = to_device(model, CPU)
    assert not moved.training
    assert not any(parameter.requires_grad for parameter in moved.parameters())


@pytest.mark.parametrize(
    ("message", "kind", "says"),
    [
        ("CUDA out of memory. Tried", WeightsError, "does not fit into the memory of cpu; use a smaller preset"),
        ("some bug", RuntimeError, "some bug"),
    ],
)
def test_a_model_too_large_for_its_device(message: str, kind: type[Exception], says: str) -> None:
    class Large(torch.nn.Module):
        def to(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError(message)

    with pytest.raises(kind, match=says):
        to_device(Large(), CPU)


def test_first_line_of_anything() -> None:
    assert first_line(ValueError("")) == "ValueError"
    assert first_line(ValueError("a\nb")) == "a"
