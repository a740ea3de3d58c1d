"""Every error zsavs raises, each written for the person who reads it.

::

    ZsavsError
    ├── InputError                what you handed over cannot be used
    │   ├── ImageError            an image: missing, broken, too large, wrong array
    │   ├── AudioError            a recording: missing, broken, empty, wrong array
    │   ├── VideoError            a video: missing, broken, without moving pictures
    │   ├── VocabularyError       a list of labels: missing, empty, unreadable
    │   └── ResultFileError       a saved result that cannot be read back
    ├── UnknownName               no such strategy, preset, device, vocabulary, ...
    ├── MissingExtra              an optional package is not installed
    ├── BrokenInstallation        packages that are installed do not fit each other
    ├── WeightsError              a checkpoint cannot be used
    │   ├── MissingWeights        it is not on this machine; says how to fetch it
    │   └── OutOfMemory           the device has no room for it, or for one item alone
    ├── OutputError               a result cannot be written
    └── ContractError             a component breaks its protocol (zsavs.testing, pipeline)

A message says what was wrong, with which file or argument, and what to do now; it is one line, so that
``zsavs: error: ...`` on a terminal is the whole story.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AudioError",
    "BrokenInstallation",
    "ContractError",
    "ImageError",
    "InputError",
    "MissingExtra",
    "MissingWeights",
    "OutOfMemory",
    "OutputError",
    "ResultFileError",
    "UnknownName",
    "VideoError",
    "VocabularyError",
    "WeightsError",
    "ZsavsError",
    "first_line",
    "reason",
]


class ZsavsError(Exception):
    """Base class: catch this to catch everything zsavs raises on purpose."""


class InputError(ZsavsError):
    """A file or an array handed to zsavs cannot be used."""


class ImageError(InputError):
    """An image is missing, broken, too large, or an array that is not an image."""


class AudioError(InputError):
    """A recording is missing, broken, empty, or an array that is not a sound."""


class VideoError(InputError):
    """A video is missing, broken, holds no moving pictures, or is asked for times and rates that make no sense."""


class VocabularyError(InputError):
    """A list of labels is missing, empty or unreadable."""


class ResultFileError(InputError):
    """A saved result cannot be read back."""


class UnknownName(ZsavsError):
    """A name that nothing is registered under; the message lists the names that exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(known)
        close = difflib.get_close_matches(str(name), known, n=1)  # what is no string is no name either
        message = f"there is no {kind} named {name!r}"
        message += f"; did you mean {close[0]!r}?" if close else "."
        message += f" Choose from: {', '.join(known) or '(none)'}."
        super().__init__(f"{message} {hint}".strip())


class MissingExtra(ZsavsError):
    """An optional package is needed and not installed; the message is the command that installs it."""


class BrokenInstallation(ZsavsError):
    """Installed packages do not fit each other, for example a torchaudio of another torch."""


class WeightsError(ZsavsError):
    """A checkpoint is there and cannot be used: wrong checksum, wrong architecture, half written."""


class MissingWeights(WeightsError):
    """A checkpoint is not on this machine; the message says how to fetch it and where to put it by hand."""


class OutOfMemory(WeightsError):
    """The device has no room for a model, or for a single item in it; smaller batches have been tried."""


class OutputError(ZsavsError):
    """A result cannot be written: no permission, no space, a file where a folder should be."""


class ContractError(ZsavsError):
    """A component breaks the protocol that it claims to follow."""


def first_line(error: BaseException) -> str:
    """What a foreign exception says, in one line: its message's first, or its type where it has no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def reason(error: BaseException) -> str:
    """Why one of many items failed, in a line: our own errors as they are, others with their kind."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ZsavsError) else f"{type(error).__name__}: {text}"
