"""Co-factorisation: the maths of its parts, tokens against the libraries, and what the strategy claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
import torch
from adapter_helpers import noise, noise_images
from numpy.typing import NDArray
from open_clip.timm_model import TimmModel

import zsavs
from zsavs import testing
from zsavs.algebra.assignment import assign, jensen_shannon
from zsavs.algebra.factorization import Factors, factorise, objective
from zsavs.algebra.joint_factorization import Side, descend
from zsavs.errors import ContractError, InputError, UnknownName
from zsavs.grounding.peaks import PeakRegions, peaks
from zsavs.models.open_clip_tokens import tower
from zsavs.strategies.cofactorization import Cofactorization
from zsavs.temporal.smoothing import Smoother
from zsavs.testing import toy
from zsavs.testing.tiny.encoders import tiny_clap, tiny_open_clip
from zsavs.testing.tiny.joint import tiny_imagebind
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.selection import select

COLOURS = tuple(toy.COLOURS)
AUDIO_TEXT, IMAGE_TEXT = toy.ToyAudioText(), toy.ToyImageText()


# --------------------------------------------------------------------------- factorisation
def planted(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tokens of three components with features of their own, each somewhere alone; and where each is active."""
    active = rng.uniform(0, 1, (30, 3)) * (rng.uniform(size=(30, 3)) < 0.6)
    active[:3] = np.eye(3)
    features = np.kron(np.eye(3), np.ones(5)) * rng.uniform(0.5, 1.5, 15)
    return active @ features, active


def test_no_step_makes_the_fit_worse(rng: np.random.Generator) -> None:
    tokens = rng.uniform(0, 1, (20, 12))
    misfits = [objective(tokens, factorise(tokens, 4, steps)) for steps in (0, 1, 2, 5, 20, 100)]
    assert all(after <= before + 1e-12 for before, after in pairwise(misfits))
    assert misfits[-1] < 0.9 * misfits[0]


def test_a_planted_factorisation_is_recovered(rng: np.random.Generator) -> None:
    tokens, active = planted(rng)
    found = factorise(tokens, 3, 500)
    assert objective(tokens, found) < 1e-3 * np.linalg.norm(tokens)
    alike = np.corrcoef(active.T, found.activations.T)[:3, 3:]
    best = max(permutations(range(3)), key=lambda order: alike[range(3), order].sum())
    assert alike[range(3), best].min() > 0.999
    assert np.linalg.norm(found.components, axis=1) == pytest.approx(1)


def test_the_same_tokens_have_the_same_factors_of_no_more_than_they_allow(rng: np.random.Generator) -> None:
    tokens = rng.uniform(0, 1, (5, 12))
    one, two = factorise(tokens, 8), factorise(tokens.copy(), 8)
    assert np.array_equal(one.activations, two.activations)
    assert one.activations.shape == (5, 5)
    nothing = factorise(np.zeros((4, 6)), 2)
    assert not nothing.activations.any()
    assert objective(tokens, Factors(np.zeros((5, 1)), np.zeros((1, 12)))) == pytest.approx(np.linalg.norm(tokens))


# -------------------------------------------------------------------------------- pairing
def test_the_divergence_of_the_same_is_0_and_of_strangers_1() -> None:
    p = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.25, 0.25, 0.5]])
    with np.errstate(divide="ignore"):
        apart = jensen_shannon(np.log(p), np.log(p))
    assert np.allclose(np.diag(apart), 0)
    assert apart[0, 1] == pytest.approx(1)
    # Half of a pair against its one half: H(.375, .375, .25) - (1 + 1.5) / 2 bits.
    assert apart[0, 2] == pytest.approx(-0.75 * np.log2(0.375) + 0.5 - 1.25)


