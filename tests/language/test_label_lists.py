"""Lists of labels in the forms that people keep them in: read for what they are, or refused with what was expected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zsavs.cli.main import main
from zsavs.errors import UnknownName, VocabularyError
from zsavs.language.vocabulary import load_vocabulary

WANTED = ("maracas", "church bell", "trumpet")
#: Name of a file, or "" for the text itself, and the text.
FORMS = {
    "lines": ("a.txt", "# instruments\nmaracas\n\nchurch bell\ntrumpet\n"),
    "bullets": ("a.txt", "- maracas\n- church bell\n- trumpet\n"),
    "stars": ("a.md", "* maracas\n  * church bell\n* trumpet"),
    "dots in front": ("a.txt", "• maracas\n• church bell\n• trumpet"),
    "boxes to tick": ("a.md", "- [ ] maracas\n- [x] church bell\n- [ ] trumpet"),
    "numbers": ("a.txt", "1. maracas\n2. church bell\n3. trumpet"),
    "numbers and brackets": ("a.txt", "1) maracas\n2) church bell\n3) trumpet"),
    "numbers and colons": ("a.txt", "0: maracas\n1: church bell\n2: trumpet"),
    "numbers and tabs": ("a.txt", "0\tmaracas\n1\tchurch bell\n2\ttrumpet"),
    "quoted lines": ("a.txt", '"maracas",\n"church bell",\n"trumpet"'),
    "one line with commas": ("a.txt", "maracas, church bell, trumpet"),
    "one line with commas and a dot": ("a.txt", "maracas,church bell,trumpet.\n"),
    "one line with dots": ("a.txt", "maracas. church bell. trumpet."),
    "one line as detectors are prompted": ("a.txt", "maracas . church bell . trumpet ."),
    "one line with semicolons": ("a.txt", "maracas; church bell; trumpet"),
    "one line with bars": ("a.txt", "maracas | church bell | trumpet"),
    "one line with tabs": ("a.txt", "maracas\tchurch bell\ttrumpet"),
    "a wrapped line": ("a.txt", "maracas, church bell,\ntrumpet\n"),
    "a JSON list": ("a.json", json.dumps(WANTED, indent=1)),
    "a JSON list as text": ("a.txt", json.dumps(WANTED)),
    "a Python list": ("a.txt", str(list(WANTED))),
    "names to numbers": ("a.json", '{"trumpet": 2, "maracas": 0, "church bell": 1}'),
    "numbers to names": ("a.json", '{"10": "trumpet", "0": "maracas", "9": "church bell"}'),
    "a JSON object": ("a.json", json.dumps({"version": 3, "labels": WANTED})),
    "COCO's categories": ("a.json", json.dumps({"categories": [{"id": i, "name": n} for i, n in enumerate(WANTED)]})),
    "JSON lines": ("a.jsonl", "\n".join(json.dumps({"label": name}) for name in WANTED)),
    "a CSV": ("a.csv", "label\nmaracas\nchurch bell\ntrumpet\n"),
    "a CSV without a header": ("a.csv", "maracas\nchurch bell\ntrumpet\n"),
    "a CSV of one row": ("a.csv", "maracas,church bell,trumpet\n"),
    "a CSV with columns": ("a.csv", "Index,Name\n0,maracas\n1,church bell\n2,trumpet\n"),
    "AudioSet's CSV": ("a.csv", 'index,mid,display_name\n0,/m/1,maracas\n1,/m/2,"church bell"\n2,/m/3,trumpet\n'),
    "a table as text": ("a.txt", "id;class\n0;maracas\n1;church bell\n2;trumpet"),
    "a TSV": ("a.tsv", "id\tlabel\n0\tmaracas\n1\tchurch bell\n2\ttrumpet\n"),
    "inline": ("", "maracas, church bell, trumpet"),
    "inline with quotes": ("", "'maracas', 'church bell', 'trumpet'"),
    "inline with dots": ("", "maracas . church bell . trumpet"),
    "inline JSON": ("", json.dumps(WANTED)),
    "inline lines": ("", "maracas\nchurch bell\ntrumpet"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_for_what_it_is(form: str, tmp_path: Path) -> None:
    name, text = FORMS[form]
    if name:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_vocabulary(str(tmp_path / name) if name else text) == WANTED


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Child speech, kid speaking\nDog", ("Child speech, kid speaking", "Dog")),
        (
            "Child speech, kid speaking\nMale speech, man speaking",
            ("Child speech, kid speaking", "Male speech, man speaking"),
        ),
        ("St. Bernard\npoodle", ("St. Bernard", "poodle")),
        ("3D printer\n8-bit music", ("3D printer", "8-bit music")),
        ("rock 'n' roll", ("rock 'n' roll",)),
        ("dog", ("dog",)),
        ("dog.", ("dog.",)),
        ("x-ray machine\n-", ("x-ray machine", "-")),
    ],
)
def test_a_label_stays_whole(text: str, labels: tuple[str, ...], tmp_path: Path) -> None:
    """Commas, dots, quotes and digits belong to labels where each has a line."""
    (tmp_path / "labels.txt").write_text(text)
    assert load_vocabulary(tmp_path / "labels.txt") == labels


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "0,/m/1,dog\n1,/m/2,cat\n", "expected a column named label, labels, display_name, name or the like"),
        ("a.txt", "0,/m/1,dog\n1,/m/2,cat\n", "looks like a table without a header"),
        ("a.txt", "1. dog\nand\n2. cat\n", "some lines have a number in front, and 'and' has none"),
        ("a.txt", "St. Bernard", "cannot tell whether the dots in 'St. Bernard' end labels or words"),
        ("a.json", '{"a": {"b": 1}}', "no list of labels in this JSON"),
        ("a.json", "[1, 2]", "no list of labels in this JSON"),
        ("a.json", "dog\ncat", "is no JSON ("),
        ("a.txt", '["dog", "cat"', "is no JSON ("),
    ],
)
def test_what_is_no_such_form_is_refused_with_what_was_expected(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(VocabularyError) as refused:
        load_vocabulary(tmp_path / name)
    told = str(refused.value)
    assert said in told
    assert told.startswith(f"{tmp_path / name}: ")
    assert "\n" not in told


def test_a_file_comes_before_labels_and_the_name_of_one_is_no_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dog, cat").write_text("horse")
    assert load_vocabulary("dog, cat") == ("horse",)
    with pytest.raises(VocabularyError, match="no such file"):
        load_vocabulary("dogs, cats.txt")
    with pytest.raises(UnknownName, match='or labels: "dog, cat"'):
        load_vocabulary("trumpet")


def test_segment_hears_with_labels_that_are_typed_in(
    tmp_path: Path, pair: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["segment", *pair, "--preset", "toy", "--strategy", "audio_to_text", "--out", str(tmp_path / "out"), "--json"]
    assert main([*run, "--vocabulary", "red, blue"]) == 0
    assert [row["phrase"] for row in json.loads(capsys.readouterr().out)["heard"]] == ["blue"]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """A toy scene as files: red and blue are visible, blue hums."""
    import soundfile
    from PIL import Image

    from zsavs.testing import toy

    sample, _ = toy.scene(("red", "blue"), ("blue",))
    Image.fromarray(sample.image).save(tmp_path / "scene.png")
    soundfile.write(tmp_path / "scene.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return str(tmp_path / "scene.png"), str(tmp_path / "scene.wav")
