"""What benchmarks measured: a script's rows take the place of its own, on its machine, and no others'."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "measured.py"


def load():
    """Load the module as a script beside it does; benchmarks are no package."""
    spec = importlib.util.spec_from_file_location("measured", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def measured(monkeypatch):
    """Load the module, on a machine that is always the same."""
    module = load()
    monkeypatch.setattr(module, "machine", lambda: "5 cores, ours")
    return module


def timed(what, after=1.5):
    return {"what": what, "after": after, "unit": "s"}


def test_a_script_that_runs_again_replaces_its_rows_and_no_others(measured, monkeypatch, tmp_path):
    path = tmp_path / "measured.csv"
    measured.record("benchmarks/maps.py", [timed("a"), timed("b")], path)
    measured.record("benchmarks/views.py", [timed("c")], path)
    monkeypatch.setattr(measured, "machine", lambda: "7 cores, another")
    measured.record("benchmarks/maps.py", [timed("a", 0.25)], path)
    monkeypatch.setattr(measured, "machine", lambda: "5 cores, ours")
    measured.record("/elsewhere/benchmarks/maps.py", [timed("b", 2.5), timed("d")], path)
    found = [(row["machine"][0], row["script"], row["what"], row["after"]) for row in measured.read(path)]
    expected = [("5", "maps", "b", "2.5"), ("5", "maps", "d", "1.5"), ("5", "views", "c", "1.5")]
    assert found == [*expected, ("7", "maps", "a", "0.25")]


def test_backends_keep_their_rows_whatever_their_version(measured, monkeypatch, tmp_path):
    path = tmp_path / "measured.csv"
    for backend, after in (("tensorflow 1", 1.0), ("jax 7", 2.0), ("tensorflow 2", 3.0)):
        monkeypatch.setattr(measured, "backend", lambda name=backend: name)
        measured.record("maps.py", [timed("a", after)], path)
    assert [(row["backend"], row["after"]) for row in measured.read(path)] == [("jax 7", "2"), ("tensorflow 2", "3")]


def test_numbers_keep_four_digits_and_texts_stay(measured, tmp_path):
    row = {"what": "a, b", "against": "c", "before": 123.456, "after": 1 / 3, "unit": "s", "ratio": 370.37, "note": "d"}
    measured.record("maps.py", [row], tmp_path / "measured.csv")
    (found,) = measured.read(tmp_path / "measured.csv")
    assert [found[key] for key in ("what", "before", "after", "ratio", "note")] == [
        "a, b",
        "123.5",
        "0.3333",
        "370.4",
        "d",
    ]


def test_a_row_without_a_unit_or_with_an_unknown_key_is_refused(measured, tmp_path):
    for known in ({"what": "a", "after": 1.0}, timed("a") | {"seconds": 1.0}):
        with pytest.raises(ValueError, match=rf"keys what, after, unit .* Received: {', '.join(known)}\."):
            measured.record("maps.py", [known], tmp_path / "measured.csv")
    assert not (tmp_path / "measured.csv").exists()


def test_the_backend_is_named_only_where_keras_took_part(measured, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    assert measured.backend() == ""
    keras = pytest.importorskip("keras")
    monkeypatch.setitem(sys.modules, "keras", keras)
    name, _, version = measured.backend().partition(" ")
    assert name == keras.backend.backend()
    assert version[0].isdigit()


def test_the_ratios_of_this_machine_are_shown_together(measured, monkeypatch, tmp_path, capsys):
    path = tmp_path / "measured.csv"
    measured.record(
        "benchmarks/maps.py", [timed("alone"), timed("a") | {"against": "b", "before": 6, "ratio": 4}], path
    )
    monkeypatch.setattr(measured, "machine", lambda: "7 cores, another")
    monkeypatch.setattr(measured, "backend", lambda: "jax 7")
    measured.record("benchmarks/maps.py", [timed("c") | {"against": "d", "before": 6, "ratio": 2}], path)
    monkeypatch.setattr(measured, "machine", lambda: "17 cores, another")
    measured.record("benchmarks/maps.py", [timed("e") | {"against": "f", "before": 6, "ratio": 3}], path)
    monkeypatch.setattr(measured, "machine", lambda: "7 cores, another")
    capsys.readouterr()
    measured.show(path)
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.startswith("7 cores, another;")
    assert [row.split()[0] for row in rows] == ["2.0"]
    assert rows[0].endswith("c, against d (jax 7)")


def test_a_gpu_stands_before_the_cores_and_its_ratios_are_shown_too(monkeypatch, tmp_path, capsys):
    """Without a GPU, the backend that has one is made up."""
    measured = load()
    gpu = SimpleNamespace(device_kind="Some GPU")
    keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "jax"))
    feeding = SimpleNamespace(on_accelerator=lambda: True)
    cpu = measured.machine()
    for name, module in (("keras", keras), ("repro.feeding", feeding), ("jax", SimpleNamespace(devices=lambda: [gpu]))):
        monkeypatch.setitem(sys.modules, name, module)
    assert measured.machine() == f"Some GPU, {cpu}"
    monkeypatch.setattr(measured, "backend", lambda: "jax 7")
    row = timed("a") | {"against": "b", "before": 6, "ratio": 4}
    measured.record("benchmarks/maps.py", [row], tmp_path / "measured.csv")
    feeding.on_accelerator = lambda: False
    assert measured.machine() == cpu
    measured.show(tmp_path / "measured.csv")
    assert capsys.readouterr().out.endswith("a, against b (jax 7)\n")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("model name\t: Some CPU\ncpu family\t: 26\nflags\t\t: sse avx2 avx512f", "Some CPU (family 26, AVX-512)"),
        ("model name\t: Some CPU\ncpu family\t: 25\nflags\t\t: sse avx2", "Some CPU (family 25, AVX2)"),
        ("model name\t: Some CPU\nflags\t\t: sse", "Some CPU"),
    ],
)
def test_processors_of_one_name_are_told_apart(tmp_path, lines, name):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\n{lines}\n\nprocessor\t: 1\n{lines}\n", encoding="utf-8")
    assert load()._processor(path) == name
