"""Nothing is fetched unless somebody asks, size and licence are said first, and every failure says what to do."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError

import zsavs
from zsavs.build import availability, strategies_of
from zsavs.cli import doctor
from zsavs.cli.main import main
from zsavs.errors import MissingWeights
from zsavs.presets import PRESETS
from zsavs.storage.weights import WeightCard, cache_folder, fetch_again, is_local, locate

CARD = WeightCard("org/clap", "Apache-2.0", 614, "sounds with text", verified="model card")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(hub: Path, repository: str, files: dict[str, str], revision: str = "main", commit: str = "c0ffee") -> Path:
    """Put a snapshot into the cache, as the hub's own client lays it out."""
    root = hub / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name, text in files.items():
        (snapshot / name).write_text(text)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / revision).write_text(commit)
    return snapshot


# -------------------------------------------------------------------------------- locate
def test_a_folder_or_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert locate(tmp_path) == locate(str(tmp_path)) == tmp_path
    assert locate(tmp_path / "model.safetensors") == tmp_path / "model.safetensors"


def test_a_folder_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    assert locate("~/weights") == tmp_path / "weights"


def test_a_folder_wins_over_a_repository_of_the_same_name(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(hub, "org/clap", {"model.safetensors": ""})
    (tmp_path / "org" / "clap").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate("org/clap") == Path("org/clap")


def test_a_repository_in_the_cache(hub: Path) -> None:
    snapshot = put(hub, "org/clap", {"model.safetensors": ""})
    old = put(hub, "org/clap", {"model.safetensors": ""}, revision="v1", commit="0ld")
    assert locate("org/clap") == snapshot
    assert locate("org/clap", "v1") == old
    assert CARD.at(snapshot) == WeightCard("org/clap", "Apache-2.0", 614, "sounds with text", revision="c0ffee")


def test_a_snapshot_without_the_copies_that_were_not_fetched_is_whole(hub: Path) -> None:
    """The hub's client keeps the list of all files of a repository, and misses those that were left out on purpose."""
    trees = pytest.importorskip("huggingface_hub._tree_cache", reason="an older client, which keeps no such list")
    snapshot = put(hub, "org/clap", {"model.safetensors": "w", "config.json": "{}"})
    listed = ("model.safetensors", "config.json", "pytorch_model.bin", "README.md")
    entries = {name: trees.TreeCacheEntry(size=1, blob_id="b") for name in listed}
    trees.write_tree_cache(str(snapshot.parents[1]), snapshot.name, entries)
    with pytest.raises(LocalEntryNotFoundError):  # what the client says by itself
        huggingface_hub.snapshot_download("org/clap", local_files_only=True, cache_dir=hub)
    assert locate("org/clap") == snapshot
    assert is_local("org/clap")


def test_the_card_of_a_folder_says_which(tmp_path: Path) -> None:
    card = CARD.at(tmp_path)
    assert (card.source, card.revision, card.licence) == (str(tmp_path), "local folder", "Apache-2.0")
    assert card.as_dict()["size_mb"] == 614


@pytest.mark.usefixtures("hub")
def test_what_is_missing_is_named_with_the_command_and_the_folder() -> None:
    with pytest.raises(MissingWeights) as error:
        locate("org/clap", "v2")
    message = str(error.value)
    assert "org/clap (revision v2) are not on this machine" in message
    assert f"looked in {cache_folder()}" in message
    assert "zsavs download org/clap" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["clap", "./clap", "/no/such/folder", "~/no-such-folder", "a/b/c", "org/../clap"])
@pytest.mark.usefixtures("hub")
def test_what_is_no_hub_name_is_not_looked_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", forbidden)
    with pytest.raises(MissingWeights, match=r"no such folder; give a folder made by save_pretrained, or a hub name"):
        locate(name)


@pytest.mark.parametrize("name", ["x/" + "y" * 300, "~nobody-of-that-name/x", "org/cl\0ap", "org/.clap", "-/-"])
@pytest.mark.usefixtures("hub")
def test_odd_names_are_one_clear_error(name: str) -> None:
    with pytest.raises(MissingWeights) as error:
        locate(name)
    assert "\n" not in str(error.value)


def forbidden(*_: Any, **__: Any) -> Any:
    raise AssertionError("somebody tried to fetch something")


