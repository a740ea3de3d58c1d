"""Several strategies over the same samples, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from pathlib import Path
from typing import Any

from zsavs.build.pipelines import build_pipeline
from zsavs.build.settable import settings_for
from zsavs.decomposition import Decomposer
from zsavs.errors import InputError
from zsavs.pipeline import check_batches
from zsavs.result import AVSResult
from zsavs.storage.isolation import OnError, answered, handler, read_in_batches
from zsavs.storage.progress_bar import Progress, telling
from zsavs.types import AVSample, as_sample

__all__ = ["Comparison", "compare"]


class Comparison(dict[str, list[AVSResult]]):
    """For each strategy its results, in the order of the samples; a notebook shows them as a table of images."""

    def _repr_html_(self) -> str:
        """A row for each sample, a column for each strategy: the image with what sounds marked, and what was heard."""
        from zsavs.draw.notebook import comparison_html

        rows = zip(*self.values(), strict=True)
        return comparison_html(list(self), [[(r.overlay(), repr(r), _heard(r)) for r in row] for row in rows])


def _heard(result: AVSResult) -> str:
    """What was heard, with weights."""
    pairs = zip(result.queries.phrases, map(float, result.queries.weights), strict=True)
    return ", ".join(f"{phrase} {weight:.2f}" for phrase, weight in pairs) or "nothing it knows"


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
    progress: bool | Progress | None = None,
    **settings: Any,
) -> Comparison:
    """Run several strategies over the same samples in one pass; every image and sound is encoded once.

    Args:
        samples: any iterable of samples, or of pairs of an image file and an audio file.
        strategies: names.
        preset, device, dtype, vocabulary, bank, decomposition, stereo: as for :func:`build_pipeline`.
        batch_size: samples that go through the models together.
        on_error: as for :meth:`zsavs.Pipeline.map`; what cannot be read, or one of the strategies cannot answer, is
            left out for all of them, so that their results are of the same samples.
        progress: True for a progress bar, or a function that is told how many answers there are, and how many there
            will be, where that is known.
        settings: as for :func:`build_pipeline`; each strategy gets those that it has, and one at least has each.

    Returns:
        For each strategy its results, in the order of the samples: a dictionary, which a notebook shows as a table of
        images.

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
    results = Comparison({name: [] for name in pipes})
    failed, done = handler(on_error), 0
    total = len(pipes) * len(samples) if isinstance(samples, Sized) else None
    with telling(progress, "comparing") as tell:
        # Batch by batch, all strategies over one batch: the models remember the batch's features, not the data set's.
        for batch in read_in_batches(samples, batch_size, as_sample, failed):
            of_batch: dict[str, dict[int, AVSResult]] = {}
            for name, pipe in pipes.items():
                done += len(batch)
                of_batch[name] = answered(batch, pipe.batch, failed)
                batch = [(position, sample) for position, sample in batch if position in of_batch[name]]
                if tell:
                    tell(done, total)
            for name, found in of_batch.items():
                results[name] += [found[position] for position, _ in batch]
    return results
