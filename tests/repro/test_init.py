"""What importing the package does to TensorFlow: oneDNN on, and a warning where it came too late for that."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

import repro

ASKED = "from tensorflow.python.util import _pywrap_util_port as port; print(port.IsMklEnabled())"


def answer(code, **environment):
    """Return what a new process prints."""
    inherited = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_onednn_is_on_when_the_package_comes_first():
    assert answer(f"import repro, keras; {ASKED}", KERAS_BACKEND="tensorflow") == "True"


def test_what_the_user_has_set_is_kept():
    assert answer(f"import repro; {ASKED}", TF_ENABLE_ONEDNN_OPTS="0") == "False"


@pytest.fixture
def imported(monkeypatch):
    """Pretend that TensorFlow is imported, and a Keras of some backend with it; oneDNN is on or off."""

    def pretend(backend, onednn):
        port = SimpleNamespace(IsMklEnabled=lambda: onednn)
        monkeypatch.setitem(sys.modules, "tensorflow.python.util._pywrap_util_port", port)
        keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: backend))
        monkeypatch.setitem(sys.modules, "keras", keras)

    return pretend


def test_a_tensorflow_that_came_first_without_onednn_is_warned_of(imported):
    imported("tensorflow", onednn=False)
    with pytest.warns(UserWarning, match="Import repro first, or set TF_ENABLE_ONEDNN_OPTS=1"):
        repro._warn_of_slow_tensorflow()


@pytest.mark.parametrize(("backend", "onednn"), [("tensorflow", True), ("jax", False)])
def test_nothing_is_said_where_nothing_is_lost(backend, onednn, imported, recwarn):
    imported(backend, onednn)
    repro._warn_of_slow_tensorflow()
    assert not recwarn.list