def test_locating_never_fetches(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    real = huggingface_hub.snapshot_download

    def note(name: str, **settings: Any) -> str:
        asked.append(settings)
        return str(real(name, **settings))

    put(hub, "org/clap", {"model.safetensors": ""})
    monkeypatch.setattr(huggingface_hub, "snapshot_download", note)
    locate("org/clap")
    assert [settings["local_files_only"] for settings in asked] == [True]


def test_a_broken_file_has_to_go_before_it_is_fetched_again(hub: Path, tmp_path: Path) -> None:
    snapshot = put(hub, "org/clap--2", {"config.json": "{"})
    remedy = f"delete {snapshot / 'config.json'} and run: zsavs download org/clap--2  (the other files stay)"
    assert fetch_again(snapshot / "config.json") == remedy
    assert fetch_again(snapshot).startswith("run: zsavs download org/clap--2")
    for path in (snapshot, tmp_path, tmp_path / "config.json"):
        assert "delete" not in fetch_again(path), "gigabytes of whole files, or a folder of the user's own"


def test_of_a_broken_file_in_the_cache_the_blob_goes_and_not_the_repository(tmp_path: Path) -> None:
    bad = snapshot(tmp_path, b"weightz", hashlib.sha256(b"weights").hexdigest())
    blob = (bad / "model.safetensors").resolve()
    assert fetch_again(bad / "model.safetensors").startswith(f"delete {blob} and run: zsavs download org/name")


# ------------------------------------------------------------------------------ is it here
def test_a_checkpoint_is_here_if_its_weights_are(hub: Path, tmp_path: Path) -> None:
    assert not is_local("org/clap")
    snapshot = put(hub, "org/clap", {"config.json": "{}"})
    assert not is_local("org/clap"), "a configuration alone is no checkpoint"
    for suffix in (".safetensors", ".bin", ".pt", ".pth"):
        (snapshot / f"model{suffix}").write_text("")
        assert not is_local("org/clap"), "an empty file is no checkpoint"
        (snapshot / f"model{suffix}").write_text("w")
        assert is_local("org/clap")
        (snapshot / f"model{suffix}").unlink()
    assert not is_local(tmp_path / "missing")
    (tmp_path / "weights.pt").write_text("")
    assert not is_local(tmp_path / "weights.pt")
    (tmp_path / "weights.pt").write_text("w")
    assert is_local(tmp_path / "weights.pt")
    assert is_local(tmp_path)


def usual_files(card: WeightCard) -> list[str]:
    """The first of the alternatives of all that a card's loader needs."""
    return [name for need in card.files for name in need.split(" | ")[0].split(" + ")]


def fill_preset(hub: Path, name: str) -> None:
    for card in availability.preset_cards(name).values():
        if not is_local(card.source):
            put(hub, card.source, dict.fromkeys(usual_files(card), "w"), card.revision)


def test_a_cache_that_may_not_be_looked_into_holds_nothing(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Simulated, as nothing is closed to root: whatever looks beneath the cache's folder, or lists a folder, fails."""
    (tmp_path / "listed").mkdir()
    looked = Path.is_file

    def closed(path: Path) -> bool:
        if hub in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return looked(path)

    def closed_folder(path: Path) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "is_file", closed)
        with pytest.raises(MissingWeights, match=r"imagebind_huge\.pth are not on this machine"):
            locate("https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth")
        patched.setattr(doctor, "_run", lambda code: None)  # starts interpreters, which look into no cache
        assert main(["doctor"]) == 0
        assert "imagebind lacks" in capsys.readouterr().out
        patched.setattr(Path, "iterdir", closed_folder)
        assert not is_local(tmp_path / "listed")


def test_the_first_preset_that_is_here(hub: Path) -> None:
    with pytest.raises(MissingWeights) as error:
        availability.first_preset_here(["base", "large"])
    message = str(error.value)
    size = sum({card.source: card.size_mb for card in availability.preset_cards("base").values()}.values())
    assert f"zsavs download base ({size:g} MB)" in message
    assert "zsavs demo" in message
    with pytest.raises(MissingWeights, match=r"zsavs download pocket \(14.5 MB\), or zsavs download base"):
        availability.first_preset_here()
    fill_preset(hub, "large")
    assert availability.first_preset_here(["base", "large"]) == "large"
    fill_preset(hub, "base")
    assert availability.first_preset_here(["base", "large"]) == "base"
    assert availability.first_preset_here(["toy"]) == "toy"


# --------------------------------------------------------------------------------- building
@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(("preset", "strategy"), [(p, s) for p in ("base", "large") for s in strategies_of(p)])
def test_building_fetches_nothing_and_says_what_is_missing(
    preset: str, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "HfApi", forbidden)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", forbidden)
    # No preset with weights has an audio captioner.
    named = {"audio_captioner": "whisper:org/captioner"} if strategy == "caption" else {}
    with pytest.raises(MissingWeights, match=r"not on this machine.*zsavs download \S+/\S+"):
        zsavs.build_pipeline(strategy, preset=preset, device="cpu", **named)


def test_every_preset_names_known_checkpoints() -> None:
    for name in zsavs.list_components("preset"):
        for role, card in availability.preset_cards(name).items():
            assert card.size_mb > 0
            if (name, role) == ("imagebind", "joint"):
                assert card.licence == "CC-BY-NC-SA-4.0", "the one that is not, and its preset says so"
                assert "NON-COMMERCIAL" in PRESETS[name].summary
                continue
            if name == "sam3" and card.source == "facebook/sam3":
                assert (card.licence, bool(card.gate), bool(card.terms)) == ("SAM License", True, True)
                assert "GATED" in PRESETS[name].summary
                assert "SAM License" in PRESETS[name].summary
                continue
            assert not card.gate, "whoever has no account can have it"
            if card.source.startswith("https://"):
                assert len(card.sha256) == 64, "a single file is pinned"
            else:
                assert card.source.count("/") == 1, (name, role)
            assert card.source.startswith("zsavs:nano/") == (name == "nano"), (name, role)
            assert card.licence in ("Apache-2.0", "MIT", "BSD-3-Clause", "CC0-1.0"), "permissive licences only"
            assert card.trained_on


def snapshot(tmp_path: Path, content: bytes, name: str) -> Path:
    """A checkpoint as the hub's client leaves it: a link to a file that is named by its checksum."""
    blobs, folder = tmp_path / "models--org--name" / "blobs", tmp_path / "models--org--name" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    folder.mkdir(parents=True)
    (blobs / name).write_bytes(content)
    (folder / "model.safetensors").symlink_to(blobs / name)
    return folder