def test_pairs_have_the_least_total_cost_and_not_each_its_own(rng: np.random.Generator) -> None:
    greedy_is_wrong = np.array([[0.0, 0.1], [0.2, 0.9]])
    assert assign(greedy_is_wrong) == [(0, 1), (1, 0)]
    for _ in range(100):
        rows, columns = rng.integers(1, 6, 2)
        costs = rng.normal(size=(rows, columns)).round(1)
        pairs = assign(costs)
        short = costs if rows <= columns else costs.T
        least = min(
            sum(short[range(len(short)), order]) for order in permutations(range(max(rows, columns)), len(short))
        )
        assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs) == min(rows, columns)
        assert sum(costs[pair] for pair in pairs) == pytest.approx(least)


# --------------------------------------------------------------------------------- tokens
@pytest.mark.parametrize("fusion", [False, True])
def test_clap_averages_its_tokens(fusion: bool) -> None:
    encoder = tiny_clap(fusion=fusion)
    clips = [noise(2.0), noise(0.7, 16_000, channels=2, seed=1), noise(5.0, seed=2)]
    grids = encoder.encode_audio_tokens(clips)
    whole = encoder.project_audio_tokens(np.stack([grid.mean(axis=(0, 1)) for grid in grids]))
    assert np.allclose(whole[:2], encoder.encode_audio(clips[:2]), atol=1e-5)
    frequencies, times, _ = grids[0].shape
    assert grids[2].shape[:2] == (frequencies, 3 * times), "three windows of 2 s, one after the other"
    with torch.inference_mode():
        inputs = encoder._inputs([*encoder._filled(clips[0])])
        library = encoder.model.audio_model(**inputs).last_hidden_state[0]
    assert np.allclose(grids[0], library.permute(1, 2, 0).numpy(), atol=1e-6)
    alone = encoder.encode_audio_tokens([noise(5.0, seed=2)])[0]
    assert np.allclose(grids[2], alone, atol=1e-5)
    assert encoder.encode_audio_tokens([]) == []


@pytest.mark.parametrize("name", ["test_convnext", "test_resnet"])
def test_what_a_convolutional_tower_pools(name: str) -> None:
    torch.manual_seed(0)
    visual = TimmModel(name, 16, 64, pool="avg", proj="linear").eval()
    cut = tower(visual)
    pixels = torch.randn(2, 3, *cut.side(1.0))
    with torch.inference_mode():
        grid = cut.tokens(pixels)
        assert torch.allclose(cut.project(grid.mean(dim=(1, 2))), visual(pixels), atol=1e-5)
        larger = cut.tokens(torch.randn(1, 3, *cut.side(2.0)))
    assert larger.shape[1:3] == (2 * grid.shape[1], 2 * grid.shape[2])


def test_a_transformers_tokens_are_its_patches_after_the_last_norm() -> None:
    encoder = tiny_open_clip()
    (image,) = noise_images((32, 32))
    (grid,) = encoder.encode_image_tokens([image], 2.0)
    visual = encoder.model.visual
    visual.output_tokens = True
    with torch.inference_mode():
        _, patches = visual(encoder.preprocess(_pil(image))[None])
        wanted = torch.nn.functional.normalize(patches[0] @ visual.proj, dim=1).numpy()
    visual.output_tokens = False
    assert grid.shape == (4, 4, 16), "positions are learned for one size, whatever the scale"
    assert np.allclose(encoder.project_image_tokens(grid.reshape(16, 16)), wanted, atol=1e-4)


def _pil(image: NDArray[np.uint8]) -> Any:
    from PIL import Image

    return Image.fromarray(image)


def test_the_grid_covers_the_whole_of_a_long_image() -> None:
    """A checkpoint that looks at the middle square would not see what lies at the ends."""
    encoder = tiny_open_clip()
    (image,) = noise_images((20, 200))
    other = image.copy()
    other[:, :20] = 0
    one, two = encoder.encode_image_tokens([image, other])
    assert np.abs(one - two)[:, 0].max() > 1e-3


