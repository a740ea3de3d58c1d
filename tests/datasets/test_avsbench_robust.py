"""AVSBench-Robust: the same frames with audio whose sources are not in view, the same on every machine."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from fixtures_datasets import STEP, Tree, make_avss, make_ms3, make_s4

from zsavs.datasets.avsbench import MS3, S4
from zsavs.datasets.avsbench_robust import CONDITIONS, RobustMS3, RobustS4
from zsavs.errors import AudioError, InputError, UnknownName
from zsavs.language.label_sets import robust_groups, s4_sources
from zsavs.metrics import suites


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("robust")
    manifest = {"s4": make_s4(root), "ms3": make_ms3(root)}
    make_avss(root)
    return root, manifest


@pytest.mark.parametrize(("reader", "base"), [(RobustS4, S4), (RobustMS3, MS3)])
def test_every_frame_comes_under_every_condition(tree, reader, base):
    root, _ = tree
    dataset, plain = reader(root), base(root)
    assert list(dataset) == [f"{condition}/{frame}" for frame, condition in product(plain, CONDITIONS)]
    assert len(dataset) == 4 * len(plain)
    assert dataset.group_count() == plain.group_count()
    for item in dataset:
        condition, _, frame = item.partition("/")
        sample, target = dataset.load(item)
        own = plain.load(frame)
        assert target.condition == condition
        assert np.array_equal(sample.image, own.sample.image)
        assert sample.audio.duration_s == pytest.approx(1)
        assert target.mask.sum() == (own.target.mask.sum() if condition == "positive" else 0)
        assert np.array_equal(sample.audio.waveform, own.sample.audio.waveform) == (condition == "positive")


def test_a_whole_video_has_the_audio_of_its_condition(tree):
    dataset, plain = RobustS4(tree[0]), S4(tree[0])
    for item in dataset:
        condition, _, frame = item.partition("/")
        audio, window = dataset.video_audio(item), dataset.load(item).sample.audio
        assert dataset.video_time(item) == plain.video_time(frame) == dataset.moment(item)[1] + 0.5
        at = dataset.moment(item)[1] * audio.sample_rate_hz
        if at + window.waveform.shape[1] <= audio.waveform.shape[1]:
            np.testing.assert_array_equal(audio.waveform[:, at : at + window.waveform.shape[1]], window.waveform)
        own = plain.video_audio(frame)
        assert np.array_equal(audio.waveform, own.waveform) == (condition == "positive")


def test_the_conditions_of_a_frame_share_its_image(tree):
    dataset = RobustMS3(tree[0])
    images = [dataset.load(item).sample.image for item in list(dataset)[:8]]
    assert len({id(image) for image in images}) == 2
    assert all(image is images[0] for image in images[:4])


def test_conditions_are_those_of_the_suite(tree):
    suite = suites.get("robust")
    dataset = RobustMS3(tree[0])
    for item in dataset:
        target = dataset.load(item).target
        suite.update(np.zeros(target.size_hw), target.mask, condition=target.condition)
    assert suite.compute()["n_offscreen"] == 10


def test_silence_is_digital_silence_and_noise_is_noise(tree):
    dataset = RobustS4(tree[0])
    silence, noise = (dataset.load(f"{c}/helicopter/-dash_vid003/1").sample.audio for c in ("silence", "noise"))
    assert not silence.waveform.any()
    assert -1 <= noise.waveform.min() < -0.99
    assert 0.99 < noise.waveform.max() <= 1
    assert noise.waveform.mean() == pytest.approx(0, abs=0.02)
    assert noise.waveform.std() == pytest.approx(3**-0.5, abs=0.02)
    later = dataset.load("noise/helicopter/-dash_vid003/2").sample.audio
    other = dataset.load("noise/male_speech/_underscore4/1").sample.audio
    assert not np.array_equal(noise.waveform, later.waveform)
    assert not np.array_equal(noise.waveform, other.waveform)


def test_the_same_seed_gives_the_same_sounds_in_any_order(tree):
    root, _ = tree
    one, other = RobustS4(root), RobustS4(root, conditions=["offscreen", "noise"])
    items = list(other)
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    audio = {item: one.load(item).sample.audio.waveform for item in items}
    for item in reversed(items):
        assert np.array_equal(other.load(item).sample.audio.waveform, audio[item])
    assert np.array_equal(np.random.get_state()[1], state)
    changed = RobustS4(root, seed=43)
    assert any(not np.array_equal(changed.load(i).sample.audio.waveform, audio[i]) for i in items if "noise" in i)


def test_the_noise_of_seed_42_is_what_it_always_was(tree):
    wave = RobustS4(tree[0]).load("noise/helicopter/-dash_vid003/1").sample.audio.waveform
    assert wave.dtype == np.float32
    assert wave[0, :3].tolist() == pytest.approx([-0.4371000, -0.0554112, 0.5322754], abs=1e-6)


def test_a_sound_off_screen_is_of_another_group_that_does_not_go_with_it(tree):
    root, manifest = tree
    groups, avoid = robust_groups("s4")
    by_base = {item["base"]: item for item in manifest["s4"]["items"]}
    dataset = RobustS4(root, conditions=["offscreen"])
    for item in dataset:
        _, category, name, k = item.split("/")
        step = round(dataset.load(item).sample.audio.waveform[0, -1] / STEP) - int(k)
        other = by_base[step]  # its steps say which audio file it is, and that the second is the frame's own
        assert other["split"] == "test"
        assert (other["category"], other["name"]) != (category, name)
        assert groups[other["category"]] not in (groups[category], avoid.get(groups[category]))


def test_choices_spread_over_the_videos(tmp_path):
    tree = Tree(tmp_path)
    rows = [["name", "start", "category", "split"]]
    rows += [[f"v{place:03d}", 0, category, "test"] for place, category in enumerate([*s4_sources()] * 8)]
    tree.table("s4_meta_data.csv", rows)
    dataset = RobustS4(tmp_path, conditions=["offscreen"])
    groups, avoid = robust_groups("s4")
    others = {}
    for item in dataset:
        category = item.split("/")[1]
        other = dataset.files(item)[2]
        others[item.rpartition("/")[0]] = other
        assert groups[other.parent.name] not in (groups[category], avoid.get(groups[category]))
    assert len(set(others.values())) > 80
    assert len({other.parent.name for other in others.values()}) == 23


def test_ms3_learns_what_is_heard_from_the_list_of_avss(tree, tmp_path):
    root, _ = tree
    # A man and a piano (human, music) against a dog (animal), which would not be chosen for the dog's own group.
    dataset = RobustMS3(root, conditions=["offscreen"])
    assert dataset.files("offscreen/-cTest0003_2/1")[2].stem == "dTest_0004_7"
    bare = tmp_path / "bare"
    bare.mkdir()
    make_ms3(bare)
    with pytest.raises(InputError, match=r"metadata=FILE, audios=FOLDER, or conditions without 'offscreen'"):
        RobustMS3(bare)
    assert len(RobustMS3(bare, conditions=["positive", "silence"])) == 20
    assert len(RobustMS3(bare, metadata=root / "avsbench_semantic/metadata.csv")) == 40


def test_folders_of_the_published_script_are_read(tree, tmp_path):
    root, _ = tree
    written = Tree(tmp_path)
    written.stairs("silent.wav", 5.0, base=60)
    for kind, base in (("audio_wav_misaligned", 30), ("audio_wav_noise", 40)):
        written.stairs(f"Single-source/s4_data/{kind}/test/helicopter/-dash_vid003.wav", 5.0, base=base)
    dataset = RobustS4(root, audios=tmp_path)
    for condition, base in (("silence", 60), ("offscreen", 30), ("noise", 40)):
        wave = dataset.load(f"{condition}/helicopter/-dash_vid003/3").sample.audio.waveform
        assert np.array_equal(np.unique(wave), [min((base + 3) * STEP, 32767 / 32768)])
    assert dataset.load("positive/male_speech/_underscore4/1").target.mask.any()
    with pytest.raises(AudioError, match=r"_underscore4\.wav"):
        dataset.load("noise/male_speech/_underscore4/1")


def test_one_video_alone_cannot_borrow_a_sound(tree):
    dataset = RobustS4(tree[0], split="val")
    with pytest.raises(InputError, match="no other video has an off-screen sound for playing_piano/vAl_vid-0002"):
        dataset.load("offscreen/playing_piano/vAl_vid-0002/1")
    assert not dataset.load("silence/playing_piano/vAl_vid-0002/1").target.mask.any()


def test_conditions_have_names(tree):
    with pytest.raises(UnknownName, match="offscreen"):
        RobustS4(tree[0], conditions=["off-screen"])
    with pytest.raises(InputError, match="no conditions"):
        RobustS4(tree[0], conditions=[])
    with pytest.raises(InputError, match="there is no item"):
        RobustS4(tree[0], conditions=["silence"]).load("noise/helicopter/-dash_vid003/1")


def test_every_category_has_a_group():
    groups, avoid = robust_groups("s4")
    assert set(groups) == set(s4_sources())
    assert set(avoid) | set(avoid.values()) <= set(groups.values())
    assert robust_groups("ms3")[0]["emergency-car"] == "device"
    assert robust_groups("ms3")[1]["device"] == "music"
