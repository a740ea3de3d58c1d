"""The pipeline: lazy, in order, in bounded memory, the same for one sample as for many, and honest about its parts."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import json
import tracemalloc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from results import same_bits

import zsavs
from zsavs import pipeline as module
from zsavs.errors import ContractError, InputError
from zsavs.pipeline import Pipeline
from zsavs.result import AVSResult
from zsavs.storage.memo import Memo
from zsavs.testing import example_samples, toy
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.selection import TrustGrounder

STRATEGIES = zsavs.list_components("strategy")


def build(strategy: Any = "fused", **settings: Any) -> Pipeline:
    return zsavs.build_pipeline(strategy, preset="toy", device="cpu", **settings)


# -------------------------------------------------------------------------- the right answer
@pytest.mark.parametrize("name", STRATEGIES)
def test_what_sounds_is_segmented_and_named(name: str) -> None:
    pipe = build(name)
    for sounding in (("red",), ("blue",), ("red", "green")):
        sample, target = toy.scene(("red", "blue", "green"), sounding)
        result = pipe(sample)
        assert (result.mask & target).sum() / (result.mask | target).sum() > 0.9
        assert sorted(phrase.split()[0] for phrase in result.phrases) == sorted(sounding)
        for phrase, mask in zip(result.phrases, result.masks, strict=True):
            colour = np.array(toy.COLOURS[phrase.split()[0]])
            assert np.abs(sample.image[mask].mean(axis=0) - colour).max() < 20, "each mask has its own label"


@pytest.mark.parametrize("name", STRATEGIES)
def test_silence_and_sources_out_of_view_give_an_empty_result(name: str) -> None:
    pipe = build(name)
    for sounding in ((), ("purple",)):
        sample, _ = toy.scene(("red", "blue"), sounding)
        result = pipe(sample)
        assert len(result) == 0
        assert result.masks.shape == (0, *sample.size_hw)
        assert not result.mask.any()
        assert result.score_map.max() < 0.5


def test_what_was_heard_is_reported_although_it_is_not_found() -> None:
    result = build("audio_to_text")(toy.scene(("red",), ("green",))[0])
    assert len(result) == 0
    assert result.queries.phrases == ("green",)


# --------------------------------------------------------------------------- one like many
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_batch_is_its_samples_one_by_one(name: str) -> None:
    pipe = build(name)
    samples = example_samples()
    together = pipe.batch(samples)
    alone = [pipe(sample) for sample in example_samples()]
    backwards = pipe.batch(example_samples()[::-1])[::-1]
    mapped = list(pipe.map(example_samples(), batch_size=2))
    one_by_one = list(pipe.map(example_samples(), batch_size=1))
    for answers in (alone, backwards, mapped, one_by_one):
        assert all(same_bits(one, other) for one, other in zip(together, answers, strict=True))


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_sample_twice_gives_the_same_bits(name: str) -> None:
    sample = example_samples()[3]
    assert same_bits(build(name)(sample), build(name)(example_samples()[3]))
    pipe = build(name)
    assert same_bits(pipe(sample), pipe(sample))


def test_the_same_file_twice_gives_the_same_bits(tmp_path: Any) -> None:
    from PIL import Image

    sample, _ = toy.scene(("red", "blue"), ("blue",))
    Image.fromarray(sample.image).save(tmp_path / "p.png")
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "s.wav", sample.audio.waveform.T, 16_000, subtype="FLOAT")
    pipe = build()
    first, second = (pipe(AVSample.from_files(tmp_path / "p.png", tmp_path / "s.wav")) for _ in range(2))
    assert same_bits(first, second)
    assert len(first) == 1


def test_no_samples() -> None:
    for name in STRATEGIES:
        assert build(name).batch([]) == []
    assert list(build().map([])) == []


# -------------------------------------------------------------------------------------- map
def test_map_is_lazy_and_in_order() -> None:
    drawn: list[int] = []

    def endless() -> Iterator[AVSample]:
        for number in itertools.count():
            drawn.append(number)
            sample = example_samples()[number % 5]
            yield dataclasses.replace(sample, name=str(number))

    results = build().map(endless(), batch_size=3)
    assert drawn == [], "nothing happens before the first result is asked for"
    names = [next(results).meta["sample"] for _ in range(4)]
    assert names == ["0", "1", "2", "3"]
    assert drawn == list(range(6)), "two batches of three, and not one sample more"


def test_map_holds_a_batch_or_two_and_no_more() -> None:
    alive: list[weakref.ref[AVSample]] = []
    most = 0

    def stream() -> Iterator[AVSample]:
        nonlocal most
        for number in range(24):
            sample = toy.scene(("red", "blue"), ("red",), size_hw=(20, 30), seed=number)[0]
            alive.append(weakref.ref(sample))
            gc.collect(0)
            most = max(most, sum(reference() is not None for reference in alive))
            yield sample
            del sample

    count = sum(1 for _ in build().map(stream(), batch_size=4))
    assert count == 24
    assert most <= 9, "two batches of four, and the one in the making"
    gc.collect()
    assert sum(reference() is not None for reference in alive) <= 4


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_none_is_refused(size: int) -> None:
    with pytest.raises(ContractError, match=f"batch_size must be at least 1, got {size}"):
        next(build().map(example_samples(), batch_size=size))
    with pytest.raises(ContractError, match=f"batch_size must be at least 1, got {size}"):
        zsavs.compare(example_samples(), ["fused"], preset="toy", batch_size=size)


class Fragile(toy.ToyGrounder):
    """A grounder that fails on one phrase."""

    def ground(self, samples: Any, queries: Any) -> Any:
        if any("blue" in query.phrases for query in queries):
            raise ZeroDivisionError("a defect")
        return super().ground(samples, queries)


def coloured(*heard: str) -> list[AVSample]:
    """Scenes with red and blue, in each of which one of them sounds."""
    scenes = [toy.scene(("red", "blue"), (colour,), seed=number)[0] for number, colour in enumerate(heard)]
    return [dataclasses.replace(scene, name=f"{number}.jpg") for number, scene in enumerate(scenes)]


def test_map_leaves_out_what_fails_and_names_it(caplog: pytest.LogCaptureFixture) -> None:
    pipe = dataclasses.replace(build(), grounder=Fragile())
    samples = coloured("red", "blue", "red", "red", "blue")
    with pytest.raises(ZeroDivisionError):
        list(pipe.map(samples, batch_size=3))
    results = list(pipe.map(samples, batch_size=3, on_error="skip"))
    assert [result.meta["sample"] for result in results] == ["0.jpg", "2.jpg", "3.jpg"]
    assert [result.phrases for result in results] == [("red",)] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"item {number} is left out: ZeroDivisionError: a defect" for number in (1, 4)
    ]
    failed: list[int] = []
    assert len(list(pipe.map(samples, on_error=lambda position, error: failed.append(position)))) == 3
    assert failed == [1, 4]
    with pytest.raises(InputError, match="on_error must be"):
        list(pipe.map(samples, on_error="ignore"))


@pytest.mark.parametrize("load_ahead", [False, True])
def test_map_reads_pairs_of_files_and_one_that_is_broken_costs_itself(
    tmp_path: Any, caplog: pytest.LogCaptureFixture, load_ahead: bool
) -> None:
    from PIL import Image

    soundfile = pytest.importorskip("soundfile")
    pairs = []
    for number, sample in enumerate(coloured("red", "blue", "red")):
        pairs.append((tmp_path / f"{number}.png", str(tmp_path / f"{number}.wav")))
        Image.fromarray(sample.image).save(pairs[-1][0])
        soundfile.write(pairs[-1][1], sample.audio.waveform.T, 16_000, subtype="FLOAT")
    assert [result.phrases for result in build().map(pairs)] == [("red",), ("blue",), ("red",)]
    pairs[1][0].write_bytes(b"no image")
    results = list(build().map(pairs, batch_size=2, load_ahead=load_ahead, on_error="skip"))
    assert [result.phrases for result in results] == [("red",), ("red",)]
    assert f"item 1 is left out: {pairs[1][0]}" in caplog.text


def test_an_error_of_the_iterable_itself_is_raised() -> None:
    """What comes after it would be lost without a word."""

    def stream() -> Iterator[AVSample]:
        yield from coloured("red")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(build().map(stream(), on_error="skip"))


# ------------------------------------------------------------------------ swapping a stage
def test_replacing_one_stage_keeps_the_others() -> None:
    pipe = build()
    verifier = TrustGrounder()
    other = dataclasses.replace(pipe, verifier=verifier)
    assert other.verifier is verifier
    for stage in ("strategy", "grounder", "segmenter", "meta"):
        assert getattr(other, stage) is getattr(pipe, stage), stage
    assert other(example_samples()[0]).phrases == ("red",)


def test_a_pipeline_is_frozen_and_a_key() -> None:
    pipe = build()
    with pytest.raises(dataclasses.FrozenInstanceError):
        pipe.strategy = None  # type: ignore[misc, assignment]
    assert len({pipe, dataclasses.replace(pipe), pipe}) == 2


@pytest.mark.parametrize(
    ("stage", "part", "says"),
    [
        ("strategy", toy.ToyGrounder(), r"strategy: expected an object with query\(\.\.\.\), got <zsavs\.testing\.toy"),
        ("grounder", toy.ToyGrounder, r"grounder: expected an object with ground\(\.\.\.\), got <class"),
        ("verifier", None, r"verifier: expected an object with verify"),
        ("segmenter", "sam2", r"segmenter: expected an object with segment\(\.\.\.\), got 'sam2'"),
    ],
)
def test_what_is_no_stage_is_refused_at_once(stage: str, part: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        dataclasses.replace(build(), **{stage: part})


# ------------------------------------------------------------------------ stages that misbehave
class Answers:
    """Stands for any stage and gives a fixed answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def query(self, *_: Any) -> Any:
        return self.answer

    ground = verify = segment = query