@pytest.mark.parametrize("pool", ["map", "token"])
def test_a_timm_transformers_token_alone_gives_what_its_pool_makes_of_it(pool: str) -> None:
    """With one patch in all, and no mark before it, there is nothing else to attend to or to read."""
    torch.manual_seed(0)
    visual = TimmModel("test_vit", 64, 160, pool=pool, proj="none" if pool == "map" else "linear").eval()
    cut = tower(visual)
    pixels = torch.randn(2, 3, *cut.side(2.0))
    with torch.inference_mode():
        grid = cut.tokens(pixels)
        assert grid.shape == (2, 10, 10, 64), "positions are learned for one size, whatever the scale"
        features = visual.trunk.forward_features(pixels)
        alone = visual.head(visual.trunk.forward_head(features[:, 5:6]))
        assert torch.allclose(cut.project(grid.flatten(1, 2)[:, 5 - visual.trunk.num_prefix_tokens]), alone, atol=1e-5)


def test_a_tower_that_pools_in_no_known_way_has_no_tokens() -> None:
    with pytest.raises(InputError, match=r"does not average.*open_clip:ViT-B-32"):
        tower(TimmModel("resnet10t", 16, 64, pool="rot_attn", proj=""))
    with pytest.raises(InputError, match="scale is a number above 0"):
        tiny_open_clip().encode_image_tokens(noise_images((4, 4)), 0)


def test_an_encoder_without_tokens_is_named() -> None:
    joint = tiny_imagebind()
    with pytest.raises(ContractError, match=r"audio_text needs encode_audio_tokens\(...\), which ImageBind"):
        Cofactorization(joint, IMAGE_TEXT, COLOURS)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=r"image_text needs encode_image_tokens\(...\), which ImageBind"):
        Cofactorization(AUDIO_TEXT, joint, COLOURS)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------- peaks
def test_peaks_lie_between_cells_and_apart_from_each_other() -> None:
    grid = np.zeros((4, 6), np.float32)
    grid[1, 1], grid[1, 2], grid[3, 5] = 1.0, 0.5, 0.6
    xy, heights = peaks(grid, 0.5)
    assert heights == pytest.approx([1.0, 0.6])
    assert xy[0] == pytest.approx([1.5 + 0.5 / 1.5, 1.5])
    assert xy[1] == pytest.approx([5.5, 3.5])
    assert len(peaks(grid, 0.7)[1]) == 1
    assert len(peaks(np.zeros((2, 2), np.float32), 0.5)[1]) == 0
    assert len(peaks(np.ones((2, 2), np.float32), 0.5)[1]) == 1, "a plateau is one peak"


