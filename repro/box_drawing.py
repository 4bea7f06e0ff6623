"""Box plots as figures: the errors of every arm (Figure 9)."""

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from repro.plotting import ARM_STYLES


def draw_boxes(ax, errors, names, paper=None):
    """Draw a box for each arm as the paper's Figure 9: quartiles, Tukey's whiskers, every value beyond them.

    Whiskers reach to the last value within 1.5 times the box's height. Above each box stand the mean and the standard
    deviation, below them, in grey, the paper's.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its vertical axis becomes logarithmic: errors of the worst arms would flatten all other boxes.
    errors : dict of str to array of shape (n,)
        By arm, a key of `ARM_STYLES`; above 0.
    names : sequence of str
        How the arms are called.
    paper : dict of str to (float, float), optional
        The paper's mean and standard deviation, of arms that it has.

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = [np.asarray(of, float) for of in errors.values()]
    boxes = ax.boxplot(values, whis=1.5, widths=0.6, patch_artist=True, flierprops={"marker": ".", "ms": 3})
    for arm, box, median in zip(errors, boxes["boxes"], boxes["medians"], strict=True):
        box.set(facecolor=ARM_STYLES[arm]["color"], alpha=0.55)
        median.set(color="black")
    # Room for two lines of numbers above the highest value.
    top, bottom = max(of.max() for of in values), min(of.min() for of in values)
    ax.set_yscale("log")
    ax.set_ylim(0.8 * bottom, top * (top / bottom) ** 0.22)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    places = ax.get_xaxis_transform()
    for place, (arm, of) in enumerate(zip(errors, values, strict=True), start=1):
        look = {"ha": "center", "va": "top", "fontsize": 7, "transform": places}
        ax.text(place, 0.985, f"{of.mean():.0f}\n±{of.std(ddof=1):.0f}", **look)
        if paper and arm in paper:
            ax.text(place, 0.915, f"{paper[arm][0]:.0f}\n±{paper[arm][1]:.0f}", color="0.5", **look)
    ax.set_xticks(range(1, len(values) + 1), names, rotation=45, ha="right")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.25, linewidth=0.6)
    return ax