BOX = Proposals(np.array([[0, 0, 5, 5]]), np.ones(1), np.zeros(1, int))
TWO = Query(("red", "blue"), np.ones(2))


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ({"strategy": Answers([])}, "query: 0 answers for 1 samples"),
        ({"strategy": Answers([TWO, TWO])}, "query: 2 answers for 1 samples"),
        ({"grounder": Answers([])}, "ground: 0 answers for 1 samples"),
        ({"verifier": Answers([BOX, BOX])}, "verify: 2 answers for 1 samples"),
        ({"segmenter": Answers([])}, "segment: 0 answers for 1 samples"),
        ({"segmenter": Answers([np.zeros((3, 9, 9), np.float32)])}, r"expected \(1, h, w\) mask logits, got shape \(3"),
        ({"segmenter": Answers([np.zeros((1, 9, 9), np.bool_)])}, r"expected \(1, h, w\) mask logits, .* of bool"),
        ({"segmenter": Answers([np.full((1, 9, 9), np.nan, np.float32)])}, "mask logits must be finite"),
        (
            {"grounder": Answers([dataclasses.replace(BOX, sources=np.array([2]))])},
            "ground: a region answers row 2 of a query of 2 rows",
        ),
        (
            {"verifier": Answers([dataclasses.replace(BOX, sources=np.array([7]))])},
            "verify: a region answers row 7 of a query of 2 rows",
        ),
        ({"strategy": Answers([Query.nothing()])}, "ground: a region answers row 0 of a query of 0 rows"),
    ],
)
def test_a_stage_that_breaks_its_contract_is_named(stages: dict[str, Any], says: str) -> None:
    good = {
        "strategy": Answers([TWO]),
        "grounder": Answers([BOX]),
        "verifier": Answers([BOX]),
        "segmenter": Answers([np.ones((1, 9, 9), np.float32)]),
    }
    sample = example_samples()[0]
    assert len(Pipeline(**good)(sample)) == 1  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=says):
        Pipeline(**(good | stages))(sample)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["dog.jpg", None, np.zeros((4, 4, 3), np.uint8), ("dog.jpg", "bark.wav")])
