"""Names, pipes, devices, links and endless texts in the place of files: refused in a line, and never waited for."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

import zsavs
from zsavs import AVSResult
from zsavs.cli.main import main
from zsavs.datasets.folder import Folder
from zsavs.datasets.masks import read_mask
from zsavs.datasets.metadata import load_json, read_table
from zsavs.errors import (
    AudioError,
    ImageError,
    InputError,
    ResultFileError,
    VocabularyError,
    WeightsError,
    ZsavsError,
)
from zsavs.language.sound_sources import LabelPhrases
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.models.imagebind.checkpoint import sizes_beside
from zsavs.models.open_clip_files import find
from zsavs.models.runtime import load_part
from zsavs.testing import toy

IMAGE = np.zeros((4, 5, 3), np.uint8)


NAMES = [
    "ünï ☃.png",
    "new\nline.png",
    "tab\tand 'quote\".png",
    "-rf.png",
    "%s{0}.png",
    "\udcff.png",
    "a" * 200 + ".png",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way: read, answered, written under the names of both files, told on one line where it fails."""
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    image, recording, out = tmp_path / name, tmp_path / f"{name}.wav", tmp_path / "out"
    Image.fromarray(sample.image).save(image, format="PNG")
    with recording.open("wb") as file:
        soundfile.write(file, sample.audio.waveform.T, sample.audio.sample_rate_hz, format="WAV")
    arguments = ["segment", "--preset", "toy", "--out", str(out), "--", str(image), str(recording)]
    assert main(arguments) == 0, capsys.readouterr().err
    one, other = image.stem[:80], name[:80]
    assert (out / f"{one if one == other else f'{one}_{other}'}.json").is_file()
    assert sorted(path.parent for path in out.rglob("*")) == [out] * 5
    image.write_bytes(b"no image")
    capsys.readouterr()
    assert main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


READERS: dict[str, tuple[type[ZsavsError], Callable[[Path], Any]]] = {
    "picture": (ImageError, load_image),
    "recording": (AudioError, load_audio),
    "mask": (ImageError, read_mask),
    "vocabulary": (VocabularyError, load_vocabulary),
    "table of sounds": (VocabularyError, LabelPhrases),
    "table": (InputError, lambda path: list(read_table(path, ("a",)))),
    "JSON": (InputError, load_json),
    "result": (ResultFileError, AVSResult.load),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("oddity", ["pipe", "device", "folder", "circle", "nowhere", "beneath a file"])
def test_only_files_are_read(reader: str, oddity: str, oddities: dict[str, Path]) -> None:
    kind, read = READERS[reader]
    with pytest.raises(kind) as caught:
        read(oddities[oddity])
    assert str(oddities[oddity])[:50] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", ["vocabulary", "table of sounds", "JSON", "result"])
def test_a_text_of_gigabytes_is_not_read(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    kind, read = READERS[reader]
    with pytest.raises(kind, match=r"5369 MB, at most"):
        read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root; test_audio and test_image simulate it")
@pytest.mark.parametrize("reader", READERS)
def test_what_may_not_be_read(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.write_text("x")
    path.chmod(stat.S_IWUSR)
    kind, read = READERS[reader]
    with pytest.raises(kind, match=r"ermission denied"):
        read(path)


def test_a_mask_is_no_program(tmp_path: Path) -> None:
    """Pillow hands EPS to Ghostscript; a data set's mask of that kind is refused like any other image."""
    path = tmp_path / "mask.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageError, match=r"mask\.png: the mask cannot be read"):
        read_mask(path)


def test_a_pipe_among_the_masks_stops_nothing_but_its_item(tmp_path: Path) -> None:
    for part in ("img", "wav", "gt_seg"):
        (tmp_path / part).mkdir()
    Image.fromarray(IMAGE).save(tmp_path / "img" / "a.png")
    soundfile.write(tmp_path / "wav" / "a.wav", np.zeros(100), 16_000)
    os.mkfifo(tmp_path / "gt_seg" / "a.png")
    with pytest.raises(ImageError, match=r"is a pipe or a device"):
        Folder(tmp_path).load("a")


# ------------------------------------------------------------------- the texts of a checkpoint
SHIPPED = Path(zsavs.__file__).parent / "data" / "nano"
TEXTS: dict[str, Callable[[Path], Any]] = {
    "config.json": lambda folder: load_part("ClapModel", folder),
    "tokenizer.json": lambda folder: load_part("AutoTokenizer", folder),
    "open_clip_config.json": find,
    "config.json of ImageBind": lambda folder: sizes_beside(folder / "model.safetensors"),
}


@pytest.mark.parametrize("content", ["gigabytes", "brackets"])
@pytest.mark.parametrize("name", TEXTS)
def test_the_texts_of_a_checkpoint_are_texts(name: str, content: str, tmp_path: Path) -> None:
    folder = shutil.copytree(SHIPPED / "clap", tmp_path / "checkpoint")
    with (folder / name.split()[0]).open("wb") as file:
        if content == "gigabytes":
            file.truncate(5 * 2**30)
        else:
            file.write(b"[" * 200_000)
    with pytest.raises(WeightsError) as caught:
        TEXTS[name](folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
