"""Class-agnostic regions: found once for each image, and candidates for every phrase."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zsavs.models.detection import Found, as_proposals, warn_of_left_out
from zsavs.storage.memo import Memo
from zsavs.types import AVSample, Proposals, Query

__all__ = ["propose_for_every_phrase"]


def propose_for_every_phrase(
    samples: Sequence[AVSample],
    queries: Sequence[Query],
    known: Memo[Found],
    find: Callable[[list[AVSample]], list[Found]],
    limit: tuple[str, int],
) -> list[Proposals]:
    """Region proposals of each image for each row of its query; an image whose query is empty is not searched.

    Args:
        samples: N of them.
        queries: N, one for each sample.
        known: the regions found so far, by image.
        find: gives the regions of each image.
        limit: the grounder's name and its ``max_regions``, for the warning where that left regions out.

    Returns:
        N proposals: every region for every row, best first.
    """
    asking = [sample for sample, query in zip(samples, queries, strict=True) if len(query)]
    of_image = {id(sample.image): sample for sample in asking}
    regions = known([s.image for s in asking], lambda new: find([of_image[id(image)] for image in new]))
    warn_of_left_out(limit[0], "max_regions", limit[1], (each.left_out for each in regions))
    found = iter(regions)
    return [as_proposals([next(found)] * len(query)) if len(query) else Proposals.nothing() for query in queries]
