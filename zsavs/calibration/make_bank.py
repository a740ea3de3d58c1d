"""Banks computed from a user's own files: embeddings of unlabelled audio files and images.

Files are read one after the other; only their embeddings are kept. Of more files than ``limit`` only some are read,
which depends on nothing but their names.
"""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.bank import probe
from zsavs.calibration.user_bank import KINDS, EncoderBank, UserBank
from zsavs.errors import InputError, OutputError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.resize import WORKING_PIXELS, shrink
from zsavs.storage.files import is_there

__all__ = ["MIN_ITEMS", "find_files", "make_banks"]

#: A mean over n items is off by 1 / sqrt(n) of their spread: with 32 by 0.18, and every threshold with it.
MIN_ITEMS = 32

#: Values (samples or colours) that are in memory at once before they are embedded; one file may have more.
_MAX_VALUES = 2**24
_MAX_BATCH = 8


class _Medium(NamedTuple):
    """One kind of file: its name, its suffixes, how it is read, its size in memory, and the encoder's verb for it."""

    noun: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Any]
    size: Callable[[Any], int]
    verb: str


def _read_image(path: Path) -> NDArray[np.uint8]:
    """An image at the size at which pipelines work on it."""
    return shrink(load_image(path), WORKING_PIXELS)


def _read_audio(path: Path) -> AudioClip:
    """An audio file, of a long one a minute in excerpts: it is one item of a bank, and not a better one if whole.

    Without its name: what an encoder leaves out of each of thousands of files is not worth a line.
    """
    clip = load_audio(path, max_duration_s=60)
    return AudioClip(clip.waveform, clip.sample_rate_hz)


#: Formats that cannot be decoded are among the suffixes: a user's files must not be left out without a word.
_MEDIA = {
    "sound_bank": _Medium(
        "audio files",
        (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".m4a", ".aac"),
        _read_audio,
        lambda clip: int(clip.waveform.size),
        "encode_audio",
    ),
    "picture_bank": _Medium(
        "images",
        (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".heic", ".heif", ".avif"),
        _read_image,
        lambda image: int(image.size),
        "encode_image",
    ),
}


def make_banks(
    encoders: Callable[[], Mapping[str, Any]],
    out: str | os.PathLike[str],
    *,
    audio: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    limit: int = 2000,
    on_start: Callable[[int], Any] = lambda count: None,
    on_item: Callable[[], Any] = lambda: None,
    on_skip: Callable[[Path, str], Any] = lambda path, reason: None,
) -> list[EncoderBank]:
    """The banks of encoders, computed from a user's files and written into a folder.

    Nothing is written unless everything went well. Use the folder with ``build_pipeline(..., bank=out)``.

    Args:
        encoders: gives the encoders by role; called once, when it is known that there are enough files.
        out: the folder; a bank that is in it is replaced.
        audio: a folder with audio files, also in folders below it; None leaves the encoders' audio banks as they are.
        images: likewise with images.
        limit: the most files of each, at least ``MIN_ITEMS``; of more, an even choice by a hash of their names.
        on_start: called with the number of files.
        on_item: called after each of them.
        on_skip: called with each file or folder that cannot be read, and the reason.

    Returns:
        What was written.

    Raises:
        InputError: no folder, or too few files that can be read, or files that are nearly all the same.
        OutputError: the folder cannot be written.
    """
    roots = {kind: Path(root).expanduser() for kind, root in _given(audio, images).items()}
    if (folder := Path(out).expanduser()).exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, and the bank goes into a folder; name another one with --out.")
    if limit < MIN_ITEMS:
        raise InputError(f"a limit of {limit} files: a bank needs at least {MIN_ITEMS}.")
    left_out: dict[str, int] = dict.fromkeys(roots, 0)

    def skip(kind: str, path: Path, reason: str) -> None:
        left_out[kind] += 1
        on_skip(path, reason)

    files = {
        kind: find_files(root, _MEDIA[kind].suffixes, limit, lambda p, r, kind=kind: skip(kind, p, r))  # type: ignore[misc]
        for kind, root in roots.items()
    }
    for kind, paths in files.items():
        _enough(len(paths), roots[kind], _MEDIA[kind].noun)
    by_role = encoders()
    on_start(sum(map(len, files.values())))
    banks = []
    for kind, paths in files.items():
        medium = _MEDIA[kind]
        chosen = [encoder for role, encoder in by_role.items() if kind in KINDS[role]]
        rows: list[list[NDArray[np.float32]]] = [[] for _ in chosen]
        for batch in _read(paths, medium, on_item, lambda p, r, kind=kind: skip(kind, p, r)):  # type: ignore[misc]
            for encoder, kept in zip(chosen, rows, strict=True):
                kept.append(getattr(encoder, medium.verb)(batch))
        count = sum(map(len, rows[0])) if rows else 0
        _enough(count, roots[kind], medium.noun, f"; {left_out[kind]} of {len(paths)} cannot be read")
        source = f"{count} {medium.noun} in {os.path.realpath(roots[kind])} ({left_out[kind]} could not be read)"
        for encoder, kept in zip(chosen, rows, strict=True):
            embeddings = np.concatenate(kept).astype(np.float32)
            different = len(np.unique(embeddings.round(4), axis=0))
            _enough(different, roots[kind], f"different {medium.noun}", f"; {count} are there")
            banks.append(EncoderBank(kind, encoder.space, embeddings, probe(encoder, kind), source))
    UserBank.write(out, banks)
    return banks


