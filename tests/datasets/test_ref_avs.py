"""The null set of Ref-AVS is read as it is distributed, each clip once, with nothing as the right answer."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_datasets import STEP, Tree
from fixtures_videos import make_ref_avs

from zsavs.datasets.check import check
from zsavs.datasets.ref_avs import RefAVSNull
from zsavs.errors import InputError, UnknownName
from zsavs.metrics import suites


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("ref_avs")
    return root, make_ref_avs(root)["items"]


def test_every_null_clip_is_read_once_whatever_its_expressions(tree):
    root, clips = tree
    dataset = RefAVSNull(root)
    assert list(dataset) == [f"{clip['id']}/{k}" for clip in clips for k in range(10)]
    assert dataset.group_count() == 3
    for clip in clips:
        for k in range(10):
            item = f"{clip['id']}/{k}"
            sample, target = dataset.load(item)
            assert list(sample.size_hw) == list(target.size_hw) == clip["size"]
            assert not target.mask.any()
            assert (target.labels, target.sources, target.category) == (None, (), clip["category"])
            assert (target.frame, target.group, dataset.moment(item)) == (k, clip["id"], (clip["id"], k))
            steps = (sample.audio.waveform[0] / STEP).round().astype(int)
            assert set(steps.tolist()) == {clip["base"] + k + 1}
            image, audio, table = (path.relative_to(root / "REFAVS").as_posix() for path in dataset.files(item))
            assert image == f"media/{clip['id']}/frames/{k}.jpg"
            assert audio == f"media/{clip['id']}/audio.wav"
            assert table == "metadata.csv"


def test_the_folder_itself_or_the_one_above_it_will_do(tree):
    root, _ = tree
    assert list(RefAVSNull(root / "REFAVS")) == list(RefAVSNull(root))


def test_answering_nothing_is_right_and_anything_else_is_counted(tree):
    dataset, nothing, half = RefAVSNull(tree[0]), suites.get("avsbench"), suites.get("avsbench")
    for item in dataset:
        target = dataset.load(item).target
        nothing.update(np.zeros(target.size_hw, np.float32), target.mask)
        scores = np.zeros(target.size_hw, np.float32)
        scores[: target.size_hw[0] // 2] = 1
        half.update(scores, target.mask)
    assert (nothing.compute()["FPR_empty"], half.compute()["FPR_empty"]) == (0, 0.5)
    assert nothing.compute()["n_empty"] == len(dataset)


def test_a_check_finds_the_tree_complete_and_what_is_missing(tmp_path):
    make_ref_avs(tmp_path)
    assert check(RefAVSNull, tmp_path, decode=True).ok
    dataset = RefAVSNull(tmp_path)
    item = next(iter(dataset))
    dataset.files(item)[0].unlink()
    dataset.files(item)[1].unlink()
    (test,) = check(RefAVSNull, tmp_path).splits
    assert (test.missing, tuple(test.found)) == (2, (30, 3, None))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a_1_2", "a_1_2_cat_1", "test_s", 0, "The cat."]], "no clip of the split 'test_n'"),
        ([["a", "null_1", "test_n", 0, "x"]], "CLIP_null_NUMBER"),
        ([["a", "../null_m-a_1_2_null_1", "test_n", 0, "x"]], "CLIP_null_NUMBER"),
        ([["a", ".._null_1", "test_n", 0, "x"]], "leads out"),
    ],
)
def test_a_list_that_cannot_be_is_refused_with_its_name(tmp_path, rows, message):
    Tree(tmp_path).table("metadata.csv", [["vid", "uid", "split", "fid", "exp"], *rows])
    with pytest.raises(InputError, match=message) as caught:
        RefAVSNull(tmp_path)
    assert str(tmp_path / "metadata.csv") in str(caught.value)


def test_what_is_not_there_is_said(tree, tmp_path):
    with pytest.raises(UnknownName, match="test_n"):
        RefAVSNull(tree[0], split="test_n")
    with pytest.raises(InputError, match=r"expected .*metadata\.csv"):
        RefAVSNull(tmp_path)
    Tree(tmp_path).table("metadata.csv", [["vid", "split"]])
    with pytest.raises(InputError, match="'uid'"):
        RefAVSNull(tmp_path)
