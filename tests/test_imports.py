"""The shape of the package: light to import, one direction, no global state, nothing hidden."""

from __future__ import annotations

import ast
import functools
import graphlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator

import pytest

import zsavs
from tools.layers import FIGURE, MODULES, ROOT, draw, imports, tree, wing


def for_each(modules: Iterable[str]) -> Callable[[Callable[[str], None]], Callable[[], None]]:
    """Make one test of a rule for modules, which shows all that break it; a test for each would be a thousand more."""

    def decorate(rule: Callable[[str], None]) -> Callable[[], None]:
        def test() -> None:
            broken = []
            for module in modules:
                try:
                    rule(module)
                except AssertionError as error:
                    error.add_note(f"in {module}")
                    broken.append(error)
            if broken:
                raise ExceptionGroup(rule.__name__, broken)

        return test

    return decorate


@functools.cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    """Every node of a module's tree."""
    return tuple(ast.walk(tree(module)))


# --------------------------------------------------------------------------------- weight
def in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = ("torch", "torchvision", "torchaudio", "transformers", "open_clip", "soundfile", "soxr", "PIL", "scipy")
LIST = f"import json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"


def test_importing_zsavs_loads_nothing_heavy() -> None:
    assert json.loads(in_a_new_process(f"import zsavs; {LIST}")) == []
    assert in_a_new_process("import zsavs, sys; print('numpy' in sys.modules)").strip() == "False"


def test_the_nouns_and_building_load_no_torch() -> None:
    code = "import zsavs; [getattr(zsavs, name) for name in zsavs.__all__]; zsavs.list_components('strategy');"
    assert json.loads(in_a_new_process(f"{code} {LIST}")) == []


def test_nothing_is_printed_and_no_setting_touched_by_an_import() -> None:
    code = """
import logging, os, random, warnings
import numpy  # has filters of its own
before = (logging.root.handlers[:], dict(os.environ), random.getstate(), warnings.filters[:])
import zsavs
[getattr(zsavs, name) for name in zsavs.__all__]
assert before == (logging.root.handlers[:], dict(os.environ), random.getstate(), warnings.filters[:])
"""
    assert in_a_new_process(code) == ""


def test_importing_zsavs_is_quick() -> None:
    """At least one of several runs, as the machine may be busy."""
    code = "import time; start = time.perf_counter(); import zsavs; print(time.perf_counter() - start)"
    assert any(float(in_a_new_process(code)) < 0.3 for _ in range(5))


def test_names_are_resolved_when_they_are_used() -> None:
    assert set(zsavs.__all__) <= set(dir(zsavs))
    for name in zsavs.__all__:
        assert getattr(zsavs, name) is getattr(zsavs, name)
    with pytest.raises(AttributeError, match="module 'zsavs' has no attribute 'Pipelines'"):
        zsavs.Pipelines  # noqa: B018
    with pytest.raises(ImportError):
        exec("from zsavs import nothing_of_the_kind", {})


