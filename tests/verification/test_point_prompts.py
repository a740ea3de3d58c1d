"""Points of a region's similarity map: they lie on what the phrase names, and segmenters that take points get them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import zsavs
from zsavs.errors import ContractError, InputError
from zsavs.testing import check_verifier, toy
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.point_prompts import PointedRegions
from zsavs.verification.selection import TrustGrounder


def half_red(size_hw: tuple[int, int] = (60, 80)) -> AVSample:
    """An image of blue, red in a quarter of it, at the lower right."""
    sample, _ = toy.scene(("blue",), ("blue",))
    image = np.zeros((*size_hw, 3), np.uint8)
    image[:] = toy.COLOURS["blue"]
    image[size_hw[0] // 2 :, size_hw[1] // 2 :] = toy.COLOURS["red"]
    return replace(sample, image=image)


def regions(*boxes: tuple[float, ...], sources: tuple[int, ...]) -> Proposals:
    return Proposals(np.array(boxes, np.float32), np.ones(len(boxes), np.float32), np.array(sources))


def points_of(found: Proposals) -> NDArray[np.float32]:
    assert found.points_xy is not None
    return found.points_xy


@pytest.mark.parametrize("points", [1, 3])
def test_points_lie_on_what_the_phrase_names(points: int) -> None:
    sample = half_red()
    whole = (0, 0, 80, 60)
    verifier = PointedRegions(TrustGrounder(), toy.ToyImageText(), points=points)
    queries = [Query((phrase,), np.ones(1, np.float32)) for phrase in ("red", "blue")]
    red, blue = verifier.verify([sample] * 2, queries, [regions(whole, sources=(0,))] * 2)
    assert points_of(red).shape == (1, points, 2)
    assert (points_of(red)[0] >= [40, 30]).all()
    assert (points_of(red)[0] <= [80, 60]).all()
    assert not (points_of(blue)[0] >= [40, 30]).all(axis=1).any()


def test_they_are_pixels_of_the_image_within_the_region() -> None:
    """A region that is half red at its right; another image of another size in the same batch."""
    boxes = (20.5, 35.0, 60.5, 55.0), (0.0, 0.0, 30.0, 20.0)
    verifier = PointedRegions(TrustGrounder(), toy.ToyImageText(), points=2)
    query = Query(("red",), np.ones(1, np.float32))
    samples = [half_red(), half_red((120, 160))]
    found = verifier.verify(samples, [query] * 2, [regions(*boxes, sources=(0, 0)), regions(boxes[0], sources=(0,))])
    own = points_of(found[0])
    assert (own[0] >= [40, 35]).all()
    assert (own[0] <= [61, 55]).all()
    for box, each in zip(boxes, own, strict=True):
        assert (each >= np.floor(box[:2])).all()
        assert (each <= np.ceil(box[2:])).all()
    assert points_of(found[1]).shape == (1, 2, 2)


def test_only_selected_regions_have_points_and_nothing_has_none() -> None:
    class Turned:
        def verify(self, samples: list, queries: list, proposals: list) -> list[Proposals]:  # type: ignore[type-arg]
            return [replace(each, selected=np.arange(len(each)) == 1) for each in proposals]

    verifier = PointedRegions(Turned(), toy.ToyImageText())
    found = regions((0, 0, 80, 60), (10, 10, 70, 50), sources=(0, 0))
    one, none = verifier.verify(
        [half_red()] * 2, [Query(("red",), np.ones(1, np.float32))] * 2, [found, Proposals.nothing()]
    )
    np.testing.assert_array_equal(np.isfinite(points_of(one)).all(axis=(1, 2)), [False, True])
    assert points_of(none).shape == (0, 1, 2)


def test_its_contract_and_its_limits() -> None:
    check_verifier(PointedRegions(TrustGrounder(), toy.ToyImageText()))
    with pytest.raises(InputError, match="points is a whole number of at least 1, got 0"):
        PointedRegions(TrustGrounder(), toy.ToyImageText(), points=0)
    with pytest.raises(ContractError, match=r"the verifier needs verify\(...\)"):
        PointedRegions(object(), toy.ToyImageText())  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=r"image_text needs encode_image_tokens\(...\), which object does not have"):
        PointedRegions(TrustGrounder(), object())  # type: ignore[arg-type]


def test_it_is_built_by_name_around_another() -> None:
    pipe = zsavs.build_pipeline("text_bridged", "toy", verifier="pointed:joint", **{"verifier.points": 2})
    assert pipe.verifier.points == 2
    sample, target = toy.scene(("red", "blue", "green"), ("red", "green"))
    assert np.array_equal(pipe(sample).mask, target)
