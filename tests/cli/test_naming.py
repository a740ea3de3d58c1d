"""Names of what is written: after image and audio, and never those of another pair's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from zsavs.cli.main import main
from zsavs.cli.naming import free_stem, named_after
from zsavs.result import AVSResult
from zsavs.testing import toy

RUN = ["--preset", "toy", "--strategy", "fused"]


def write_pair(folder: Path, image: str, audio: str, heard: str) -> list[str]:
    """A toy scene of red and blue, of which one is heard."""
    folder.mkdir(exist_ok=True)
    sample, _ = toy.scene(("red", "blue"), (heard,))
    Image.fromarray(sample.image).save(folder / image)
    soundfile.write(folder / audio, sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return [str(folder / image), str(folder / audio)]


def found(path: Path) -> tuple[str, ...]:
    return AVSResult.load(path).phrases


def test_an_image_with_two_sounds_has_two_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before, the second replaced the first."""
    out = tmp_path / "out"
    for audio, heard in (("bark.wav", "red"), ("meow.wav", "blue")):
        pair = write_pair(tmp_path, "dog.png", audio, heard)
        assert main(["segment", *pair, *RUN, "--out", str(out), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [told["image"], told["audio"]] == pair
    assert found(out / "dog_bark.json") == ("red",)
    assert found(out / "dog_meow.json") == ("blue",)
    meta = json.loads((out / "dog_bark.json").read_text())["meta"]
    assert [meta["image"], meta["audio"]] == [str(tmp_path / "dog.png"), str(tmp_path / "bark.wav")]


def test_another_pair_of_the_same_names_stays_and_the_same_pair_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = write_pair(tmp_path / "a", "dog.png", "dog.wav", "red")
    second = write_pair(tmp_path / "b", "dog.png", "dog.wav", "blue")
    for pair in (first, second, first, second):
        assert main(["segment", *pair, *RUN, "--out", str(out)]) == 0
    monkeypatch.chdir(tmp_path / "b")
    assert main(["segment", "dog.png", "dog.wav", *RUN, "--out", str(out)]) == 0, "the second pair by another name"
    assert found(out / "dog.json") == ("red",)
    assert found(out / "dog-2.json") == ("blue",)
    assert sorted(path.name for path in out.glob("*.json")) == ["dog-2.json", "dog.json"]


def test_pairs_of_one_call_and_their_pages_have_names_of_their_own(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = write_pair(tmp_path / "a", "dog.png", "dog.wav", "red")
    second = write_pair(tmp_path / "b", "dog.png", "dog.wav", "blue")
    both = [*RUN, "--strategy", "cross_modal", "--out", str(out)]
    assert main(["compare", *first, *second, *both]) == 0
    assert [found(out / f"{stem}_fused.json") for stem in ("dog", "dog-2")] == [("red",), ("blue",)]
    rows = json.loads((out / "compare.json").read_text())
    assert [[row["image"], row["audio"]] for row in rows] == [first, second]
    page = (out / "compare.png").read_bytes()
    assert main(["compare", *second, *first, *both]) == 0
    assert (out / "compare.png").read_bytes() == page
    assert (out / "compare-2.png").exists()
    assert found(out / "dog_fused.json") == ("red",)
    assert main(["compare", *first, *both]) == 0
    page = (out / "dog_compare.png").read_bytes()
    other = write_pair(tmp_path / "c", "dog.png", "dog.wav", "blue")
    caption = ["--preset", "toy", "--strategy", "caption", "--strategy", "classify", "--out", str(out)]
    assert main(["compare", *other, *caption]) == 0
    assert (out / "dog_compare.png").read_bytes() == page
    assert (out / "dog-2_compare.png").exists()


def test_a_video_with_other_audio_does_not_replace_the_answer_to_its_own(tmp_path: Path) -> None:
    pytest.importorskip("av")
    import toy_video

    out, clip = tmp_path / "out", toy_video.write(tmp_path / "clip.mp4")
    audio = write_pair(tmp_path, "dog.png", "other.wav", "red")[1]
    for given in ([], [audio], []):
        assert main(["segment", str(clip), *given, *RUN, "--fps", "2", "--end", "3", "--out", str(out)]) == 0
    metas = {path.stem: json.loads(path.read_text())["meta"] for path in out.glob("*.json")}
    assert {stem: meta.get("audio") for stem, meta in metas.items()} == {"clip": None, "clip-2": audio}
    assert {meta["video"] for meta in metas.values()} == {str(clip)}


def test_a_file_that_is_no_answer_of_ours_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "dog.json").write_text('{"mine": true}')
    pair = write_pair(tmp_path, "dog.png", "dog.wav", "red")
    assert main(["segment", *pair, *RUN, "--out", str(out)]) == 0
    assert (out / "dog.json").read_text() == '{"mine": true}'
    assert found(out / "dog-2.json") == ("red",)


@pytest.mark.parametrize(
    ("image", "audio", "stem"),
    [
        ("a/dog.jpg", "b/dog.wav", "dog"),
        ("Dog.jpg", "dog.wav", "Dog"),
        ("dog.jpg", "bark.wav", "dog_bark"),
        ("x" * 200 + ".jpg", "y" * 200 + ".wav", "x" * 80 + "_" + "y" * 80),
    ],
)
def test_names_are_of_both_files(image: str, audio: str, stem: str) -> None:
    assert named_after(image, audio) == stem


def test_a_name_that_is_given_and_not_written_yet_is_taken(tmp_path: Path) -> None:
    taken: set[str] = set()
    stems = [free_stem(tmp_path, "dog", {"image": str(n)}, taken, ["_a", "_b"]) for n in range(3)]
    assert stems == ["dog", "dog-2", "dog-3"]
    assert "dog-2_b" in taken