def find_files(
    root: Path, suffixes: Sequence[str], limit: int, on_skip: Callable[[Path, str], Any] = lambda path, reason: None
) -> list[Path]:
    """Files in a folder and those below it, in the order of their names; links are followed, and no folder is entered
    twice.

    Args:
        root: the folder.
        suffixes: in lower case, with their dots; other files, and hidden ones, are passed over.
        limit: the most files. Of more, those with the smallest hash of their path from ``root``: an even choice, the
            same on every machine, in memory that does not grow with the number of files.
        on_skip: called with each folder that cannot be listed, and the reason.

    Raises:
        InputError: ``root`` is no folder.
    """
    if not is_there(root, folder=True):
        raise InputError(f"{root}: no such folder; give a folder with your own files.")

    def rank(path: Path) -> bytes:
        return hashlib.blake2b(os.fsencode(path.relative_to(root).as_posix()), digest_size=16).digest()

    chosen = heapq.nsmallest(limit, _walk(root, tuple(suffixes), on_skip), key=rank)
    # A file that several links lead to counts once.
    return sorted({os.path.realpath(path): path for path in sorted(chosen, reverse=True)}.values())


def _walk(root: Path, suffixes: tuple[str, ...], on_skip: Callable[[Path, str], Any]) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:  # a link back up, or a second way to the same place
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                below = []
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        below.append(folder / entry.name)
                    elif entry.name.lower().endswith(suffixes):
                        yield folder / entry.name
        except OSError as error:
            on_skip(folder, f"cannot be listed ({error.strerror})")
            continue
        waiting += sorted(below, reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link that leads round in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _read(
    paths: Sequence[Path], medium: _Medium, on_item: Callable[[], Any], on_skip: Callable[[Path, str], Any]
) -> Iterator[list[Any]]:
    """Batches of what can be read, few enough to fit into memory."""
    batch: list[Any] = []
    size = 0
    for path in paths:
        try:
            batch.append(medium.read(path))
            size += medium.size(batch[-1])
        except InputError as error:
            on_skip(path, str(error))
        on_item()
        if len(batch) == _MAX_BATCH or size > _MAX_VALUES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _given(audio: Any, images: Any) -> Mapping[str, Any]:
    given = {kind: root for kind, root in (("sound_bank", audio), ("picture_bank", images)) if root is not None}
    if not given:
        raise InputError("give a folder with audio files, a folder with images, or both.")
    return given


def _enough(count: int, root: Path, what: str, more: str = "") -> None:
    if count < MIN_ITEMS:
        raise InputError(
            f"{root}: {count} {what}{more}. A bank needs at least {MIN_ITEMS}: what is usual is only known up to "
            f"1 / sqrt(count) of its spread."
        )
