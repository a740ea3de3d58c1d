"""What the command line writes and tells of an answer; everything heavy is imported when it is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zsavs.protocols import Verifier
    from zsavs.result import AVSResult
    from zsavs.types import AVSample, Query

__all__ = ["add_labels", "describe", "listed", "write_answer", "write_json", "write_sheet"]


def write_json(path: Path, value: Any) -> None:
    """Write what is told of some answers.

    Raises:
        OutputError: the file cannot be written.
    """
    from zsavs.storage.files import write_atomically

    # A file name that is no UTF-8 reaches us with lone surrogates, which stand as \\udcXX then.
    text = json.dumps(value, indent=1)
    write_atomically(path, lambda file: file.write(text.encode()))


def write_sheet(cards: list[list[str | None]], path: Path, columns: int = 3) -> Path:
    """Put the cards of all pairs and strategies on one page.

    Args:
        cards: for each pair the file of each strategy's card; None leaves its place empty.
        path: the page, a PNG.
        columns: how many cards stand in a row.

    Raises:
        OutputError: the page cannot be written.
    """
    from PIL import Image

    from zsavs import draw
    from zsavs.storage.files import write_png

    blank = Image.new("RGB", (640, 1), "white")
    images = [Image.open(card).convert("RGB") if card else blank for own in cards for card in own]
    page = draw.contact_sheet(images, columns)
    write_png(path, page)
    return path


def write_answer(result: AVSResult, sample: AVSample, folder: str, stem: str, title: str) -> dict[str, Any]:
    """Write a result's files and its card.

    Args:
        result, sample: the answer, and what was asked about.
        folder: where the files go.
        stem: what their names begin with.
        title: what stands on the card.

    Returns:
        What is told of it, as ``--json`` prints it.

    Raises:
        OutputError: a file cannot be written.
    """
    from zsavs.storage.files import write_png

    image = result.card(sample.audio, title)
    files = {"card": Path(folder) / f"{stem}_card.png", **result.save(folder, stem)}
    write_png(files["card"], image)
    return {
        "objects": [
            {"phrase": phrase, "score": round(float(score), 4), "box_xyxy": [float(x) for x in box], "pixels": int(n)}
            for phrase, score, box, n in zip(
                result.phrases, result.scores, result.boxes_xyxy, result.masks.sum(axis=(1, 2)), strict=True
            )
        ],
        "heard": _heard(result.queries),
        "timings_s": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        "files": {name: str(path) for name, path in files.items()},
    }


def _heard(query: Query) -> list[dict[str, Any]]:
    """What was heard, and when, if that is known."""
    rows: list[dict[str, Any]] = [
        {"phrase": phrase, "weight": round(float(weight), 4)}
        for phrase, weight in zip(query.phrases, query.weights, strict=True)
    ]
    for row, times in zip(rows, query.times or (), strict=False):
        row["times_s"] = [[round(on, 3), round(off, 3)] for on, off in times]
    return rows


def add_labels(
    answer: dict[str, Any], result: AVSResult, verifier: Verifier, name: str, folder: str, stem: str
) -> None:
    """Write the label map of a result, and add it and each object's class to what is told.

    Args:
        answer: what is told, which is added to.
        result: the answer.
        verifier: what compares phrases with the names of the classes.
        name: of the label set.
        folder, stem: as for :func:`write_answer`.

    Raises:
        UnknownName: no such label set.
        OutputError: the map cannot be written.
    """
    from zsavs import draw
    from zsavs.language.label_maps import class_mapper, label_map, text_embedder
    from zsavs.language.label_sets import avss_palette
    from zsavs.storage.files import write_png

    classes = class_mapper(name, text_embedder(verifier))
    path = Path(folder) / f"{stem}_{name}.png"
    image = draw.label_image(
        label_map(result.phrases, result.masks, classes), avss_palette() if name == "avss" else None
    )
    write_png(path, image)
    answer["files"]["labels"] = str(path)
    answer["label_set"] = name
    for row in answer["objects"]:
        found = classes(row["phrase"])
        row["class"] = classes.classes[found] if found else None


def listed(rows: list[dict[str, Any]], number: str) -> str:
    """Phrases that are told as a list, each with its number, "weight" or "score", and when it is heard, if known."""
    from zsavs.types import when

    return ", ".join(f"{row['phrase']} {row[number]:.2f}{when(row.get('times_s', ()))}" for row in rows)


def describe(answer: dict[str, Any]) -> list[str]:
    """An answer in lines: what was heard, what was found where, and the files."""
    lines = [f"heard: {listed(answer['heard'], 'weight') or 'nothing it knows'}"]
    for row in answer["objects"]:
        x0, y0, x1, y1 = (int(x) for x in row["box_xyxy"])
        kind = f" ({row['class'] or 'no class of ' + answer['label_set']})" if "class" in row else ""
        place = f"({x0}, {y0})-({x1}, {y1})"
        lines.append(f"found: {row['phrase']}{kind} {row['score']:.2f}, {row['pixels']} pixels in {place}")
    if not answer["objects"]:
        lines.append("found: nothing in view is sounding")
    return [*lines, f"wrote: {answer['files']['card']} and {len(answer['files']) - 1} files beside it"]
