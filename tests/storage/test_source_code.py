"""Digests of code: of all that a component runs of its own, and of nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zsavs.storage.source_code import code_digests
from zsavs.strategies.fused import Fused


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a component in a module of its own, and a relative import in a function."""
    home = tmp_path / "mine_of_tests"
    (home / "deep").mkdir(parents=True)
    (home / "__init__.py").write_text("")
    (home / "deep" / "__init__.py").write_text("")
    (home / "part.py").write_text(
        "from __future__ import annotations\nimport numpy\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from mine_of_tests import unused\n\n\n"
        "class Part:\n    def run(self):\n        from .deep import below\n        return below\n"
    )
    (home / "deep" / "below.py").write_text("from ..beside import VALUE\n")
    (home / "beside.py").write_text("from zsavs.media.resize import shrink\nVALUE = 1\n")
    (home / "unused.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield home
    for name in [name for name in sys.modules if name.startswith("mine_of_tests")]:
        del sys.modules[name]


def test_all_that_is_imported_of_the_same_package_is_in_it(package: Path) -> None:
    from mine_of_tests.part import Part

    found = code_digests([Part()])
    assert {name for name in found if not name.startswith("zsavs")} == {
        "mine_of_tests.beside",
        "mine_of_tests.deep",
        "mine_of_tests.deep.below",
        "mine_of_tests.part",
    }, "not numpy, and not what only a type checker imports"
    assert "zsavs.media.resize" in found
    (package / "deep" / "below.py").write_text("from ..beside import VALUE  # another comment\n")
    changed = code_digests([Part])
    assert [name for name in found if found[name] != changed[name]] == ["mine_of_tests.deep.below"]


def test_a_strategy_of_zsavs_has_what_it_computes_with_and_not_what_draws() -> None:
    found = code_digests([Fused])
    assert {"zsavs.strategies.fused", "zsavs.calibration.scorers", "zsavs.types"} <= set(found)
    assert not any(name.startswith(("zsavs.draw", "zsavs.cli", "zsavs.strategies.caption")) for name in found)


def test_what_was_typed_in_is_known_by_what_it_does() -> None:
    """The same in every process, whatever order sets have there."""
    code = (
        "from zsavs.storage.source_code import code_digests\n"
        "class Mine:\n    def query(self, samples):\n        return [s in {'a', 'b', 'c'} for s in samples][:%d]\n"
        "print(code_digests([Mine()]))"
    )
    told = [in_a_process(code % most) for most in (1, 1, 2)]
    assert "__main__:Mine" in told[0]
    assert told[0] == told[1]
    assert told[0] != told[2]


def in_a_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [("LEAST = 1", "LEAST = 2"), ("x + 1", "x + 2"), ("most=3", "most=4"), ("KEEP = 5", "KEEP = 6"), ("'a'", "'b'")],
)
def test_what_typed_in_code_calls_by_name_is_part_of_it(old: str, new: str) -> None:
    """As the cells of a notebook call each other."""
    code = """
from zsavs.storage.source_code import code_digests
from zsavs.strategies.fused import Fused
LEAST = 1
OTHER = 7
def inner(x): return x + 1
def helper(x): return inner(x) > LEAST
class Mine(Fused):
    KEEP = 5
    def query(self, samples, most=3): return [helper(s) and 'a' for s in samples]
class Unused: pass
print(code_digests([Mine]))
"""
    before = in_a_process(code)
    assert "'zsavs.calibration.scorers'" in before, "what its base is made of"
    assert in_a_process(code) == before
    assert in_a_process(code.replace("OTHER = 7", "OTHER = 8")) == before
    changed = code.replace(old, new)
    assert changed != code
    assert in_a_process(changed) != before
