"""AVSBench-semantic is read as it is distributed: both encodings of its masks, its dirt, its splits by class."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from fixtures_datasets import AVSS_CLASSES, STEP, colour, make_avss
from PIL import Image

from zsavs.datasets.avss import AVSS, AVSSV1M, AVSSV1S, AVSSV2, AVSSOpenVocabulary, AVSSUnseen
from zsavs.datasets.masks import crop_square, read_colours
from zsavs.errors import ImageError, InputError, UnknownName
from zsavs.language.label_sets import avss_classes, avss_palette, open_vocabulary_ids, s4_sources, v3_unseen
from zsavs.metrics.label_suites import AVSBENCH_OV_BASE

NATIVE = {"image_size": None, "target_size": None}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("avss")
    return root, make_avss(root)["items"]


def videos(items, *, split, parts=("v1s", "v1m", "v2")):
    return [item for item in items if item["split"] == split and item["part"] in parts]


@pytest.mark.parametrize("encoding", ["labels_rgb", "labels_semantic"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_label_is_read_as_it_was_written(tree, split, encoding):
    root, items = tree
    dataset = AVSS(root, split=split, encoding=encoding, **NATIVE)
    wanted = videos(items, split=split)
    assert list(dataset) == [f"{video['id']}/{i}" for video in wanted for i in range(video["frames"])]
    assert (len(dataset), dataset.group_count()) == (sum(v["frames"] for v in wanted), len(wanted))
    for video in wanted:
        for i, histogram in enumerate(video["histograms"]):
            sample, target = dataset.load(f"{video['id']}/{i}")
            assert list(sample.size_hw) == list(target.size_hw) == video["size"]
            assert {k: int((target.labels == k).sum()) for k in np.unique(target.labels)} == histogram
            assert target.mask.sum() == sum(n for k, n in histogram.items() if k)
            assert target.sources == tuple(video["sources"])
            assert (target.frame, target.video_id, target.group) == (i, video["uid"], video["id"])
            assert target.padding == (0 if video["part"] == "v2" else 1)
            steps = (sample.audio.waveform[0] / STEP).round().astype(int)
            assert set(steps.tolist()) == {video["base"] + i + 1}


@pytest.mark.parametrize(("reader", "part"), [(AVSSV1S, "v1s"), (AVSSV1M, "v1m"), (AVSSV2, "v2")])
def test_a_part_is_a_data_set_of_its_own(tree, reader, part):
    root, items = tree
    assert len(reader(root)) == sum(video["frames"] for video in videos(items, split="test", parts=(part,)))
    assert {item.split("/")[0] for item in reader(root)} == {part}


def test_image_and_labels_are_stretched_to_224_by_default(tree):
    root, _ = tree
    sample, target = AVSS(root).load("v2/two0Video_05_9000_19000/1")
    assert sample.size_hw == target.size_hw == (224, 224)
    folder = root / "avsbench_semantic/v2/two0Video_05_9000_19000"
    with Image.open(folder / "labels_semantic/1.png") as image:
        nearest = np.asarray(image.resize((224, 224), Image.Resampling.NEAREST))
    assert np.array_equal(target.labels, nearest)
    with Image.open(folder / "frames/1.jpg") as image:
        bilinear = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
    assert np.abs(sample.image.astype(int) - bilinear).max() <= 2  # decoders of JPEG may differ


def test_image_and_labels_may_have_sizes_of_their_own(tree):
    sample, target = AVSS(tree[0], image_size=None, target_size=96).load("v2/two0Video_05_9000_19000/1")
    assert (sample.size_hw, target.size_hw) == ((64, 36), (96, 96))


def test_train_keeps_proportions_and_cuts_the_middle_out(tree):
    root, _ = tree
    item = "v2/two0Video_08_0_10000/0"
    sample, target = AVSS(root, split="train").load(item)
    native = AVSS(root, split="train", **NATIVE).load(item)
    assert sample.size_hw == target.size_hw == (224, 224)
    height, width = native.target.size_hw  # 36 x 64: the stretched image is 224 x 398, from column 87 on
    x = np.clip(((np.arange(224) + 87 + 0.5) * width / 398).astype(int), 0, width - 1)
    y = ((np.arange(224) + 0.5) * height / 224).astype(int)
    assert (target.labels == native.target.labels[y][:, x]).mean() > 0.99
    with pytest.raises(InputError, match="cropped"):
        AVSS(root, split="train", target_size=None)


@pytest.mark.parametrize(("height", "width", "middle"), [(30, 90, 45), (90, 30, 15), (40, 40, 20)])
def test_a_crop_is_the_middle(height, width, middle):
    columns = np.broadcast_to(np.arange(width, dtype=np.uint8), (height, width))
    cut = crop_square(columns, 30, labels=True)
    assert cut.shape == (30, 30)
    assert abs(int(cut[15, 15]) - middle) <= 1
    scale = min(height, width) / 30
    assert abs(int(cut[0, -1]) - int(cut[0, 0]) - 29 * scale) <= 2


def test_the_train_split_of_v1s_has_one_mask(tree):
    assert list(AVSSV1S(tree[0], split="train", **NATIVE)) == ["v1s/tRain-vid_01_3000_8000/0"]


def test_an_unknown_colour_is_background(tree):
    root, _ = tree
    target = AVSSV1M(root, encoding="labels_rgb", **NATIVE).load("v1m/-cTest0003_2/2").target
    path = root / "avsbench_semantic/v1m/-cTest0003_2/labels_rgb/2.png"
    with Image.open(path) as image:
        assert image.getpixel((29, 49)) == (1, 2, 3)
    assert not target.labels[-2:, -2:].any()


@pytest.mark.parametrize(
    ("item", "sources"),
    [
        ("v2/two0Video_05_9000_19000/0", ("woman", "emergency-car", "horse")),  # written "h orse"
        ("v2/two0Video_06_0_10000/0", ()),  # "off-the-screen"
        ("v1m/-cTest0003_2/0", ("man", "piano")),
    ],
)
def test_dirt_in_the_column_of_classes_is_cleaned(tree, item, sources):
    assert AVSS(tree[0]).load(item).target.sources == sources


def test_the_word_background_is_no_source(tree):
    assert AVSSV1M(tree[0], split="train").load("v1m/aTrain_01_0/0").target.sources == ("man",)


def test_a_source_off_the_screen_has_an_empty_target(tree):
    dataset = AVSSV2(tree[0])
    targets = [dataset.load(item).target for item in dataset if "Video_06" in item]
    assert len(targets) == 10
    assert not any(target.mask.any() for target in targets)


def test_a_class_that_nobody_knows_is_reported(tmp_path, caplog):
    make_avss(tmp_path)
    table = tmp_path / "avsbench_semantic/metadata.csv"
    table.write_text(table.read_text().replace("man_piano", "man_kazoo"))
    assert AVSSV1M(tmp_path).load("v1m/-cTest0003_2/0").target.sources == ("man", "kazoo")
    assert "kazoo" in caplog.text


def test_the_order_of_classes_is_that_of_the_file(tmp_path, caplog):
    make_avss(tmp_path)
    path = tmp_path / "avsbench_semantic/label2idx.json"
    ids = json.loads(path.read_text())
    ids["dog"], ids["cat"] = ids["cat"], ids["dog"]
    path.write_text(json.dumps(ids))
    dataset = AVSS(tmp_path)
    assert dataset.classes[ids["dog"]] == "dog"
    assert dataset.classes.index("dog") == AVSS_CLASSES.index("cat")
    assert "not the published ones" in caplog.text


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"background": 0, "dog": 2}', '{"dog": 0, "background": 1}', '{"a": []}']
)
def test_a_wrong_file_of_classes_is_refused(tmp_path, content):
    make_avss(tmp_path)
    (tmp_path / "avsbench_semantic/label2idx.json").write_text(content)
    with pytest.raises(InputError, match="label2idx"):
        AVSS(tmp_path)


def test_a_missing_file_of_classes_is_not_guessed(tmp_path):
    make_avss(tmp_path)
    (tmp_path / "avsbench_semantic/label2idx.json").unlink()
    with pytest.raises(InputError, match=r"label2idx\.json: no such file"):
        AVSS(tmp_path)


@pytest.mark.parametrize(("there", "gone"), [("labels_rgb", "labels_semantic"), ("labels_semantic", "labels_rgb")])
def test_the_encoding_that_is_there_is_read(tmp_path, there, gone):
    make_avss(tmp_path)
    for folder in (tmp_path / "avsbench_semantic").glob(f"*/*/{gone}"):
        folder.rename(folder.with_name("gone"))
    dataset = AVSSV1M(tmp_path, **NATIVE)
    assert dataset.files("v1m/-cTest0003_2/0")[2].parent.name == there
    assert dataset.load("v1m/-cTest0003_2/0").target.labels.any()
    for folder in (tmp_path / "avsbench_semantic").glob(f"*/*/{there}"):
        folder.rename(folder.with_name("away"))
    with pytest.raises(InputError, match=r"expected labels_rgb or labels_semantic.*audio\.wav, away"):
        AVSSV1M(tmp_path)


def test_an_encoding_has_a_name(tree):
    with pytest.raises(UnknownName, match="labels_semantic"):
        AVSSV1M(tree[0], encoding="rgb")


def test_an_id_that_is_no_class_is_refused(tmp_path):
    make_avss(tmp_path)
    dataset = AVSSV1M(tmp_path, encoding="labels_semantic")
    Image.new("L", (30, 50), 71).save(dataset.files("v1m/-cTest0003_2/0")[2])
    with pytest.raises(ImageError, match="71 stands for no class"):
        dataset.load("v1m/-cTest0003_2/0")


def test_an_unknown_part_is_refused(tmp_path):
    make_avss(tmp_path)
    table = tmp_path / "avsbench_semantic/metadata.csv"
    table.write_text(table.read_text().replace(",v1m", ",v3x"))
    with pytest.raises(InputError, match="'v3x'; expected one of v1s, v1m, v2"):
        AVSS(tmp_path)


# ------------------------------------------------------------------------- lists and splits by class
def test_open_vocabulary_removes_labels_that_are_not_named(tree):
    root, _ = tree
    sitar, item = AVSS_CLASSES.index("sitar"), "v1m/-cTest0003_2/1"
    assert (AVSS(root, **NATIVE).load(item).target.labels == sitar).sum() > 0
    target = AVSSOpenVocabulary(root, **NATIVE).load(item).target
    assert not (target.labels == sitar).any()
    assert (target.labels == AVSS_CLASSES.index("man")).any()
    assert target.mask.sum() == (target.labels != 0).sum()


def test_open_vocabulary_takes_its_list_from_the_folder_of_the_release(tmp_path, caplog):
    make_avss(tmp_path)
    assert len(AVSSOpenVocabulary(tmp_path)) == 35
    assert "every test video" in caplog.text
    for uid in ("two0Video_06_0_10000", "two0Video_07_0_10000"):  # one of them is of the split "val"
        (tmp_path / "AVSBench-openvoc/test/JPEGImages" / uid).mkdir(parents=True)
    assert {item.split("/")[1] for item in AVSSOpenVocabulary(tmp_path)} == {
        "two0Video_06_0_10000",
        "two0Video_07_0_10000",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "two0Video_07_0_10000\n-dash_vid003_1000_6000\n"),
        ("meta.csv", "vid,uid,split\na,two0Video_07_0_10000,unseen\nb,-dash_vid003_1000_6000,unseen\n"),
    ],
)
def test_a_list_takes_the_place_of_the_split(tree, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    dataset = AVSS(tree[0], videos=tmp_path / name)
    assert (dataset.group_count(), len(dataset)) == (2, 15)


def test_a_list_of_videos_that_are_not_there_is_refused(tree, tmp_path):
    (tmp_path / "list.txt").write_text("two0Video_07_0_10000\nnobody_0_10000\n")
    with pytest.raises(InputError, match="1 videos of the list are not in it, first 'nobody_0_10000'"):
        AVSS(tree[0], videos=tmp_path / "list.txt")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(InputError, match="empty"):
        AVSS(tree[0], videos=tmp_path / "empty.txt")
    with pytest.raises(InputError, match="no list"):
        AVSS(tree[0], videos=tmp_path / "none.txt")


def test_unseen_videos_name_only_unseen_classes_whatever_their_split(tree):
    dataset = AVSSUnseen(tree[0])
    # "helicopter_man" is mixed, "helicopter" alone is of v1s, "off-the-screen" names nothing.
    assert {item.rpartition("/")[0] for item in dataset} == {"v2/two0Video_07_0_10000"}
    assert dataset.load("v2/two0Video_07_0_10000/0").target.size_hw == (36, 64)


def test_splits_by_class_are_the_published_ones():
    classes = avss_classes()
    base, novel = open_vocabulary_ids(classes)
    assert tuple(base) == tuple(AVSBENCH_OV_BASE)
    assert (len(base), len(novel)) == (40, 30)
    assert sorted(base + novel) == list(range(1, 71))
    assert len(v3_unseen()) == 14
    assert v3_unseen() <= set(classes)


def test_splits_by_class_follow_the_ids_at_hand():
    assert open_vocabulary_ids(["background", "violin", "dog"]) == ([2], [1])


def test_categories_of_s4_are_classes():
    assert len(s4_sources()) == 23
    assert set(s4_sources().values()) <= set(avss_classes())
    assert s4_sources()["typing_on_computer_keyboard"] == "keyboard"


def test_classes_and_palette_are_the_published_ones(tmp_path):
    assert list(avss_classes()) == AVSS_CLASSES
    assert [tuple(row) for row in avss_palette().tolist()] == [colour(k) for k in range(71)]
    golden = json.loads((Path(__file__).parents[1] / "golden" / "metrics_public.json").read_text())["palette"]
    assert avss_palette().tolist() == golden["palette"]
    labels = np.random.RandomState(golden["seed"]).randint(0, 71, (golden["h"], golden["w"]))
    colours = avss_palette()[labels]
    colours[:3, :5] = (1, 2, 3)
    Image.fromarray(colours).save(tmp_path / "labels.png")
    read = read_colours(tmp_path / "labels.png", avss_palette(), (golden["out"]["size"],) * 2)
    assert hashlib.sha1(read.astype(np.int64).tobytes()).hexdigest() == golden["out"]["label_sha1_int64"]
