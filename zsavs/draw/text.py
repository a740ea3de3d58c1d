"""One line of text in any script: cleaned, set in a typeface that shows it, cut to the space there is.

Pillow's bundled typeface (Aileron, basic layout) draws the same pixels on every machine but has little more than
ASCII. A text that it cannot show is set in the first installed system typeface that shows all of it, or else most of
it; what remains is spelled with the base letter, or a question mark.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

from zsavs.draw.colours import Rgb
from zsavs.errors import BrokenInstallation

__all__ = ["Line", "cap_height", "set_line"]

#: Longer labels are cut before they are measured, so that a hostile one costs nothing.
_MAX_CHARACTERS = 300
_BUNDLED = ""
#: File names of typefaces with wide coverage, looked up by Pillow in the system's font folders.
_SYSTEM = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "Arial Unicode.ttf",
    "arialuni.ttf",
    "arial.ttf",
)


@dataclass(frozen=True)
class Line:
    """Text ready to be drawn.

    Args:
        text: what is drawn, every character of it in ``font``.
        size: type size in pixels.
        font: the typeface at ``size`` times :func:`_finer`.
        width: advance width in pixels, rounded up.
    """

    text: str
    size: int
    font: ImageFont.FreeTypeFont
    width: int

    def draw(self, on: Image.Image, x: int, baseline: int, fill: Rgb) -> None:
        """Draw on an RGB image, the left end of the baseline at (x, baseline); nothing leaves the line's height."""
        finer, margin = _finer(self.size), self.size // 4 + 1
        above, below = self.size + margin, self.size // 2
        ink = Image.new("L", ((self.width + 2 * margin) * finer, (above + below) * finer), 0)
        ImageDraw.Draw(ink).text((margin * finer, above * finer), self.text, font=self.font, fill=255, anchor="ls")
        on.paste(fill, (x - margin, baseline - above), ink.reduce(finer))


def _finer(size: int) -> int:
    """How much larger than ``size`` type is drawn before it is reduced: small hinted type is spaced unevenly."""
    return 4 if size <= 64 else 1


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    """The typeface at ``size`` pixels, or None where it is not installed."""
    if name == _BUNDLED:
        try:
            bundled = ImageFont.load_default(size)
        except ImportError:
            raise BrokenInstallation(
                "Pillow was built without FreeType and cannot draw text; run: pip install --force-reinstall pillow"
            ) from None
        assert isinstance(bundled, ImageFont.FreeTypeFont)
        return bundled
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@cache
def _names() -> tuple[str, ...]:
    """The typefaces on this machine, the bundled one first."""
    return (_BUNDLED, *(name for name in _SYSTEM if _font(name, 16) is not None))


@lru_cache(maxsize=8192)
def _shows(name: str, character: str) -> bool:
    """Whether the typeface has a glyph: a missing one is drawn as the box that stands for a non-character."""
    font = _font(name, 16)
    assert font is not None
    glyph, box = font.getmask(character), font.getmask("\uffff")
    return character == " " or (glyph.size, bytes(glyph)) != (box.size, bytes(box))


def _clean(text: str) -> str:
    """Composed characters, runs of white space as one space, no control, format or unassigned characters."""
    text = unicodedata.normalize("NFC", text[:_MAX_CHARACTERS])
    text = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or not unicodedata.category(c).startswith("C")
    )
    return " ".join(text.split())


def _spell(text: str, name: str) -> str:
    """The text with every character that the typeface lacks replaced."""
    spelled = ""
    for character in text:
        base = unicodedata.normalize("NFKD", character)[0]
        if _shows(name, character):
            spelled += character
        elif _shows(name, base):
            spelled += base
        elif not spelled.endswith("?") and not unicodedata.combining(character):
            spelled += "?"
    return spelled


@lru_cache(maxsize=1024)
def set_line(text: str, size: int, max_width: int | None = None) -> Line:
    """Set ``text`` on one line.

    Args:
        text: any text; control characters and line breaks are taken out.
        size: type size in pixels, at least 1.
        max_width: in pixels; a longer text is cut and ends in an ellipsis, an empty line if not even that fits.

    Raises:
        BrokenInstallation: Pillow was built without FreeType.
    """
    text = _clean(text)
    name = max(_names(), key=lambda candidate: sum(_shows(candidate, c) for c in text))
    text = _spell(text, name)
    finer = _finer(size)
    font = _font(name, size * finer)
    assert font is not None

    def width(candidate: str) -> int:
        return math.ceil(font.getlength(candidate) / finer)

    if max_width is None or width(text) <= max_width:
        return Line(text, size, font, width(text))
    low, high = 0, len(text)  # the longest start that fits with its ellipsis
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width(text[:middle].rstrip() + "…") <= max_width else (low, middle - 1)
    text = text[:low].rstrip() + "…" if low else ""
    return Line(text, size, font, width(text))


def cap_height(size: int) -> int:
    """Height in pixels of a capital letter of the bundled typeface at ``size``, for centring text by eye."""
    return round(0.69 * size)