def test_what_is_no_sample_is_refused(wrong: Any) -> None:
    with pytest.raises(
        InputError, match=r"expected a zsavs\.AVSample, got \w+; use AVSample\.from_files\(image, audio\)"
    ):
        build()(wrong)


# ---------------------------------------------------------------------------- meta and times
def test_a_result_says_where_it_is_from() -> None:
    result = build("cross_modal")(example_samples()[0])
    assert set(result.timings) == {"query", "ground", "verify", "segment"}
    assert all(seconds >= 0 for seconds in result.timings.values())
    meta = dict(result.meta)
    assert meta["strategy"] == "cross_modal"
    assert meta["preset"] == "toy"
    assert meta["zsavs"] == zsavs.__version__
    assert meta["sample"] == "toy scene 0"
    for role in ("audio_text", "captioner", "grounder", "segmenter"):
        assert meta["models"][role]["licence"] == "Apache-2.0"
        assert {"source", "revision", "trained_on"} <= set(meta["models"][role])
    json.dumps(meta)


def test_what_a_strategy_times_and_notes_by_itself_is_in_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken out of the query's time and shared among the batch; the notes are each sample's own."""
    ticks = iter(range(100))
    monkeypatch.setattr("zsavs.pipeline.time.perf_counter", lambda: float(10 * next(ticks)))
    queries = [Query.nothing(), dataclasses.replace(Query.nothing(), seconds={"climb": 3.0}, notes={"steps": 7})]
    pipe = dataclasses.replace(build(), strategy=Answers(queries))
    first, second = pipe.batch(example_samples()[:2])
    assert first.timings == second.timings == {"query": 3.5, "ground": 5, "verify": 5, "segment": 5, "climb": 1.5}
    assert second.meta["notes"] == {"steps": 7}
    assert "notes" not in first.meta


def test_the_time_of_a_batch_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=6.0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(ticks))
    for result in build().batch(example_samples()[:3]):
        assert result.timings == {"query": 2.0, "ground": 2.0, "verify": 2.0, "segment": 2.0}


def test_any_result_of_a_pipeline_survives_saving(tmp_path: Any) -> None:
    for number, result in enumerate(build("audio_to_text").map(example_samples())):
        back = AVSResult.load(result.save(tmp_path, f"r{number}")["json"])
        assert same_bits(result, back)
        assert back.timings == result.timings


def test_a_pipelines_score_map_fits_into_sixteen_bits() -> None:
    class Soft(toy.ToySegmenter):
        def segment(self, samples: Any, proposals: Any) -> Any:
            rng = np.random.default_rng(0)
            return [
                (maps + rng.normal(0, 9, maps.shape)).astype(np.float32) for maps in super().segment(samples, proposals)
            ]

    result = dataclasses.replace(build(), segmenter=Soft())(example_samples()[0])
    packed = json.loads(result.to_json())["score_map"]
    assert packed["dtype"] == "uint16"
    assert AVSResult.load(result.to_json()).score_map.tobytes() == result.score_map.tobytes()


def test_images_of_one_pixel() -> None:
    for size in ((1, 1), (1, 500), (500, 1)):
        sample = toy.scene((), ("red",), size_hw=size)[0]
        assert build()(sample).masks.shape == (0, *size)
        red = dataclasses.replace(sample, image=np.full((*size, 3), toy.COLOURS["red"], np.uint8))
        assert build("cross_modal")(red).mask.all()


# ---------------------------------------------------------------------------- huge images
class Watching(toy.ToySegmenter):
    """Notes the size at which it works."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        self.sizes += [sample.size_hw for sample in samples]
        return super().segment(samples, proposals)


