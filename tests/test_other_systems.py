"""Windows and macOS, simulated: what their Python lacks is taken away here. Nothing of this has run there."""

from __future__ import annotations

import ast
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_files import numbered
from label_inputs import write_pairs

import zsavs
from tools.layers import MODULES, tree
from zsavs.errors import InputError, OutputError
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.storage import partial
from zsavs.storage.download import download
from zsavs.storage.file_lock import lock_file
from zsavs.storage.files import read_text
from zsavs.storage.folder_lock import lock_folder
from zsavs.storage.weights import WeightCard, cache_folder

#: Of Python's documentation: there on Unix alone. `O_NONBLOCK` is asked for by getattr.
UNIX_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
UNIX_NAMES = {
    *("O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY", "O_SYNC", "fork", "forkpty", "getuid", "geteuid"),
    *("getgid", "getpgid", "killpg", "mkfifo", "mknod", "pread", "preadv", "pwrite", "pwritev", "sendfile", "setsid"),
    *("sched_getaffinity", "statvfs", "sysconf", "uname", "wait", "chown", "getloadavg", "posix_fadvise"),
}


def test_no_module_needs_what_windows_lacks() -> None:
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & UNIX_MODULES, module
            if isinstance(node, ast.ImportFrom):
                assert node.module not in UNIX_MODULES, module
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                assert node.attr not in UNIX_NAMES, f"{module}: os.{node.attr}"


class Locks(types.ModuleType):
    """Windows' module of that name: a file's byte is locked once, until the file is closed."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.holders: dict[tuple[int, int], int] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) >= 2**40, "a byte that others may want to read"
        status = os.fstat(descriptor)
        place = (status.st_dev, status.st_ino)
        holder = self.holders.get(place)
        if holder is not None and holder != descriptor and is_open(holder, place):
            raise PermissionError(13, "Permission denied")
        self.holders[place] = descriptor


def is_open(descriptor: int, place: tuple[int, int]) -> bool:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == place


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    # The others are asked for by the libraries of this system; that zsavs does not, the test above sees.
    for name in ("O_CLOEXEC", "O_NONBLOCK", "pread", "preadv", "pwrite", "pwritev", "mkfifo", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    for name in ("fcntl", "resource"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "msvcrt", Locks())
    monkeypatch.setattr(partial, "_WINDOWS", True)


@pytest.mark.usefixtures("windows")
class TestWindows:
    def test_files_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "labels.txt").write_text("a dog\n", encoding="utf-8")
        assert read_text(tmp_path / "labels.txt") == "a dog\n"
        assert load_image(Path(zsavs.__file__).parent / "data/photographs/cat.jpg").ndim == 3
        (tmp_path / "page.jpg").write_text("<html>", encoding="utf-8")
        with pytest.raises(InputError, match="a web page"):
            load_image(tmp_path / "page.jpg")

    def test_a_header_without_a_length_is_mended(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe.wav"
        soundfile.write(path, np.full(8000, 0.5, np.float32), 16_000, subtype="PCM_16")
        data = path.read_bytes()
        at = data.index(b"data") + 4
        path.write_bytes(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])
        assert load_audio(path).duration_s == 0.5

    def test_a_long_recording_is_mapped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(zsavs.media.collector, "IN_MEMORY", 2**14)
        wave = numbered(tmp_path / "long.wav", 600_123, 1000)
        np.testing.assert_array_equal(load_audio(tmp_path / "long.wav").waveform, wave[None])

    def test_a_folder_has_one_writer(self, tmp_path: Path) -> None:
        with lock_folder(tmp_path), pytest.raises(OutputError, match="another process is running into it"):
            lock_folder(tmp_path)
        lock_folder(tmp_path).close()

    def test_a_lock_leaves_the_place_in_the_file(self, tmp_path: Path) -> None:
        with (tmp_path / "file").open("w+b") as file:
            file.write(b"abc")
            lock_file(file)
            assert file.tell() == 3

    def test_a_download_is_closed_before_it_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "model.bin").write_bytes(b"weights!" * 125)
        monkeypatch.setenv("ZSAVS_MIRROR", str(tmp_path))
        replace, unlink, opened = Path.replace, Path.unlink, []
        lock = partial.lock_file
        monkeypatch.setattr(partial, "lock_file", lambda file: (opened.append(file), lock(file)))

        def only_closed(then: object) -> object:
            def named(path: Path, *rest: object, **more: object) -> object:
                assert path.suffix != ".part" or all(file.closed for file in opened), path
                return then(path, *rest, **more)  # type: ignore[operator]

            return named

        monkeypatch.setattr(Path, "replace", only_closed(replace))
        monkeypatch.setattr(Path, "unlink", only_closed(unlink))
        card = WeightCard("https://example.org/model.bin", "MIT", 0.001, "nothing")
        path = download(card, lambda _: None)
        assert opened
        assert path.read_bytes() == b"weights!" * 125
        assert {one.name for one in cache_folder().iterdir() if one.name.startswith("model.")} == {"model.bin"}
        path.unlink()

    def test_a_folder_is_labelled(self, tmp_path: Path) -> None:
        report = zsavs.label(write_pairs(tmp_path / "in", 2), tmp_path / "out", preset="toy")
        assert report.done == 2
        assert report.peak_memory_mb is None


def test_macos_tells_memory_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kilobytes = zsavs.label(write_pairs(tmp_path / "in", 2), tmp_path / "one", preset="toy").peak_memory_mb
    monkeypatch.setattr(sys, "platform", "darwin")
    bytes_ = zsavs.label(tmp_path / "in", tmp_path / "two", preset="toy").peak_memory_mb
    assert kilobytes is not None
    assert bytes_ == pytest.approx(kilobytes / 1000, rel=0.2)
