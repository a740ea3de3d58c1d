"""The classes of the orchestra: sounding ones with a glyph and a patch, and silent ones with a glyph only."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SILENT", "SOUNDING", "THINGS", "Patch", "Thing"]


@dataclass(frozen=True)
class Patch:
    """One way to make a sound, as General MIDI numbers it.

    Args:
        program: 0 to 127.
        low, high: the lowest and highest MIDI note to play.
        manner: "melody" (notes one after the other), "chords" (some of them together), "hits" (short and irregular),
            or "held" (one long note, for recorded effects).
        bank: 0 for instruments, 128 for percussion, where the note chooses the drum.
    """

    program: int
    low: int
    high: int
    manner: str = "melody"
    bank: int = 0


@dataclass(frozen=True)
class Thing:
    """A class of the orchestra.

    Args:
        label: its name.
        glyphs: the emoji that show it.
        patches: how it can sound; none for silent classes.
    """

    label: str
    glyphs: str
    patches: tuple[Patch, ...] = ()


SOUNDING: tuple[Thing, ...] = (
    Thing("piano", "🎹", (Patch(0, 36, 88, "chords"), Patch(1, 36, 88, "chords"), Patch(4, 40, 84, "chords"))),
    Thing("guitar", "🎸", (Patch(27, 40, 76, "chords"), Patch(29, 40, 72, "chords"), Patch(30, 40, 72, "chords"))),
    Thing("violin", "🎻", (Patch(40, 55, 93),)),
    Thing("trumpet", "🎺", (Patch(56, 52, 82), Patch(59, 52, 80))),
    Thing("saxophone", "🎷", (Patch(64, 56, 82), Patch(65, 49, 76), Patch(66, 44, 70))),
    Thing(
        "drum", "🥁🪘", (Patch(0, 35, 50, "hits", 128), Patch(8, 35, 50, "hits", 128), Patch(0, 60, 64, "hits", 128))
    ),
    Thing("banjo", "🪕", (Patch(105, 48, 84, "chords"),)),
    Thing("accordion", "🪗", (Patch(21, 48, 86, "chords"), Patch(23, 48, 86, "chords"))),
    Thing("flute", "🪈", (Patch(73, 60, 94), Patch(75, 60, 90))),
    Thing("bell", "🔔🛎", (Patch(14, 55, 84), Patch(112, 60, 90))),
    Thing("telephone", "☎📞", (Patch(124, 55, 65, "held"),)),
    Thing("helicopter", "🚁", (Patch(125, 50, 66, "held"),)),
    Thing("bird", "🐦", (Patch(123, 55, 72, "held"),)),
    Thing("applause", "👏", (Patch(126, 52, 67, "held"),)),
    Thing("wave", "🌊", (Patch(122, 50, 66, "held"),)),
    Thing("maracas", "🪇", (Patch(0, 69, 70, "hits", 128), Patch(0, 82, 82, "hits", 128))),
)

SILENT: tuple[Thing, ...] = (
    Thing("dog", "🐕"),
    Thing("cat", "🐱"),
    Thing("car", "🚗"),
    Thing("bicycle", "🚲"),
    Thing("apple", "🍎"),
    Thing("cake", "🎂"),
    Thing("tree", "🌳"),
    Thing("house", "🏠"),
    Thing("umbrella", "☂"),
    Thing("book", "📕"),
    Thing("shoe", "👟"),
    Thing("hat", "🎩"),
)

THINGS: dict[str, Thing] = {thing.label: thing for thing in (*SOUNDING, *SILENT)}