def huge() -> AVSample:
    """A 6-megapixel image: grey, with a red square on the right and a blue one on the left."""
    image = np.full((2000, 3000, 3), 128, np.uint8)
    image[500:1500, 2000:2750] = toy.COLOURS["red"]
    image[250:750, 250:750] = toy.COLOURS["blue"]
    return AVSample(image, toy.tone("red", seconds=0.5), name="huge")


def test_a_huge_image_is_worked_on_small_and_answered_large(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = huge()
    height, width = module._working_size(sample).size_hw
    assert 0.9 < height * width / module.WORKING_PIXELS <= 1
    monkeypatch.setattr(module, "WORKING_PIXELS", 600 * 400)  # as the toy models are slow on large images
    monkeypatch.setattr(module, "_shrunk", Memo())
    before = sample.image.copy()
    segmenter = Watching()
    pipe = dataclasses.replace(build(), segmenter=segmenter)
    result = pipe(sample)
    ((height, width),) = set(segmenter.sizes)
    assert height * width <= module.WORKING_PIXELS
    assert width / height == pytest.approx(1.5, abs=0.01)
    assert result.masks.shape == (1, 2000, 3000)
    assert result.boxes_xyxy[0] == pytest.approx([2000, 500, 2750, 1500], abs=5)
    assert result.mask.sum() == pytest.approx(1000 * 750, rel=0.01)
    assert result.frame is not None
    assert result.frame.shape == sample.image.shape
    assert np.array_equal(sample.image, before)


def test_a_image_at_the_limit_is_not_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKING_PIXELS", 60 * 80)
    segmenter = Watching()
    pipe = dataclasses.replace(build(), segmenter=segmenter)
    sample = example_samples()[0]
    assert sample.size_hw == (60, 80)
    assert module._working_size(sample) is sample
    pipe(sample)
    pipe(dataclasses.replace(sample, image=np.zeros((60, 81, 3), np.uint8)))
    assert segmenter.sizes[0] == (60, 80)
    assert segmenter.sizes[1][0] * segmenter.sizes[1][1] <= 60 * 80


def test_two_pipelines_see_the_same_small_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what one strategy's models remember of it serves the next one."""
    monkeypatch.setattr(module, "WORKING_PIXELS", 1000)
    sample = example_samples()[0]
    first, second = module._working_size(sample), module._working_size(sample)
    assert first is second
    assert first.audio is sample.audio
    assert first.name == sample.name
    reference = weakref.ref(first)
    del first, second, sample
    gc.collect()
    assert reference() is None, "the small copy goes with the image"


def test_memory_does_not_grow_with_the_number_of_regions_times_the_image() -> None:
    """Twenty unselected regions on a large image: their maps are stretched one at a time."""
    from zsavs.composition import compose

    maps = np.full((20, 100, 100), -5, np.float32)
    regions = Proposals(
        np.tile([[0, 0, 1, 1]], (20, 1)), np.full(20, 0.5), np.zeros(20, int), selected=np.zeros(20, bool)
    )
    size = (1500, 1500)
    tracemalloc.start()
    compose(maps, regions, size)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 4 * size[0] * size[1], "a few maps, not twenty"
