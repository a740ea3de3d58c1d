"""Several strategies over the same samples, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zsavs.build.pipelines import build_pipeline
from zsavs.build.settable import settings_for
from zsavs.decomposition import Decomposer
from zsavs.errors import InputError
from zsavs.pipeline import check_batches
from zsavs.result import AVSResult
from zsavs.storage.isolation import OnError, answered, handler, read_in_batches
from zsavs.types import AVSample, as_sample

__all__ = ["compare"]


def compare(
    samples: Iterable[AVSample],
    strategies: Sequence[str],
    preset: str = "base",
    device: str = "auto",
    dtype: str = "auto",
    vocabulary: str | Path | Sequence[str] | None = None,
    batch_size: int = 8,
    bank: str | Path | None = None,
    decomposition: str | Decomposer | None = None,
    stereo: bool = False,
    on_error: OnError = "raise",
    **settings: Any,
) -> dict[str, list[AVSResult]]:
    """Run several strategies over the same samples in one pass; every image and sound is encoded once.

    Args:
        samples: any iterable of samples, or of pairs of an image file and an audio file.
        strategies: names.
        preset, device, dtype, vocabulary, bank, decomposition, stereo: as for :func:`build_pipeline`.
        batch_size: samples that go through the models together.
        on_error: as for :meth:`zsavs.Pipeline.map`; what cannot be read, or one of the strategies cannot answer, is
            left out for all of them, so that their results are of the same samples.
        settings: as for :func:`build_pipeline`; each strategy gets those that it has, and one at least has each.

    Returns:
        For each strategy its results, in the order of the samples.

    Raises:
        As :func:`build_pipeline`.
        ContractError: a batch size that is no whole number from 1.
        InputError: one bare name or sample in place of several.
    """
    if isinstance(strategies, str):
        raise InputError(f"compare takes a list of strategies, got the one name {strategies!r}; use [{strategies!r}].")
    check_batches(samples, batch_size)
    models = (preset, device, dtype, vocabulary, bank, decomposition, stereo)
    own = settings_for(strategies, preset, settings, device)
    pipes = {name: build_pipeline(name, *models, **own[name]) for name in strategies}
    results: dict[str, list[AVSResult]] = {name: [] for name in pipes}
    failed = handler(on_error)
    # Batch by batch, all strategies over one batch: the models remember the batch's features, not the data set's.
    for batch in read_in_batches(samples, batch_size, as_sample, failed):
        of_batch: dict[str, dict[int, AVSResult]] = {}
        for name, pipe in pipes.items():
            of_batch[name] = answered(batch, pipe.batch, failed)
            batch = [(position, sample) for position, sample in batch if position in of_batch[name]]
        for name, found in of_batch.items():
            results[name] += [found[position] for position, _ in batch]
    return results
