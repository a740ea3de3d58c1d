"""The grounder keeps the contract of its role, and is found by its name in a whole pipeline: run ``pytest`` here."""

import numpy as np
from zsavs_colour_blobs import ColourBlobs

import zsavs
from zsavs.testing import check_grounder, toy


def test_it_keeps_the_contract_of_a_grounder() -> None:
    check_grounder(ColourBlobs())


def test_two_things_of_one_colour_are_two_boxes() -> None:
    image = np.full((40, 60, 3), 128, np.uint8)
    image[5:15, 10:30] = image[20:30, 35:45] = (255, 0, 0)
    sample, query = zsavs.AVSample(image, toy.tone("red")), zsavs.Query(("a red car", "a car"), np.ones(2, np.float32))
    (found,) = ColourBlobs().ground([sample], [query])
    assert found.boxes_xyxy.tolist() == [[10, 5, 30, 15], [35, 20, 45, 30]], "the larger one first"
    assert found.sources.tolist() == [0, 0], "a car may have any colour"
    assert found.scores.tolist() == [1, 1]
    assert len(ColourBlobs(min_pixels=150).ground([sample], [query])[0]) == 1


def test_it_is_known_by_its_name() -> None:
    assert "colour_blobs" in zsavs.list_components("grounder")
    pipe = zsavs.build_pipeline("audio_to_text", preset="toy", grounder="colour_blobs")
    assert isinstance(pipe.grounder, ColourBlobs)
    sample, target = toy.scene(visible=("red", "blue"), sounding=("blue",))
    result = pipe(sample)
    assert result.phrases == ("blue",)
    assert (result.mask == target).mean() > 0.99
    silent, _ = toy.scene(visible=("red", "blue"), sounding=())
    assert len(pipe(silent)) == 0