# ------------------------------------------------------------------------------- direction
#: What may lie loose in the package; everything else has a wing.
LOOSE = {"__init__", "__main__", "version", "errors", "types", "protocols", "result", "pipeline", "presets", "registry"}
LOOSE |= {"composition", "considered"}
#: From the bottom to the top: each wing, and each loose module, with all that it may import. `errors` and `version` are
#: open to everybody. A row names only rows above it, so there is no circle.
MAY_IMPORT: dict[str, set[str]] = {
    "version": set(),
    "errors": set(),
    "storage": set(),
    "media": set(),
    "types": {"media"},
    "protocols": {"types"},
    "algebra": {"protocols"},
    "language": {"algebra", "media", "protocols", "storage"},
    "metrics": set(),
    "draw": {"media"},
    "datasets": {"language", "media", "storage", "types"},
    "formats": {"draw", "storage"},
    "result": {"draw", "formats", "language", "media", "storage", "types"},
    "tracking": {"algebra", "language", "protocols", "storage", "types"},
    "models": {"language", "media", "protocols", "storage", "tracking", "types"},
    "calibration": {"algebra", "language", "media", "protocols", "storage", "types"},
    "translation": {"algebra", "calibration", "language", "media", "models", "protocols", "storage", "types"},
    "decomposition": {"algebra", "calibration", "language", "media", "protocols", "storage", "types"},
    "strategies": {"algebra", "calibration", "decomposition", "language", "media", "protocols", "translation", "types"},
    "report": {"draw", "storage"},
    "temporal": {
        "calibration",
        "draw",
        "formats",
        "media",
        "protocols",
        "report",
        "result",
        "storage",
        "tracking",
        "types",
    },
    "grounding": {"models", "protocols", "storage", "types"},
    "verification": {"algebra", "calibration", "language", "media", "protocols", "storage", "types"},
    "segmentation": {"media", "models", "protocols", "storage", "types"},
    "composition": {"media", "types"},
    "considered": {"composition", "result", "types", "verification"},
    "pipeline": {"considered", "media", "models", "protocols", "result", "storage", "temporal", "types"},
    "presets": set(),
    "registry": {"language", "presets"},
    "build": {
        "calibration",
        "decomposition",
        "draw",
        "language",
        "media",
        "models",
        "pipeline",
        "presets",
        "registry",
        "result",
    }
    | {"storage", "temporal", "types"},
    "evaluation": {"build", "datasets", "language", "media", "metrics", "models", "pipeline", "report", "result"}
    | {"storage", "temporal", "types"},
    "labelling": {"build", "media", "models", "pipeline", "presets", "result", "storage", "temporal", "types"},
    "testing": {"media", "models", "protocols", "storage", "types"},
    "webapp": {"build", "composition", "considered", "datasets", "draw", "formats", "media", "pipeline", "presets"}
    | {"registry", "report", "result", "storage", "temporal", "types"},
    "cli": {
        "build",
        "calibration",
        "datasets",
        "draw",
        "evaluation",
        "formats",
        "labelling",
        "language",
        "media",
        "metrics",
        "models",
    }
    | {"presets", "registry", "report", "result", "storage", "temporal", "testing", "types", "webapp"},
    "__main__": {"cli"},
}
#: What every model may import from its neighbours, beside files that carry its own name in front; other wings, only
#: this.
_SHARED = ("adapter", "audio_windows", "batching", "checkpoints", "detection", "device_copies", "file_adapter")
_SHARED += (
    "edgetam_files",
    "file_runtimes",
    "inputs",
    "label_space",
    "mask_logits",
    "model_time",
    "native.clap",
    "native.families",
    "native.grounding_dino",
    "native.sam2",
    "outputs",
    "prompted_detection",
    "pe_text",
    "prompted_masks",
    "prompts",
    "pseudo_words",
    "runtime",
    "sam2_files",
    "sam3_files",
    "sam3_vision",
    "text_memo",
    "torch_compile",
    "video_memory",
    "weight_file",
)
SHARED_BY_MODELS = {f"zsavs.models.{name}" for name in _SHARED}


def is_within(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def test_nothing_lies_loose_that_has_a_wing() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} == LOOSE


def test_every_wing_has_a_row_and_every_row_a_wing() -> None:
    assert {wing(module) for module in MODULES} - {"zsavs"} == set(MAY_IMPORT)


def test_the_table_has_no_circle_and_nothing_that_is_not_needed() -> None:
    above: set[str] = set()
    for name, allowed in MAY_IMPORT.items():
        assert allowed <= above, f"{name} may import {sorted(allowed - above)}, which come after it"
        above.add(name)
        used = {wing(i.imported) for module in MODULES if wing(module) == name for i in imports(module)}
        assert allowed <= used, f"{name} needs no {sorted(allowed - used)}"


@for_each(MODULES)
def test_no_module_imports_what_its_wing_may_not(module: str) -> None:
    home = wing(module)
    for _, imported in imports(module):
        other = wing(imported)
        if home == "zsavs":
            assert other == "version", "the package resolves its names when they are used"
        else:
            assert other in {home, "errors", "version"} | MAY_IMPORT[home], f"{module} imports {imported}"


def test_the_figure_of_the_layers_is_what_the_code_is() -> None:
    assert FIGURE.read_text(encoding="utf-8") == draw(), "run: python tools/layers.py"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: {i.imported for i in imports(module)} - {module} for module in MODULES}
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_folders_hold_a_map_of_themselves() -> None:
    """The docstring of a wing names each of its files, so that ``help(zsavs.WING)`` shows what is where."""
    for module, path in MODULES.items():
        if path.name == "__init__.py" and module.count(".") == 1:
            inside = {other.split(".")[2] for other in MODULES if other.startswith(f"{module}.")}
            told = ast.get_docstring(tree(module)) or ""
            lacking = [name for name in sorted(inside) if f"{module}.{name}`" not in told]
            assert not lacking, f"{module} does not say what {lacking} are"


@for_each([name for name in MODULES if name.startswith("zsavs.models.")])
def test_no_model_imports_another(module: str) -> None:
    family = module.removeprefix("zsavs.models.").split(".")[0].removesuffix("_files")
    for _, imported in imports(module):
        if imported.startswith("zsavs.models."):
            own = imported.removeprefix("zsavs.models.").startswith(family)
            assert own or imported in SHARED_BY_MODELS, f"{module} imports {imported}"


@for_each([name for name in MODULES if name.startswith("zsavs.strategies.")])
def test_no_strategy_imports_another_or_a_model(module: str) -> None:
    for _, imported in imports(module):
        assert not is_within(imported, "zsavs.strategies")
        assert not is_within(imported, "zsavs.models"), "a strategy is handed its models"