class Points(toy.ToySegmenter):
    """Masks of a tenth of the image's sides around each point; notes where it was asked."""

    def segment_points(
        self, samples: Sequence[AVSample], points: Sequence[NDArray[np.float32]], *, full_size: bool
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        answers = []
        for sample, places in zip(samples, points, strict=True):
            height, width = sample.size_hw
            down, right = np.mgrid[0:height, 0:width] + 0.5
            near = [(abs(down - y) < height / 10) & (abs(right - x) < width / 10) for x, y in places[:, 0]]
            logits = np.array([np.where(mask, 5.0, -5.0) for mask in near], np.float32).reshape(-1, height, width)
            answers.append((logits, np.full(len(places), 0.8, np.float32)))
        return answers


def test_each_row_is_grounded_where_its_own_map_is_high() -> None:
    heights = np.zeros((2, 3, 4), np.float32)
    heights[0, 0, 0], heights[1, 2, 3] = 1, 1
    query = Query(("dog", "cat"), np.ones(2, np.float32), maps=heights)
    sample = AVSample(np.zeros((60, 80, 3), np.uint8), toy.tone())
    (found,) = PeakRegions(Points()).ground([sample], [query])
    middles = {int(s): (b[:2] + b[2:]) / 2 for s, b in zip(found.sources, found.boxes_xyxy, strict=True)}
    assert middles[0] == pytest.approx([10, 10], abs=1)
    assert middles[1] == pytest.approx([70, 50], abs=1)
    assert found.scores == pytest.approx([0.8, 0.8])
    (only,) = PeakRegions(Points()).ground([sample], [query.rows([1])])
    assert np.allclose(only.boxes_xyxy[0], found.boxes_xyxy[found.sources == 1][0])
    with pytest.raises(ContractError, match="'dog' has no maps"):
        PeakRegions(Points()).ground([sample], [Query(("dog",), np.ones(1, np.float32))])
    with pytest.raises(ContractError, match="segment_points"):
        PeakRegions(toy.ToySegmenter())  # type: ignore[arg-type]


class Halves:
    """The left and the right half of an image, for every row, the right one surer."""

    def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
        boxes = np.array([[40, 0, 80, 60], [0, 0, 40, 60]], np.float32)
        return [
            Proposals(np.tile(boxes, (len(query), 1)), np.tile([0.9, 0.6], len(query)), np.arange(len(query)).repeat(2))
            for query in queries
        ]


def test_regions_of_another_grounder_are_taken_where_a_peak_lies_in_them() -> None:
    heights = np.zeros((2, 3, 4), np.float32)
    heights[0, 0, 0], heights[0, 2, 1], heights[1, 0, 3] = 1, 0.5, 1
    query = Query(("dog", "cat"), np.ones(2, np.float32), maps=heights)
    sample = AVSample(np.zeros((60, 80, 3), np.uint8), toy.tone())
    asked = Points()
    (found,) = PeakRegions(asked, Halves()).ground([sample], [query])
    assert found.sources.tolist() == [1, 0]
    np.testing.assert_array_equal(found.boxes_xyxy, [[40, 0, 80, 60], [0, 0, 40, 60]])
    assert found.scores == pytest.approx([0.9, 0.6]), "times the highest of the peaks within"
    testing.check_grounder(PeakRegions(tiny_sam2(), toy.ToySegments(), max_area=1.0))
    with pytest.raises(ContractError, match="ground"):
        PeakRegions(asked, toy.ToySegmenter())  # type: ignore[arg-type]


def test_a_peak_in_no_region_is_the_segmenters() -> None:
    class Left(Halves):
        def ground(self, samples: Sequence[AVSample], queries: Sequence[Query]) -> list[Proposals]:
            return [each.rows(np.flatnonzero(each.boxes_xyxy[:, 0] == 0)) for each in super().ground(samples, queries)]

    heights = np.zeros((1, 3, 4), np.float32)
    heights[0, 0, 0], heights[0, 2, 3] = 1, 0.5
    sample = AVSample(np.zeros((60, 80, 3), np.uint8), toy.tone())
    query = Query(("dog",), np.ones(1, np.float32), maps=heights)
    (found,) = PeakRegions(Points(), Left()).ground([sample], [query])
    assert found.scores == pytest.approx([0.6, 0.8 * 0.5])
    assert (found.boxes_xyxy[1, :2] + found.boxes_xyxy[1, 2:]) / 2 == pytest.approx([70, 50], abs=1)
    (nothing,) = PeakRegions(Points(), Left()).ground([sample], [Query.nothing()])
    assert not len(nothing)


def test_peaks_of_real_classes_keep_the_contract() -> None:
    testing.check_grounder(PeakRegions(tiny_sam2(), max_area=1.0))
    testing.check_grounder(toy.ToyPeaks())


def test_maps_stay_with_their_rows_and_are_no_evidence() -> None:
    maps = np.array([[[1.0, 0.0]], [[0.0, 1.0]]], np.float32)
    query = Query(("dog", "cat"), np.array([0.6, 0.9], np.float32), maps=maps)
    first = query.top(1)
    assert first.maps is not None
    assert np.array_equal(first.maps, maps[1:])
    with pytest.raises(ContractError, match=r"Query\.maps"):
        Query(("dog",), np.ones(1, np.float32), maps=maps)
    box = Proposals(np.array([[50, 0, 100, 50]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
    with_maps, without = (
        select(one, box, np.zeros(1, np.float32), (50, 100)) for one in (query, replace(query, maps=None))
    )
    assert with_maps.selected.all()
    assert np.array_equal(with_maps.scores, without.scores)


def test_a_row_of_other_frames_was_found_nowhere_in_this_one() -> None:
    maps = np.array([[[1.0, 0.0]]], np.float32)
    dog = Query(("dog",), np.ones(1, np.float32), maps=maps)
    cat = Query(("cat",), np.ones(1, np.float32), maps=maps[:, :, ::-1])
    smoothed = Smoother(0.9)(0, {0: dog, 1: cat, 2: cat})
    assert smoothed.phrases == ("cat",)
    assert smoothed.maps is not None
    assert not smoothed.maps.any()


# ------------------------------------------------------------------------------- strategy
def strategy(**settings: Any) -> Cofactorization:
    return Cofactorization(AUDIO_TEXT, IMAGE_TEXT, COLOURS, silent=(), **settings)


def heard(*sounding: str, visible: Sequence[str] = ("red", "blue", "green"), **settings: Any) -> Query:
    (query,) = strategy(**settings).query([toy.scene(visible, sounding)[0]])
    return query


def test_two_simultaneous_sources_are_two_pairs_each_with_its_own_place() -> None:
    """TACO keeps the best pair alone; then the second one would be missing."""
    pipe = zsavs.build_pipeline("cofactorization", preset="toy", device="cpu")
    sample, target = toy.scene(("red", "blue", "green"), ("red", "green"))
    (query,) = pipe.strategy.query([sample])
    assert sorted(query.phrases) == ["green", "red"]
    assert query.maps is not None
    assert query.maps.shape[0] == 2
    columns = {phrase: int(query.maps[row].max(axis=0).argmax()) for row, phrase in enumerate(query.phrases)}
    assert columns["red"] < 2 < 4 <= columns["green"], "red is drawn on the left and green on the right"
    result = pipe(sample)
    assert sorted(result.phrases) == ["green", "red"]
    assert np.array_equal(result.mask, target)


def test_components_are_paired_by_posterior_and_not_by_size_or_order() -> None:
    """The distinguishing claim: each side is factorised alone, and texts alone say which belong together."""
    for sounding in COLOURS[:3]:
        for visible in permutations(COLOURS[:3]):
            query = heard(sounding, visible=visible)
            assert query.phrases == (sounding,)
            assert query.maps is not None
            place = (query.maps[0].max(axis=0).argmax() + 0.5) / query.maps.shape[2]
            assert abs(place - (visible.index(sounding) + 0.5) / 3) < 0.17, (sounding, visible)


def test_what_is_only_heard_or_only_seen_is_no_pair() -> None:
    assert len(heard("purple")) == 0
    assert len(heard()) == 0
    assert len(heard("red", visible=())) == 0
    assert heard("red", "purple").phrases == ("red",)


def test_each_threshold_rejects() -> None:
    (z,) = np.log(heard("red").weights / (1 - heard("red").weights)) + 2.0
    assert heard("red", min_z=float(z) - 0.1).phrases == ("red",)
    assert len(heard("red", min_z=float(z) + 0.1)) == 0
    assert len(heard("red", min_seen=100.0)) == 0
    assert len(heard("red", min_agreement=1.0)) == 0
    assert len(heard("red", "green", min_share=0.45)) > len(heard("red", "green", min_share=0.6))


def test_the_whole_audio_has_its_share_of_the_score() -> None:
    def score(whole: float) -> float:
        evidence = heard("red", "green", whole=whole).evidence
        assert evidence is not None
        return float(evidence.z[evidence.phrases.index("red")])

    sample = toy.scene(("red", "blue", "green"), ("red", "green"))[0]
    clip = float(strategy().audio_scorer([sample.audio], ["red"])[0, 0])
    assert abs(score(0.0) - clip) > 0.1, "equal scores would show nothing"
    for whole in (0.25, 1.0):
        assert score(whole) == pytest.approx((1 - whole) * score(0.0) + whole * clip, rel=1e-4)


def test_a_silent_thing_takes_its_component_away() -> None:
    """A label that is only ever seen leaves nothing to agree on, however like a sounding one it looks."""
    sample = toy.scene(("red",), ("red",))[0]
    with_sound = Cofactorization(AUDIO_TEXT, IMAGE_TEXT, COLOURS[1:], silent=(), min_seen=-100.0, min_agreement=0.3)
    assert len(with_sound.query([sample])[0]) == 0
    silenced = Cofactorization(AUDIO_TEXT, IMAGE_TEXT, COLOURS, silent=("red",))
    assert silenced.labels == COLOURS, "what sounds is not silent as well"


@pytest.mark.parametrize("variant", ["closed_form", "gradient"])
def test_a_batch_equals_its_samples_one_by_one(variant: Any) -> None:
    testing.check_strategy(strategy(variant=variant, steps=20))


def test_settings_out_of_range() -> None:
    for wrong in (
        {"components": 0},
        {"steps": 0},
        {"emphasis": 0.0},
        {"min_agreement": 1.1},
        {"temperature": 0.0},
        {"whole": 2},
    ):
        with pytest.raises(InputError, match="cofactorization"):
            strategy(**wrong)
    with pytest.raises(UnknownName, match="did you mean 'gradient'"):
        strategy(variant="gradiant")


# --------------------------------------------------------------------------- gradient form
def sides(rng: np.random.Generator) -> tuple[Side, Side]:
    made = []
    for _ in range(2):
        tokens, active = planted(rng)
        own = rng.normal(size=(3, 8))
        embeddings = active @ own + 0.01
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        made.append(Side(tokens, embeddings, 5 * own / np.linalg.norm(own, axis=1, keepdims=True), np.zeros(3)))
    return made[0], made[1]


def posteriors(side: Side, active: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = (active / active.sum(axis=0)).T @ side.embeddings
    z = rows / np.linalg.norm(rows, axis=1, keepdims=True) @ side.text.T - side.usual
    p: NDArray[np.float64] = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def test_the_penalty_makes_the_posteriors_of_one_shared_index_agree(rng: np.random.Generator) -> None:
    sound, image = sides(rng)
    settings: dict[str, Any] = {"steps": 300, "seed": 0, "temperature": 1.0}
    agreement = {}
    for penalty in (0.0, 20.0):
        p, q = map(posteriors, (sound, image), descend(sound, image, 3, penalty=penalty, **settings))
        agreement[penalty] = float((p * np.log(q)).sum(axis=1).max())
    assert agreement[20.0] > agreement[0.0] + 0.05


def test_the_seed_decides_and_nothing_else(rng: np.random.Generator) -> None:
    sound, image = sides(rng)
    settings: dict[str, Any] = {"steps": 20, "penalty": 1.0, "temperature": 1.0}
    one, two, other = (descend(sound, image, 3, seed=seed, **settings)[0] for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.allclose(one, other)


def test_the_gradient_form_says_that_it_optimises(caplog: pytest.LogCaptureFixture) -> None:
    pipe = zsavs.build_pipeline("cofactorization", preset="toy", device="cpu", variant="gradient", steps=40, seed=3)
    with caplog.at_level("INFO", "zsavs"):
        result = pipe(toy.scene(("red", "blue"), ("red",))[0])
    assert result.meta["notes"]["test_time_optimisation"] == {"steps": 40, "seed": 3}
    assert result.timings["test_time_optimisation"] > 0
    assert "test-time optimisation, 40 steps" in caplog.text
    plain = zsavs.build_pipeline("cofactorization", preset="toy", device="cpu")
    assert "notes" not in plain(toy.scene(("red", "blue"), ("red",))[0]).meta


# -------------------------------------------------------------------------- the nano models
def test_nano_answers_the_same_in_a_batch_and_alone() -> None:
    from zsavs.datasets.orchestra import Orchestra

    scenes = Orchestra()
    samples = [scenes.load(item).sample for item in list(scenes)[:3]]
    pipe = zsavs.build_pipeline("cofactorization", preset="nano", device="cpu")
    together = pipe.strategy.query(samples)
    for sample, query in zip(samples, together, strict=True):
        fresh = replace(sample, image=sample.image.copy(), audio=zsavs.AudioClip(sample.audio.waveform.copy(), 32_000))
        assert fresh.audio.sample_rate_hz == sample.audio.sample_rate_hz
        (alone,) = pipe.strategy.query([fresh])
        assert alone.phrases == query.phrases
        assert np.allclose(alone.weights, query.weights, atol=1e-3)
