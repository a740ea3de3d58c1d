"""VPO is read as it is distributed, and its audio is mixed as its protocol says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fixtures_datasets import STEP, VPO_IDS, make_vpo
from PIL import Image

from zsavs.datasets.audio import centre_crop, mix
from zsavs.datasets.masks import read_ids
from zsavs.datasets.vpo import VPOMS, VPOMSMI, VPOSS, VPOMSMIStereo, VPOMSStereo, VPOSSStereo
from zsavs.errors import ImageError, InputError, UnknownName
from zsavs.language.label_sets import vpo_classes, vpo_table
from zsavs.types import AudioClip

READERS = [(VPOSS, "ss"), (VPOSSStereo, "ss"), (VPOMS, "ms"), (VPOMSStereo, "ms"), (VPOMSMI, "msmi")]
READERS.append((VPOMSMIStereo, "msmi"))
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "metrics_public.json").read_text())


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("vpo")
    return root, make_vpo(root)


def item_of(manifest, part, start):
    return next(item for item in manifest[part] if item["id"].lstrip("0").startswith(start))


def steps_of(wave):
    """The levels of a waveform in steps, see ``Tree.stairs``."""
    return (np.asarray(wave, np.float64) / STEP).round(3)


@pytest.mark.parametrize(("reader", "part"), READERS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_image_is_read_as_it_was_written(tree, reader, part, split):
    root, manifest = tree
    dataset = reader(root, split=split)
    wanted = [item for item in manifest[part] if item["split"] == split]
    assert list(dataset) == [item["id"] for item in wanted]
    assert len(dataset) == len(wanted)
    for item in wanted:
        sample, target = dataset.load(item["id"])
        assert list(sample.size_hw) == list(target.size_hw) == item["size"]
        assert target.sources == tuple(item["sources"])
        sizes = {dataset.classes[k]: int((target.labels == k).sum()) for k in np.unique(target.labels) if k % 255}
        assert sizes == item["sizes"]
        assert (target.labels == 255).sum() == 2 * item["size"][1]
        assert target.mask.sum() == sum(item["sizes"].values())
        assert sample.audio.waveform.shape == (2 if reader.stereo else 1, 48000)
        assert sample.audio.sample_rate_hz == 16000


def test_the_split_val_is_the_test_split(tree):
    assert "000000062491_000000432356" in VPOSS(tree[0])
    with pytest.raises(UnknownName, match="test, train"):
        VPOSS(tree[0], split="val")


def test_cars_beside_airplanes_stay_cars(tree):
    root, manifest = tree
    item = item_of(manifest, "ms", "416718")
    labels = VPOMS(root).load(item["id"]).target.labels
    assert (labels == VPO_IDS["car"]).sum() == item["sizes"]["car"] > 0
    assert (labels == VPO_IDS["airplane"]).sum() == item["sizes"]["airplane"] > 0


@pytest.mark.parametrize("case", GOLDEN["vpo_labels"]["cases"], ids=lambda case: str(case["raw"][:3]))
def test_values_become_the_published_classes(case):
    assert vpo_table()[case["raw"]].tolist() == case["one_pass_table"]


def test_classes_are_the_published_ones():
    assert list(vpo_classes()) == GOLDEN["vpo_labels"]["index_table"]
    assert (vpo_table() >= 0).sum() == 23


def test_a_value_that_is_no_class_is_refused(tmp_path):
    Image.new("L", (4, 4), 1).save(tmp_path / "person.png")
    with pytest.raises(ImageError, match="value 1 stands for no class"):
        read_ids(tmp_path / "person.png", vpo_table())
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    with pytest.raises(ImageError, match="'RGB'"):
        read_ids(tmp_path / "colour.png", vpo_table())


def test_images_of_one_instance_per_class_lie_in_the_tree_of_ms(tree):
    dataset = VPOMSMI(tree[0])
    trees = {path.parts[-3] for item in dataset for path in dataset.files(item)[:2]}
    assert trees == {"VPO-MS", "VPO-MSMI"}
    assert dataset.load("000000777001").target.sources == ("dog", "dog")


def test_one_object_with_two_clips_is_two_items(tree):
    dataset = VPOSS(tree[0])
    one, other = (dataset.load(f"000000053484_000000188901{end}").sample for end in ("", "_2"))
    assert np.array_equal(one.image, other.image)
    assert not np.array_equal(one.audio.waveform, other.audio.waveform)
    assert dataset.group_count() == len(dataset) - 1


def test_a_clip_gives_its_middle_three_seconds(tree):
    root, manifest = tree
    item = item_of(manifest, "ss", "53484")
    wave = VPOSS(root).load(item["id"]).sample.audio.waveform[0]
    base = item["bases"][0]
    # 3.5 s to 6.5 s of stairs: half of second 3, seconds 4 and 5, half of second 6.
    assert steps_of(wave[[0, 7999, 8000, 23999, 24000, 39999, 40000, 47999]]).tolist() == [
        base + k for k in (4, 4, 5, 5, 6, 6, 7, 7)
    ]


def test_a_short_clip_is_repeated_from_its_start(tree):
    root, manifest = tree
    item = item_of(manifest, "ss", "18975")
    wave, base = VPOSS(root).load(item["id"]).sample.audio.waveform[0], item["bases"][0]
    assert steps_of(wave[[0, 16000, 32000, 39999, 40000, 47999]]).tolist() == [base + k for k in (1, 2, 3, 3, 1, 1)]


def test_a_clip_of_another_rate_is_resampled(tree):
    root, manifest = tree
    item = item_of(manifest, "ss", "62491")
    wave, base = VPOSS(root).load(item["id"]).sample.audio.waveform[0], item["bases"][0]
    assert np.abs(wave[[4000, 16000, 32000, 44000]] / STEP - [base + k for k in (4, 5, 6, 7)]).max() < 0.05


def test_a_clip_in_stereo_is_averaged_first(tree):
    root, manifest = tree
    item = item_of(manifest, "ss", "77003")  # the second channel is the negative half of the first
    wave = VPOSS(root).load(item["id"]).sample.audio.waveform
    assert steps_of(wave[0, 20000]) == (item["bases"][0] + 5) / 4
    assert VPOSSStereo(root).load(item["id"]).sample.audio.waveform.shape == (2, 48000)


def test_sources_are_added_without_scaling(tree):
    root, manifest = tree
    item = item_of(manifest, "ms", "536963")
    wave = VPOMS(root).load(item["id"]).sample.audio.waveform[0]
    male, female, baby = item["bases"]
    assert steps_of(wave[20000]) == male + 5 + female + 5 + baby + 2
    assert wave.max() > 1


def test_positions_weight_left_and_right(tree):
    root, manifest = tree
    item = item_of(manifest, "ms", "416718")
    wave = VPOMSStereo(root).load(item["id"]).sample.audio.waveform
    levels = np.array(item["bases"]) + 5
    right = np.array(item["positions"])
    assert steps_of(wave[:, 20000]).tolist() == [levels @ (1 - right), levels @ right]
    mono = VPOMS(root).load(item["id"]).sample.audio.waveform[0]
    assert np.allclose(wave.sum(axis=0), mono, atol=1e-6)


@pytest.mark.parametrize("case", GOLDEN["audio"]["pan"], ids=lambda case: str(case["audio_pos"]))
def test_panning_is_the_published_one(case):
    ones = AudioClip(np.ones((1, 48000), np.float32), 16000)
    wave = mix([ones], [case["audio_pos"]], rate_hz=16000, length_s=3.0).waveform
    assert wave.shape[0] == case["channels"]
    assert np.array_equal(np.unique(wave[0]), [case["left"]])
    assert np.array_equal(np.unique(wave[1]), [case["right"]])


@pytest.mark.parametrize("case", GOLDEN["audio"]["crop"], ids=lambda case: f"{case['n_in']}-{case['n_out']}")
def test_the_crop_of_a_long_enough_sound_is_the_published_one(case):
    crop = centre_crop(np.arange(case["n_in"], dtype=np.float32), case["n_out"])
    assert len(crop) == case["n_out"]
    if case["n_in"] >= case["n_out"]:
        assert (crop[0], crop[-1]) == (case["first"], case["last"])
        assert crop.sum(dtype=np.float64) == case["sum"]
    else:  # where the published one keeps the end only
        assert len(np.unique(crop)) == case["n_in"]
        assert crop[0] == 0


def test_the_folder_of_vpo_itself_and_of_the_clips_may_be_named(tree, tmp_path):
    root, _ = tree
    assert len(VPOSS(root / "VPO")) == 5
    assert VPOMS(root, audios=root / "vggsound_bench/VGGSound/audios").load("000000416718").sample.audio
    with pytest.raises(InputError, match="nowhere: no such folder"):
        VPOMS(root, audios=tmp_path / "nowhere")


def test_a_tree_without_its_parts_is_told_what_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"expected .*VPO/VPO-SS/vpo_ss_data_stereo\.csv"):
        VPOSS(tmp_path)
    make_vpo(tmp_path)
    (tmp_path / "vggsound_bench").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"audios: no such folder; .* holds VPO, elsewhere"):
        VPOMS(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0.75,", ",1.75,", "audio_pos must lie in"),
        (",0.75,", ",left,", "expected numbers"),
        ("62491,", "inf,", "expected numbers"),
        ("432356", "x", "number in ann_Ids"),
        (",vgg_file", ",clip", "'vgg_file'"),
        (",test", ",later", None),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(tmp_path, old, new, message):
    make_vpo(tmp_path)
    table = tmp_path / "VPO/VPO-SS/vpo_ss_data_stereo.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))
    if message is None:  # rows of a split that nobody asks for are left out
        assert list(VPOSS(tmp_path)) == ["000000062491_000000432356"]
        return
    with pytest.raises(InputError, match=message):
        VPOSSStereo(tmp_path)


def test_mono_does_not_ask_for_positions(tmp_path):
    make_vpo(tmp_path)
    table = tmp_path / "VPO/VPO-SS/vpo_ss_data_stereo.csv"
    table.write_text(table.read_text().replace("audio_pos", "angle"))
    assert len(VPOSS(tmp_path)) == 5
    with pytest.raises(InputError, match="audio_pos"):
        VPOSSStereo(tmp_path)
