"""Answers that are kept in a run folder, so that what has changed beside them is scored anew and nothing asked again.

An answer is kept under the key of its pipeline (:mod:`zsavs.build.pipeline_key`) and a digest of what was asked about,
image and waveform: whatever else changes, masks, metric suites, the list of items, the size of batches, it stays true.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zsavs.errors import ResultFileError
from zsavs.result import AVSResult
from zsavs.storage.files import is_there, write_atomically
from zsavs.types import AVSample

__all__ = ["KeptAnswers"]


class KeptAnswers:
    """The folder ``answers`` of a run: a folder for each strategy's key, and in it a JSON file for each answer.

    Args:
        folder: made when the first answer is kept.
        keys: by strategy, a digest of all that its answers depend on beside the sample. What is in the folder under
            other keys is removed: nobody will ask for it.
    """

    def __init__(self, folder: Path, keys: Mapping[str, str]) -> None:
        self._folder, self._keys = folder, keys
        for old in folder.iterdir() if is_there(folder, folder=True) else ():
            if old.name not in keys.values():
                shutil.rmtree(old, ignore_errors=True)

    def answer(
        self,
        strategy: str,
        samples: Sequence[AVSample],
        ask: Callable[[Sequence[int]], Sequence[AVSResult]],
    ) -> list[AVSResult]:
        """The results of some samples, those that are kept and those that are asked for and kept from now on.

        Args:
            strategy: its name.
            samples: what is asked about.
            ask: gives the results of the samples at these places.

        Raises:
            OutputError: an answer cannot be written.
        """
        paths = [self._folder / self._keys[strategy] / f"{_digest(sample)}.json" for sample in samples]
        results = [_read(path, sample) for path, sample in zip(paths, samples, strict=True)]
        missing = [place for place, result in enumerate(results) if result is None]
        for place, result in zip(missing, ask(missing) if missing else (), strict=True):
            results[place] = result
            text = result.to_json().encode()
            write_atomically(paths[place], lambda file, text=text: file.write(text))  # type: ignore[misc]
        return [result for result in results if result is not None]


def _read(path: Path, sample: AVSample) -> AVSResult | None:
    """A kept answer, with the sample that it is to; None where there is none that can be read."""
    if not is_there(path):
        return None
    try:
        return replace(AVSResult.load(path), frame=sample.image, audio=sample.audio)
    except ResultFileError:
        return None


def _digest(sample: AVSample) -> str:
    """Thirty-two hexadecimal digits that change with the image and the audio."""
    found = hashlib.blake2b(digest_size=16)
    for array in (sample.image, sample.audio.waveform):
        found.update(f"{array.dtype} {array.shape} {sample.audio.sample_rate_hz} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
