"""Images of the best and worst items of each strategy, in the folder ``visuals`` of a run: drawn, or copied of shards.

The report lists these items under ``cases``; the file of each is noted there as ``picture``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zsavs.evaluation.batch_runner import BatchRunner
from zsavs.evaluation.run_files import read_json
from zsavs.storage.files import write_atomically, write_png

__all__ = ["copy_cases", "draw_cases", "drawn_cases"]


def draw_cases(report: Mapping[str, Any], runner: BatchRunner, folder: Path) -> None:
    """Draw the best and worst items of each strategy, and note the files in the report.

    Raises:
        OutputError: an image cannot be written.
    """
    for strategy, case, file_name in _cases(report):
        sample, result = runner.answer(strategy, case["item"])
        image = result.card(sample.audio, f"{strategy} · J {case['J']:.2f}")
        case["picture"] = file_name
        write_png(folder / file_name, image)


def drawn_cases(folders: Sequence[str | os.PathLike[str]]) -> tuple[int, dict[tuple[str, str], Path]]:
    """What has been drawn in the folders of shards.

    Returns:
        How many best or worst items a shard has images of, at the most, and the images by strategy and item.
    """
    count = 0
    images: dict[tuple[str, str], Path] = {}
    for folder in map(Path, folders):
        if not (folder / "report.json").exists():  # the shard was stopped before its report was written
            continue
        for strategy, cases in read_json(folder / "report.json")["cases"].items():
            for chosen in cases.values():
                named = {case["item"]: Path(case["picture"]).name for case in chosen if case["picture"]}
                count = max(count, len(named))
                images |= {(strategy, item): folder / "visuals" / name for item, name in named.items()}
    return count, images


def copy_cases(report: Mapping[str, Any], images: Mapping[tuple[str, str], Path], folder: Path) -> None:
    """Copy the images of the report's best and worst items, and note the files in the report.

    Args:
        report: of the whole run.
        images: see :func:`drawn_cases`; items without an image are left without.
        folder: the run folder of the whole.

    Raises:
        OutputError: an image cannot be written.
    """
    for strategy, case, file_name in _cases(report):
        drawn = images.get((strategy, case["item"]))
        if drawn is None or not drawn.is_file():
            continue
        data = drawn.read_bytes()
        case["picture"] = file_name
        write_atomically(folder / file_name, lambda file, data=data: file.write(data))  # type: ignore[misc]


def _cases(report: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Strategy, entry in the report, and file below the run folder, of each best and each worst item."""
    for strategy, cases in report["cases"].items():
        for kind, chosen in cases.items():
            for k, case in enumerate(chosen, 1):
                yield strategy, case, f"visuals/{strategy.replace(':', '.')}_{kind}_{k}.png"
