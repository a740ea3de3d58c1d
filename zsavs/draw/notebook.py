"""A result in a notebook, or in the image viewer of the system."""

from __future__ import annotations

import base64
import functools
import io
import sys
from collections.abc import Sequence
from typing import Any

import jinja2
from PIL import Image, ImageShow

from zsavs.errors import OutputError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.wav import wav_bytes

__all__ = ["comparison_html", "result_html", "show"]

#: A notebook keeps what it shows: of a longer clip, only so much is put into it.
_MAX_SECONDS = 60.0

_PAGE = """
<figure style="margin: 0">
<img src="data:image/png;base64,{{ png }}" alt="{{ alt }}" style="max-width: 100%">
{% if wav %}
<audio controls src="data:audio/wav;base64,{{ wav }}" style="display: block; margin: 0.5em 0"></audio>
{% endif %}
<table>
<tr><th style="text-align: left">found</th><th>score</th><th>pixels</th></tr>
{% for phrase, score, pixels in found %}
<tr><td style="text-align: left">{{ phrase }}</td><td>{{ "%.2f" % score }}</td><td>{{ pixels }}</td></tr>
{% else %}
<tr><td style="text-align: left" colspan="3">nothing in view is sounding</td></tr>
{% endfor %}
</table>
<figcaption>
heard: {{ heard }}
{% if cut %}(the player has the first {{ cut }} s){% endif %}
</figcaption>
</figure>
"""

#: Of more samples a notebook shows the first ones; images are fitted into a square of so many pixels.
_MOST_ROWS, _CELL = 20, 320

_TABLE = """
<div style="overflow-x: auto">
<table>
<tr>{% for name in names %}<th style="text-align: left">{{ name }}</th>{% endfor %}</tr>
{% for row in rows %}
<tr>
{% for png, alt, heard in row %}
<td style="text-align: left; vertical-align: top; min-width: 12em">
<img src="data:image/png;base64,{{ png }}" alt="{{ alt }}" style="max-width: 100%"><br>heard: {{ heard }}</td>
{% endfor %}
</tr>
{% endfor %}
</table>
{% if more %}<p>and {{ more }} more</p>{% endif %}
</div>
"""


@functools.cache
def _template(text: str) -> jinja2.Template:
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(text)


def result_html(
    png: bytes,
    audio: AudioClip | None,
    found: Sequence[tuple[str, float, int]],
    heard: Sequence[tuple[str, float, str]],
) -> str:
    """A result as one piece of HTML with everything in it: no script, and nothing that is fetched.

    Args:
        png: the overlay, as a PNG file.
        audio: the audio clip to play, of which the first minute is put in, mixed down to mono; None for no player.
        found: phrase, score in [0, 1] and pixels of each object.
        heard: phrase, weight in [0, 1], and in words when it sounds, of each source; "" where that is not known.
    """
    cut = audio is not None and audio.duration_s > _MAX_SECONDS
    named = ", ".join(phrase for phrase, _, _ in found)
    return _template(_PAGE).render(
        png=base64.b64encode(png).decode("ascii"),
        alt=f"the image with what sounds marked: {named}" if named else "the image, in which nothing sounds",
        wav=audio and base64.b64encode(wav_bytes(audio, _MAX_SECONDS)).decode("ascii"),
        found=found,
        heard=", ".join(f"{phrase} {weight:.2f}{times}" for phrase, weight, times in heard) or "nothing it knows",
        cut=f"{_MAX_SECONDS:g}" if cut else "",
    )


def comparison_html(names: Sequence[str], rows: Sequence[Sequence[tuple[Image.Image, str, str]]]) -> str:
    """Several answers to each of some images as a table, one piece of HTML with everything in it.

    Args:
        names: of the columns.
        rows: for each image, and each column, the overlay, what it is in words, and what was heard. The first twenty
            are put in.
    """
    shown = [[(_small(image), alt, heard) for image, alt, heard in row] for row in rows[:_MOST_ROWS]]
    return _template(_TABLE).render(names=names, rows=shown, more=len(rows) - len(shown))


def _small(image: Image.Image) -> str:
    """An image, fitted into a square, as a PNG file in base64."""
    fitted, file = image.copy(), io.BytesIO()
    fitted.thumbnail((_CELL, _CELL))
    fitted.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def show(result: Any, image: Image.Image) -> None:
    """Display a result in the notebook that runs this code; without one, open the image in a viewer.

    Args:
        result: what a notebook displays.
        image: what a viewer opens.

    Raises:
        OutputError: no viewer can be started.
    """
    if _in_notebook():
        from IPython.display import display

        display(result)
    elif not ImageShow.show(image, "zsavs"):
        raise OutputError("no image viewer can be started here; write the answer to files: result.save(FOLDER, NAME).")


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code; a terminal's IPython shows no images."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