def test_nothing_but_the_command_line_knows_a_model_by_name() -> None:
    """Presets and the registry name models, as data; stages see verbs only. Translators may ask models."""
    for module in MODULES:
        if wing(module) not in ("models", "testing", "cli", "translation"):
            for _, imported in imports(module):
                named = is_within(imported, "zsavs.models") and imported not in SHARED_BY_MODELS
                assert not named, f"{module} imports {imported}"


# ---------------------------------------------------------------------------------- habits
def calls(module: str) -> Iterator[tuple[str, ast.Call]]:
    for node in nodes(module):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), None)


FORBIDDEN = {
    "exec": "runs code",
    "eval": "runs code",
    "pickle.load": "runs code",
    "pickle.loads": "runs code",
    "torch.hub.load": "runs code of others",
    "np.random.seed": "global state",
    "random.seed": "global state",
    "torch.manual_seed": "global state",
    "torch.cuda.manual_seed_all": "global state",
    "torch.set_num_threads": "global state",
    "torch.set_default_dtype": "global state",
    "torch.set_default_device": "global state",
    "torch.set_grad_enabled": "global state",
    "torch.set_float32_matmul_precision": "global state",
    "torch.use_deterministic_algorithms": "global state",
    "warnings.filterwarnings": "global state",
    "warnings.simplefilter": "global state",
    "os.chdir": "global state",
    "np.random.rand": "unseeded",
    "np.random.randn": "unseeded",
}


@for_each(MODULES)
def test_no_call_that_has_no_place_here(module: str) -> None:
    for name, call in calls(module):
        where = f"{module}, line {call.lineno}: {name}"
        assert name not in FORBIDDEN, f"{where}: {FORBIDDEN.get(name)}"
        assert not name.endswith(".cuda"), f"{where}: use .to(device)"
        assert name != "print" or wing(module) == "cli", f"{where}: only the command line prints"
        if name == "torch.load":
            assert keyword(call, "weights_only") == "True", f"{where} without weights_only=True"
        if name.split(".")[-1] in ("load", "read_array") and name.startswith("np."):
            assert keyword(call, "allow_pickle") == "False", f"{where} without allow_pickle=False"
        assert keyword(call, "trust_remote_code") in (None, "False"), where
        if name == "np.random.default_rng":
            assert call.args, f"{where} without a seed"
        if name == "logging.basicConfig":
            assert wing(module) == "cli", f"{where}: handlers are the application's"


@for_each(MODULES)
def test_no_import_that_has_no_place_here(module: str) -> None:
    for node in nodes(module):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            top = name.split(".")[0]
            # Quoting an address opens none; zsavs.storage.single_file is the one place that fetches, for
            # `zsavs download` alone, and the endpoint asks the server that the user named.
            asking = module in ("zsavs.storage.single_file", "zsavs.translation.endpoint")
            harmless = name == "urllib.parse" or (asking and top in ("urllib", "http"))
            assert harmless or top not in ("pickle", "requests", "urllib", "http", "socket", "httpx", "ftplib"), module
            if top == "argparse":
                assert wing(module) == "cli"


@for_each(MODULES)
def test_no_environment_and_no_backend_is_set(module: str) -> None:
    for node in nodes(module):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            for target in map(ast.unparse, targets):
                assert not target.startswith(("os.environ", "torch.backends", "sys.path")), (module, target)


@for_each(MODULES)
def test_no_bare_except(module: str) -> None:
    for node in nodes(module):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{module}, line {node.lineno}"
            assert ast.unparse(node.type) != "BaseException" or module == "zsavs.cli.main"
            body = [statement for statement in node.body if not isinstance(statement, ast.Pass)]
            broad = ast.unparse(node.type) == "Exception"
            assert body or not broad, f"{module}, line {node.lineno}: an error is swallowed"


@for_each(MODULES)
def test_every_public_thing_is_documented(module: str) -> None:
    assert ast.get_docstring(tree(module)) or module in ("zsavs.version", "zsavs.__main__"), module

    def visit(body: list[ast.stmt], owner: str, in_protocol: bool = False) -> None:
        for node in body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            overload = any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
            said_by_class = node.name == "forward" and module.startswith("zsavs.models.imagebind.")
            assert ast.get_docstring(node) or overload or in_protocol or said_by_class, (
                f"{owner}.{node.name} has no docstring"
            )
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{owner}.{node.name}", any("Protocol" in ast.unparse(base) for base in node.bases))

    visit(tree(module).body, module)


@for_each(MODULES)
def test_files_are_short(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) < 400


def test_every_name_in_all_exists() -> None:
    for module in MODULES:
        for node in tree(module).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" and module != "zsavs":
                loaded = __import__(module, fromlist=["__all__"])
                assert all(hasattr(loaded, name) for name in loaded.__all__), module
