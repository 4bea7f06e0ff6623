"""Imports point downward, and what only draws starts without Keras (DESIGN.md, the three floors)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("data_prep", "repro", "experiments")
BACKENDS = {"tensorflow", "torch", "jax"}
FORBIDDEN = {
    "data_prep": {"keras", *BACKENDS, "repro", "experiments"},
    "repro": {"experiments"},
    "experiments": set(),
}
LIGHT = (
    *("experiments/**/*.py", "repro/applications/*.py", "repro/handcrafted/*.py", "repro/evaluation/*.py"),
    *("repro/plotting.py", "repro/runs.py", "repro/snakes.py"),
)


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def first(name):
    return name.partition(".")[0]


def imported_names(node, package):
    """Full names that an import statement may load: of `from a import b` both a and a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
    start = ".".join(part for part in (base, node.module) if part)
    return [start, *(f"{start}.{alias.name}" for alias in node.names)]


def imports(tree, package, only_at_import=False):
    """All imports of a module as (line, name); or those that run when it is imported, outside of functions."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [(node.lineno, name) for name in imported_names(node, package)]
        if not (only_at_import and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
            waiting += ast.iter_child_nodes(node)
    return sorted(found)


def read_modules(root):
    """Parse every module of the three floors: {name: (path, tree, package)}."""
    modules = {}
    for path in sorted(path for floor in FLOORS for path in (root / floor).rglob("*.py")):
        name = module_name(path, root)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        modules[name] = (path, ast.parse(path.read_text(encoding="utf-8")), package)
    return modules


def upward_imports(root):
    """Imports that a floor must not have, anywhere in its modules."""
    return [
        f"{path.relative_to(root).as_posix()}:{line} imports {name}"
        for path, tree, package in read_modules(root).values()
        for line, name in imports(tree, package)
        if first(name) in FORBIDDEN[path.relative_to(root).parts[0]]
    ]


def backend_imports(root):
    """Imports of a backend by repro and experiments other than below `if ...backend... == "that backend":`."""
    return [
        f"{path.relative_to(root).as_posix()}:{line} imports {name}"
        for path, tree, package in read_modules(root).values()
        for line, name in unguarded(tree, package, frozenset())
        if path.relative_to(root).parts[0] != "data_prep"
    ]


def unguarded(node, package, guards):
    """Yield (line, name) of backends' imports in a part of a module; `guards` are the backends asked for so far."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((node.lineno, name) for name in imported_names(node, package) if first(name) in BACKENDS - guards)
    for field, value in ast.iter_fields(node):
        inside = guards | asked_backend(node.test) if isinstance(node, ast.If) and field == "body" else guards
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from unguarded(child, package, inside)


def asked_backend(test):
    """Name the backend of a test such as `keras.backend.backend() == "jax"` or `BACKEND == "jax"`."""
    if (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.Eq)
        and "backend" in ast.unparse(test.left).lower()
    ):
        return {getattr(test.comparators[0], "value", None)}
    return set()


def heavy_chains(root):
    """For each light module the chain of imports by which importing it would load Keras or a backend."""
    modules = read_modules(root)
    light = {module_name(path, root) for pattern in LIGHT for path in root.glob(pattern)}
    chains = (chain_to_keras([name], modules, set()) for name in sorted(light))
    return [" > ".join(chain) for chain in chains if chain]


def chain_to_keras(chain, modules, seen):
    """Follow what runs on import, depth first; importing a.b.c also runs a and a.b."""
    _, tree, package = modules[chain[-1]]
    for _, name in imports(tree, package, only_at_import=True):
        if first(name) in {"keras", *BACKENDS}:
            return [*chain, first(name)]
        parts = name.split(".")
        for loaded in (".".join(parts[:end]) for end in range(1, len(parts) + 1)):
            if loaded in modules and loaded not in seen:
                seen.add(loaded)
                if longer := chain_to_keras([*chain, loaded], modules, seen):
                    return longer
    return None


def test_imports_point_downward():
    assert upward_imports(ROOT) == []


def test_a_backend_is_imported_only_when_it_is_the_one_that_runs():
    assert backend_imports(ROOT) == []


def test_what_draws_starts_without_keras():
    assert heavy_chains(ROOT) == []


@pytest.fixture
def tree(tmp_path):
    """Return write(path, source): a made-up project below tmp_path."""

    def write(path, source):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("data_prep/a.py", "import numpy\nimport keras.ops as ops\n", "keras.ops"),
        ("data_prep/sub/a.py", "def f():\n    from torch import nn\n", "torch"),
        ("data_prep/a.py", "from repro import runs\n", "repro"),
        ("repro/sub/a.py", "try:\n    from experiments import command\nexcept ImportError: pass\n", "experiments"),
        ("repro/a.py", "import experiments.command\n", "experiments.command"),
    ],
)
def test_an_upward_import_is_caught(tree, path, source, name):
    problems = upward_imports(tree(path, source))
    assert problems
    assert problems[0].startswith(path)
    assert problems[0].endswith(f"imports {name}")


def test_downward_and_relative_imports_pass(tree):
    tree("data_prep/sub/b.py", "from . import c\nfrom ..cohort import Image\nimport kerasify\n")
    tree("experiments/fig.py", "import repro.runs, data_prep\n")
    assert upward_imports(tree("repro/a.py", "import keras\nfrom data_prep import patches\n")) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import torch\nkeras.backend.backend()\n", [1]),
        ("def f():\n    import jax.numpy\n", [2]),
        ("if keras.backend.backend() == 'jax':\n    import jax, torch\nelse:\n    import jax\n", [2, 4]),
        ("if keras.backend.backend() != 'jax':\n    import jax\n", [2]),
        ("def f():\n    if keras.backend.backend() == 'jax':\n        import jax\n", []),
    ],
)
def test_a_backend_is_allowed_only_where_it_was_asked_for(tree, source, lines):
    problems = backend_imports(tree("repro/a.py", source))
    assert [int(problem.split(":")[1].split()[0]) for problem in problems] == lines


def test_keras_behind_several_imports_is_caught(tree):
    tree("repro/__init__.py", "")
    tree("repro/runs.py", "from .deep import name\n")
    tree("repro/deep/__init__.py", "from .weights import name\n")
    tree("repro/deep/weights.py", "class Late:\n    import keras\n")
    root = tree("experiments/fig.py", "from repro import runs\n")
    assert heavy_chains(root) == [
        "experiments.fig > repro.runs > repro.deep > repro.deep.weights > keras",
        "repro.runs > repro.deep > repro.deep.weights > keras",
    ]


def test_keras_in_a_function_or_a_package_aside_passes(tree):
    tree("repro/evaluation/froc.py", "import numpy\n\ndef f():\n    import keras\n")
    tree("repro/training.py", "import keras\n")
    assert heavy_chains(tree("experiments/fig.py", "def f():\n    from repro import training\n")) == []
    tree("repro/__init__.py", "from repro import training\n")
    assert heavy_chains(tree("experiments/fig.py", "import repro.evaluation.froc\n")) == [
        "experiments.fig > repro > repro.training > keras"
    ]
