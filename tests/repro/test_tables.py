"""Tables I and II are what is built and what learns, and are the paper's."""

import pytest

from repro import tables
from repro.alexnet import LAYERS, build_alexnet
from repro.finetune import DEPTHS, optimizer

# PAPER section 1, Table I: layer, kernel, stride, pad, output.
TABLE_I = """
data    - - - 3x227x227
conv1 11x11 4 0 96x55x55
pool1 3x3 2 0 96x27x27
conv2 5x5 1 2 256x27x27
pool2 3x3 2 0 256x13x13
conv3 3x3 1 1 384x13x13
conv4 3x3 1 1 384x13x13
conv5 3x3 1 1 256x13x13
pool5 3x3 2 0 256x6x6
fc6 6x6 1 0 16
fc7 1x1 1 0 16
fc8 1x1 1 0 3
"""


def test_table_i_is_the_paper_s_but_for_the_units():
    rows = tables.architecture(build_alexnet(3, fc_units=16))
    keys = ("layer", "kernel", "stride", "pad", "output")
    assert [[row[key] or "-" for key in keys] for row in rows] == [line.split() for line in TABLE_I.split("\n")[1:-1]]
    assert [row["input"] for row in rows[1:]] == [row["output"] for row in rows[:-1]]
    assert [row["type"] for row in rows[::4]] == ["input", "max pooling", "max pooling"]


def test_table_i_shows_the_padding_that_torchvision_s_conv1_has():
    rows = {row["layer"]: row for row in tables.architecture(build_alexnet(2, "torchvision", 99, 5))}
    assert (rows["conv1"]["pad"], rows["conv1"]["output"]) == ("2", "64x24x24")
    assert (rows["conv2"]["pad"], rows["pool1"]["pad"], rows["fc6"]["kernel"]) == ("2", "0", "2x2")


@pytest.mark.parametrize("arm", [DEPTHS[0], DEPTHS[3], "scratch"])
def test_table_ii_is_the_paper_s(arm):
    """fc8 learns ten times as fast as what is tuned, and as fast as all others from scratch."""
    expected = {
        "fc8": [0] * 7 + [0.01],
        "conv5": [0] * 4 + [0.001] * 3 + [0.01],
        "scratch": [0.001] * 8,
    }
    assert tables.measured_rates(arm) == dict(zip(LAYERS, expected[arm], strict=True))


def test_a_bias_that_learns_at_another_rate_is_found(monkeypatch):
    monkeypatch.setattr("repro.finetune.BIAS_FACTOR", 3.0)
    with pytest.raises(RuntimeError, match=r"conv1: expected one rate, and 2\.0 times it for biases"):
        tables.measured_rates("conv1")


def test_what_is_measured_is_what_the_optimiser_does_not_what_it_was_told(monkeypatch):
    def slower(model, rates, steps_per_epoch):
        return optimizer(model, {layer: rate / 4 for layer, rate in rates.items()}, steps_per_epoch)

    monkeypatch.setattr(tables, "optimizer", slower)
    assert tables.measured_rates("fc8")["fc8"] == 0.0025
