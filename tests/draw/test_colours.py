"""Colours of masks and labels, and the ramp of the spectrogram."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from zsavs.draw import palette
from zsavs.draw.colours import INK, PAPER, ink_on, spectrogram_ramp
from zsavs.errors import ContractError


def test_the_palette_keeps_its_order_and_cannot_be_spoilt() -> None:
    assert palette(0) == []
    for n in (1, 5, 8, 9, 30):
        assert palette(n) == palette(40)[:n]
    palette(3).clear()
    palette(12).clear()
    assert len(palette(3)) == 3
    assert len(palette(12)) == 12
    with pytest.raises(ContractError, match="at least 0"):
        palette(-1)


def test_forty_colours_are_forty_and_none_is_grey() -> None:
    colours = palette(40)
    assert len(set(colours)) == 40
    assert all(max(colour) - min(colour) > 40 for colour in colours)


@pytest.mark.parametrize("kind", ["normal", "protanopia", "deuteranopia"])
def test_the_first_eight_colours_differ_for_colour_blind_readers(kind: str) -> None:
    # A simulation other than the one that chose them: Vienot, Brettel and Mollon 1999, on linear RGB.
    seen = {
        "normal": np.eye(3),
        "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    }[kind]
    linear = (np.array(palette(8)) / 255) ** 2.2
    shown = 255 * np.clip(linear @ np.asarray(seen).T, 0, 1) ** (1 / 2.2)
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(shown, 2)) > 40


def test_text_stands_out_from_every_chip() -> None:
    def luminance(colour: tuple[int, int, int]) -> float:
        return float(((np.array(colour) / 255) ** 2.2) @ (0.2126, 0.7152, 0.0722))

    for colour in [*palette(40), PAPER, INK]:
        low, high = sorted([luminance(colour), luminance(ink_on(colour))])
        assert (high + 0.05) / (low + 0.05) > 4


def test_the_spectrogram_ramp_only_gets_darker() -> None:
    brightness = spectrogram_ramp().astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(brightness) <= 0.5).all()
    assert brightness[0] > 240
    assert brightness[-1] < 30
