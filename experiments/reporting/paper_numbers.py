"""What the paper's text and tables say, as data: tables, cells that cannot be read, orders of arms.

For `paper`; PAPER.md, sections 1 and 3. Tables S1 to S4 and the numbers of Figure 9 are in their scripts.
Where the paper's text says "about equal" or "no real loss", the margin is the claims' own.
"""

from experiments import fig_carotid_boxplots
from experiments.reporting.held_against import Order
from repro.evaluation.outcomes import FP_PER_FRAME, FP_PER_VOLUME, OUTCOMES
from repro.finetune import HANDCRAFTED, LAYERS

# Table I, with the 2 classes of all applications but the carotid; the paper writes C.
TABLE_1 = """
data,input,3x227x227,,,,3x227x227
conv1,convolution,3x227x227,11x11,4,0,96x55x55
pool1,max pooling,96x55x55,3x3,2,0,96x27x27
conv2,convolution,96x27x27,5x5,1,2,256x27x27
pool2,max pooling,256x27x27,3x3,2,0,256x13x13
conv3,convolution,256x13x13,3x3,1,1,384x13x13
conv4,convolution,384x13x13,3x3,1,1,384x13x13
conv5,convolution,384x13x13,3x3,1,1,256x13x13
pool5,max pooling,256x13x13,3x3,2,0,256x6x6
fc6,fully connected,256x6x6,6x6,1,0,4096
fc7,fully connected,4096,1x1,1,0,4096
fc8,fully connected,4096,1x1,1,0,2
"""
TABLE_1_COLUMNS = ("type", "input", "kernel", "stride", "pad", "output")

TABLE_2 = """
FT:conv1-fc8,.001,.001,.001,.001,.001,.001,.001,.01,.9,.95
FT:conv2-fc8,0,.001,.001,.001,.001,.001,.001,.01,.9,.95
FT:conv3-fc8,0,0,.001,.001,.001,.001,.001,.01,.9,.95
FT:conv4-fc8,0,0,0,.001,.001,.001,.001,.01,.9,.95
FT:conv5-fc8,0,0,0,0,.001,.001,.001,.01,.9,.95
FT:fc6-fc8,0,0,0,0,0,.001,.001,.01,.9,.95
FT:fc7-fc8,0,0,0,0,0,0,.001,.01,.9,.95
FT:only fc8,0,0,0,0,0,0,0,.01,.9,.95
scratch,.001,.001,.001,.001,.001,.001,.001,.001,.9,.95
"""
TABLE_2_COLUMNS = (*LAYERS, "momentum", "decay")

S1_POINTS, S2_POINTS, S3_POINTS = (0.001, 0.01), (1, 2, 3, 4, 5), (0.1, 0.15, 0.2)
# Cells whose column the paper's text leaves open, as (column, row, point); of the cells of one row that share a point,
# one holds it. Table S3's are None in its script.
S1_UNSURE = {("conv5", "conv3", 0.001), ("conv4", "conv3", 0.001)}
S2_UNSURE = {(column, "conv3", 1) for column in ("fc6", "conv5", "conv4")}

# Where Xavier's or MSRA's initialisation led further than Gaussians (PAPER section 1).
GAINS = {"polyp": False, "embolism": True, "frame_quality": False, "carotid": False}

ABOUT, NO_LOSS = OUTCOMES["embolism"].margin, OUTCOMES["frame_quality"].margin
FP_RATES = (0.1, 0.15)


def _pair(first, second, paper, where, rule="above", margin=0.0):
    """Order two arms; `where` is the panel, the share of the training set, the operating point, and words for them."""
    *place, words = where
    panel, share, at = place
    sides = (((panel, arm, share, at),) for arm in (first, second))
    return Order(f"{first} against {second}{words}", paper, *sides, rule, margin)


def _gaps(shares, paper, where, rule="above"):
    """Order the gaps between conv1 and scratch at two shares of the training set, in per cent."""
    panel, at, words = where
    sides = [tuple((panel, arm, share / 100, at) for arm in ("conv1", "scratch")) for share in shares]
    what = f"conv1 over scratch{words}: gap at {shares[0]} % against {shares[1]} %"
    return Order(what, paper, *sides, rule)


def _polyp():
    depths, shares = ("a", 1.0, FP_PER_FRAME, ""), ("b", FP_PER_FRAME, "")
    yield _pair("conv1", "conv4", "above", depths)
    for other in ("fc7", "fc8", "scratch"):
        yield _pair("conv4", other, "above", depths)
    yield _pair("conv1", "scratch", "above", depths)
    for arm in ("fc8", "fc7", "conv4", "conv1", "scratch"):
        yield _pair(arm, HANDCRAFTED, "above, p < .05", depths)
    yield _gaps((50, 100), "wider", shares)
    yield _gaps((25, 50), "wider", shares)
    yield _gaps((25, 100), "wider: scratch collapses", shares)


def _embolism():
    depths = ("a", 1.0, FP_PER_VOLUME, "")
    for arm in ("fc7", "fc6", "conv1"):
        yield _pair(arm, "fc8", "above", depths)
    for other in ("fc6", "scratch", HANDCRAFTED):
        yield _pair("conv1", other, "about equal", depths, "about equal", ABOUT)
    for panel, of in (("c", "emboli"), ("b", "patients")):
        yield _pair("conv1", "scratch", "clearly above", (panel, 0.5, FP_PER_VOLUME, f", 50 % of {of}"))
        yield _pair("conv1", "scratch", "above", (panel, 0.25, FP_PER_VOLUME, f", 25 % of {of}"))
        yield _gaps((25, 50), "smaller", (panel, FP_PER_VOLUME, f", {of}"), "below")


def _frames():
    for rate in FP_RATES:
        where = ("a", 1.0, rate, f" at {100 * rate:.0f} %")
        for other in ("fc8", "conv1", "scratch"):
            yield _pair("conv5", other, "above", where)
        yield _pair("scratch", "fc8", "above", where)
    for arm in ("conv1", "scratch"):
        sides = (("auc", arm, 0.1),), (("auc", arm, 1.0),)
        yield Order(f"{arm}: AUC at 10 % against 100 %", "no real loss", *sides, "no less", NO_LOSS)
    for share in (5, 1):
        lost = ((("auc", arm, 1.0), ("auc", arm, share / 100)) for arm in ("scratch", "conv1"))
        yield Order(f"AUC lost at {share} %: scratch against conv1", "much more", *lost)


POLYP, EMBOLISM, FRAMES = tuple(_polyp()), tuple(_embolism()), tuple(_frames())
"""What the text says of Figures 2, 4 and 6. Keys are those of `held_against.curve_values` and `area_values`."""

# Orders of the paper's own means in Figure 9, for the claims C1 and C3.
CAROTID = tuple(
    Order(f"{name}: {first} against {second}", "below", ((name, first),), ((name, second),), "below")
    for name in fig_carotid_boxplots.INTERFACES
    for first, second in (
        *(("fc7", "fc8"), ("conv4", "fc6"), ("conv4", "scratch"), ("conv1", "scratch")),
        *(("conv1", HANDCRAFTED), ("scratch", HANDCRAFTED)),
    )
)
