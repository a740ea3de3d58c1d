"""Grounders that are built around a phrase detector: what all of them have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsavs.grounding.checks import check_part
from zsavs.protocols import Grounder

if TYPE_CHECKING:
    from zsavs.storage.weights import WeightCard

__all__ = ["DetectorWrapper"]


class DetectorWrapper:
    """A grounder around a detector, whose weight card is the detector's.

    Args:
        grounder: the detector.
        what: the name that errors begin with.

    Raises:
        ContractError: the grounder has no ``ground``.
    """

    def __init__(self, grounder: Grounder, what: str) -> None:
        check_part(what, "detector", grounder, "ground")
        self.detector = grounder

    @property
    def card(self) -> WeightCard:
        """The detector's card.

        Raises:
            AttributeError: it has none.
        """
        card: WeightCard = self.detector.card  # type: ignore[attr-defined]
        return card
