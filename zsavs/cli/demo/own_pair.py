"""The page of a user's own image with its audio: to look at, to listen to, and what each strategy says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from zsavs.cli.output import listed
from zsavs.cli.pairs import Answers, Pair
from zsavs.media.wav import wav_bytes
from zsavs.report.blocks import Audio, Cell, Figure, Figures, Notice, Page, Row, Section, Table
from zsavs.report.render import render
from zsavs.report.values import line
from zsavs.storage.files import png, write_atomically

__all__ = ["write_page"]

#: Audio files that browsers play as they are.
_PLAYED = (".wav", ".mp3", ".ogg", ".oga", ".opus", ".flac", ".m4a", ".aac")


def write_page(pair: Pair, answers: Answers, folder: Path, preset: str) -> Path:
    """Write the page, and beside it in ``page/`` the image, the audio, and the image as each strategy marks it.

    Args:
        pair: the image with its audio, named.
        answers: what each strategy said, whose files are in the folder.
        folder: where the page goes.
        preset: the models.

    Returns:
        The page, called after the pair.

    Raises:
        OutputError: a file cannot be written.
    """
    assert pair.sample is not None, "it was read"
    image, audio = f"page/{pair.stem}_image.png", f"page/{pair.stem}{_ending(pair.audio)}"
    written = png(Image.fromarray(pair.sample.image))
    write_atomically(folder / image, lambda file: file.write(written))
    sound = Path(pair.audio).read_bytes() if _ending(pair.audio) in _PLAYED[1:] else wav_bytes(pair.sample.audio)
    write_atomically(folder / audio, lambda file: file.write(sound))
    figures, rows = [Figure(image, line(Path(pair.image).name), "image")], []
    blocks: list[Any] = []
    for name, answer in answers.items():
        if "error" in answer:
            blocks.append(Notice(f"{name} has no answer: {line(answer['error'])}"))
            continue
        heard, found = listed(answer["heard"], "weight"), listed(answer["objects"], "score")
        figures.append(Figure(Path(answer["files"]["overlay"]).name, line(found or "nothing"), name))
        rows.append(Row((Cell(name), Cell(line(heard or "nothing it knows")), Cell(line(found or "nothing")))))
    table = Table(("Strategy", "Heard, with weights", "Found, with scores"), rows, 3, prose=frozenset({1, 2}))
    blocks = [Audio(audio, line(Path(pair.audio).name)), Figures(figures, large=True), table, *blocks]
    title = f"{line(Path(pair.image).name)} with {line(Path(pair.audio).name)}"
    about = (
        f"What sounds in the image, by preset {preset}: each strategy names what it hears, and marks where that is "
        "seen. Nothing that is marked, where nothing in view sounds, is an answer."
    )
    page = render(Page(title, about, [Section("Answers", blocks)]), "html").encode()
    path = folder / f"{pair.stem}.html"
    write_atomically(path, lambda file: file.write(page))
    return path


def _ending(audio: str) -> str:
    """How the file ends that the page plays: as the audio file where a browser plays that."""
    suffix = Path(audio).suffix.lower()
    return suffix if suffix in _PLAYED else ".wav"
