"""Answers as files to take home."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from zsavs.formats.coco import to_coco
from zsavs.storage.files import write_atomically, write_png
from zsavs.storage.progress_bar import Progress
from zsavs.webapp.answers import Answer, VideoAnswer

__all__ = ["write_files", "write_video"]


def write_files(answer: Answer, folder: Path) -> list[Path]:
    """Write an answer into a folder.

    Args:
        answer: of an image, or of a video.
        folder: where to.

    Returns:
        Of an image: with what sounds marked, the mask, the score map, the card with the sound, JSON and COCO. Of a
        video: JSON and COCO; :func:`write_video` writes the rest.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    if isinstance(answer, VideoAnswer):
        stem = Path(answer.video).stem
        shown = _without_place(answer)
        files = [*shown.result.save(folder, stem).values()]
        coco = to_coco(shown.result)
    else:
        result, stem = answer.result, Path(answer.looked_at.sample.name).stem or "image"
        files = [*result.save(folder, stem).values(), folder / f"{stem}_card.png"]
        write_png(files[-1], result.card(title=f"{answer.strategy} · {answer.preset}"))
        coco = to_coco(result)
    files.append(folder / f"{stem}_coco.json")
    text = json.dumps(coco, ensure_ascii=False).encode("utf-8", "backslashreplace")
    write_atomically(files[-1], lambda file: file.write(text))
    return files


def write_video(answer: VideoAnswer, folder: Path, progress: Progress | None = None) -> list[Path]:
    """Write the annotated video and the page that plays it.

    Args:
        answer: of a video.
        folder: where to.
        progress: told how many frames are drawn, and how many there are.

    Returns:
        The video and the page.

    Raises:
        VideoError: the video that was answered is not there any more.
        OutputError: the folder cannot be written.
    """
    named = _without_place(answer).result
    files = named.save_page(folder, Path(answer.video).stem, video=answer.video, progress=progress)
    return [files["video"], files["page"]]


def _without_place(answer: VideoAnswer) -> VideoAnswer:
    """The answer with the name of the video in place of where it lies."""
    name = Path(answer.video).name
    whole = replace(answer.whole, source=name, meta={**answer.whole.meta, "sample": name})
    return replace(answer, whole=whole)
