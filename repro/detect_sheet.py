"""The picture of the best candidates: where each lies, its views as the network saw them, its probability."""

import heapq
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from repro.files import replacing

COLUMNS = 4
CELL_IN = 3.2
SHOWN_VIEWS = 3
GAP_PX = 2
NAME_LENGTH = 34
BOX_COLOUR = "#ffd400"  # yellow: neither mucosa nor grey lung


@dataclass(frozen=True, eq=False)
class Shown:
    """One candidate as it is drawn.

    Attributes
    ----------
    image : str
    place : dict of str to float
        Where it lies, in the units of its names.
    probability : float
    overview : ndarray of shape (height, width, 3), uint8
    box : array of shape (4,)
        Top, left, height, width in pixels of the overview.
    views : ndarray of shape (height, width, 3), uint8
        Of `mosaic`.
    """

    image: str
    place: dict
    probability: float
    overview: np.ndarray
    box: np.ndarray
    views: np.ndarray


class Best:
    """The candidates of the highest probability so far, with their pictures; no others are kept.

    Parameters
    ----------
    most : int
    least : float
        Candidates of a lower probability count nowhere.
    channels : tuple of tuple of int
        See `mosaic`.
    """

    def __init__(self, most, least, channels):
        self.most, self.least, self.channels = most, least, channels
        self._heap, self._offered = [], 0

    def offer(self, image, proposal, probabilities):
        """Take those candidates of an image that belong to the best.

        Parameters
        ----------
        image : str
        proposal : repro.detect.Proposal
        probabilities : ndarray of shape (n,), float

        Returns
        -------
        list of int
            All candidates that are probable enough, by falling probability.
        """
        order = [int(k) for k in np.argsort(-probabilities, kind="stable") if probabilities[k] >= self.least]
        for number in order[: self.most]:
            if len(self._heap) == self.most and probabilities[number] <= self._heap[0][0]:
                break
            views = mosaic(proposal.patches, proposal.candidate == number, self.channels)
            overview, box = proposal.overview(number)
            place = proposal.places[number]
            shown = Shown(image, place, float(probabilities[number]), overview, box, views)
            # The second entry is never equal: pictures are not compared, and of two alike the earlier one stays.
            self._offered += 1
            heapq.heappush(self._heap, (shown.probability, -self._offered, shown))
            if len(self._heap) > self.most:
                heapq.heappop(self._heap)
        return order

    @property
    def shown(self):
        """By falling probability."""
        return [shown for *_, shown in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def mosaic(patches, chosen, channels):
    """Put some views of a candidate beside each other: the first, the middle and the last one.

    Parameters
    ----------
    patches : data_prep.patches.PatchTable
        Or another table with `cut`.
    chosen : ndarray of shape (len(patches),), bool
        The candidate's own.
    channels : tuple of tuple of int
        Rows: the channels shown as red, green and blue.

    Returns
    -------
    ndarray of shape (rows * (size + GAP_PX), columns * (size + GAP_PX), 3), uint8
    """
    rows = np.flatnonzero(chosen)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, SHOWN_VIEWS).round().astype(int))]
    edges = (0, 0), (0, GAP_PX), (0, GAP_PX), (0, 0)
    cut = np.pad(patches.cut(rows), edges, constant_values=255)
    return np.concatenate([np.concatenate(list(cut[..., list(of)]), axis=1) for of in channels])


def draw(shown, notes):
    """Draw candidates in a grid.

    Parameters
    ----------
    shown : sequence of Shown
    notes : sequence of str
        Lines at the foot.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = max(min(COLUMNS, len(shown)), 2)
    rows = max(-(-len(shown) // columns), 1)
    tall = [_tallest(shown, part) for part in ("overview", "views")]
    # An inch in each row for the words.
    figure = Figure(figsize=(columns * CELL_IN, rows * (CELL_IN * sum(tall) + 0.9) + 1.2), layout="constrained")
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=tall * rows)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax in axes[::2].flat:
        ax.set_anchor("S")  # close to the views below it
    for number, candidate in enumerate(shown):
        row, column = divmod(number, columns)
        _draw_candidate(axes[2 * row, column], axes[2 * row + 1, column], candidate)
    figure.suptitle("Candidates of the highest probability" if shown else "No candidates", fontsize=11)
    width = int(15 * figure.get_size_inches()[0])
    # The layout does not know of the words below the last row: two empty lines keep the foot off them.
    foot = "\n".join(["", "", *(fill(line, width) for line in notes)])
    figure.supxlabel(foot, x=0.01, ha="left", fontsize=8, color="0.3")
    return figure


def save(path, shown, notes):
    """Draw candidates (see `draw`) into a .png that appears complete or not at all."""
    figure = draw(shown, notes)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _tallest(shown, part):
    """Return the height of the tallest picture, in widths."""
    shapes = [getattr(candidate, part).shape for candidate in shown]
    return max((height / width for height, width, _ in shapes), default=0.5)


def _draw_candidate(upper, lower, candidate):
    top, left, height, width = np.asarray(candidate.box, float)
    upper.imshow(candidate.overview)
    # Pixels are drawn about whole numbers, boxes counted from the corner of the first one.
    upper.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, color=BOX_COLOUR, linewidth=1.5))
    lower.imshow(candidate.views)
    name, place = candidate.image, ", ".join(f"{key} {value:.0f}" for key, value in candidate.place.items())
    name = name if len(name) <= NAME_LENGTH else f"...{name[3 - NAME_LENGTH :]}"
    text = f"{name}: {candidate.probability:.3f}\n{fill(place, 44)}"
    lower.text(0.5, -0.04, text, transform=lower.transAxes, ha="center", va="top", fontsize=8)
