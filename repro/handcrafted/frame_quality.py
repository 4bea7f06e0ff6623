"""The handcrafted rivals of frame classification, which tell informative colonoscopy frames from others.

"handcrafted" is the paper's rival (ref. 65; METHODS A4): a blurred frame is rebuilt well from a few coefficients of
its discrete cosine transform, so the error of that reconstruction, pooled over the whole frame and over
3 x 3 regions, tells informative frames from others; a random forest learns to read it. Two older methods of the same
list stand beside it: "wavelet" (ref. 66, Arnold et al. 2009: energies of wavelet details, naive Bayes) and
"edges" (ref. 67, Oh et al. 2007: the ratio of isolated edge pixels, made a probability by logistic regression).

All three keep the frame's own resolution, as blur is a matter of pixels: compare frames of one cohort with each other.
They look only inside the black border, and count shares, not pixels, so frames of any size give the same features.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.fft import dct
from skimage.feature import canny
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from data_prep.candidates.edges import WORKING_WIDTH_PX, field_of_view

METHODS = ("handcrafted", "wavelet", "edges")
"""Names of the arms; the first is the paper's rival."""

SMALLEST_PX = 64
# Grey of red, green, blue: ITU-R BT.601, as in JPEG.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

CELLS_PX = (8, 16, 32)
KEPT = (1, 2, 4)
GRID = 3
BINS = 32
# Four bins for each doubling of the error, from what rounding to uint8 does (0.29) to a quarter of all grey levels.
OCTAVES = (-2, 6)
TREES = 500

LEVELS = 4
# Standard deviation of the rounding to uint8: details under it tell nothing.
ROUNDING = 12**-0.5

CANNY_SIGMA_PX = 1.0
# Quantiles of the frame's own gradients: at fixed thresholds blurred frames have no edges whose ratio could be taken.
CANNY_QUANTILES = (0.8, 0.9)
# In the units of Sobel's filter, eight times the grey levels per pixel: less than this is rounding, not an edge.
LEAST_GRADIENT = 1.0


@dataclass(frozen=True)
class Judge:
    """A fitted method, one of `METHODS`, with what it learnt."""

    method: str
    classifier: RandomForestClassifier | GaussianNB | Pipeline

    def score(self, features):
        """Return the probability that frames are informative, (n,) float64; features : (n, f) float32."""
        return self.classifier.predict_proba(_table(features))[:, 1].astype(float)


def features(pixels, method):
    """Describe a frame as a method does.

    Parameters
    ----------
    pixels : ndarray of shape (h, w, 3), uint8
        RGB; h and w at least `SMALLEST_PX`.
    method : {"handcrafted", "wavelet", "edges"}

    Returns
    -------
    ndarray of shape (f,), float32
        What `pool`, `wavelet_energies` or `isolated_ratio` return: 320, 12 or 1 numbers. A black frame has empty
        histograms, least energies and ratio 1.
    """
    _check_method(method)
    grey, inside = _tissue(pixels)
    if method == "handcrafted":
        return pool(*reconstruction_error(grey, inside))
    if method == "wavelet":
        return wavelet_energies(grey, inside)
    return np.array([isolated_ratio(grey, inside)], np.float32)


def fit(method, features, labels, seed):
    """Learn a method from described frames.

    Parameters
    ----------
    method : {"handcrafted", "wavelet", "edges"}
    features : array of shape (n, f), float32
        Of the function of that name.
    labels : array of shape (n,), bool or 0/1
        1 for informative; both must occur.
    seed : int
        Of the random forest.

    Returns
    -------
    Judge
    """
    _check_method(method)
    features, labels = _table(features), np.asarray(labels)
    if labels.shape != features.shape[:1] or set(np.unique(labels).tolist()) != {0, 1}:
        raise ValueError(
            "Each frame needs a label, 1 (informative) or 0, and both must occur. Received: "
            f"{labels.shape} labels, {np.unique(labels)[:5].tolist()}, for {len(features)} frames."
        )
    if method == "handcrafted":
        # One process: more would add up the trees' votes in an order of their own.
        classifier = RandomForestClassifier(TREES, random_state=seed, n_jobs=1)
    elif method == "wavelet":
        classifier = GaussianNB()
    else:
        classifier = make_pipeline(StandardScaler(), LogisticRegression())
    return Judge(method, classifier.fit(features, labels.astype(int)))


def reconstruct(grey, cell, kept):
    """Rebuild an image from the low frequencies of its cells.

    Parameters
    ----------
    grey : ndarray of shape (h, w), float32
        h and w are multiples of `cell`, the side of a cell in pixels.
    cell, kept : int
        Of each cell's cosine transform the first `kept` x `kept` coefficients stay; with `kept` = `cell` all do.

    Returns
    -------
    ndarray of shape (h, w), float32
    """
    basis = dct(np.eye(cell), axis=0, norm="ortho")[:kept]
    # Transform, cut and transform back is one projection of rows and one of columns: two products for all cells.
    projection = (basis.T @ basis).astype(np.float32)
    height, width = grey.shape
    by_rows = (projection @ grey.reshape(-1, cell, width)).reshape(height, -1, cell)
    return (by_rows @ projection).reshape(height, width)


def reconstruction_error(grey, inside):
    """Compute the mean absolute error of all reconstructions, `CELLS_PX` x `KEPT`, at every pixel.

    Parameters
    ----------
    grey : ndarray of shape (h, w), float32
        In grey levels, 0 to 255.
    inside : ndarray of shape (h, w), bool
        False on the border, whose rim no few coefficients rebuild.

    Returns
    -------
    error : ndarray of shape (h, w), float32
    whole : ndarray of shape (h, w), bool
        Whether the pixel's largest cell lies wholly inside.
    """
    largest, shape = max(CELLS_PX), grey.shape
    # The last cells of a row or column are filled up by mirroring, which adds no edge.
    margin = [(0, -side % largest) for side in shape]
    padded = np.pad(grey, margin, mode="symmetric")
    error = np.zeros_like(padded)
    for cell in CELLS_PX:
        for kept in KEPT:
            error += np.abs(padded - reconstruct(padded, cell, kept))
    cells = np.pad(inside, margin, constant_values=True).reshape(padded.shape[0] // largest, largest, -1, largest)
    whole = np.kron(cells.all(axis=(1, 3)), np.ones((largest, largest), bool))
    return error[: shape[0], : shape[1]] / (len(CELLS_PX) * len(KEPT)), whole[: shape[0], : shape[1]]


def pool(error, counted):
    """Collect errors in histograms.

    Parameters
    ----------
    error : ndarray of shape (h, w), float32
    counted : ndarray of shape (h, w), bool

    Returns
    -------
    ndarray of shape (320,), float32
        Shares of the counted pixels in `BINS` logarithmic bins: of the whole frame, then of its 3 x 3 regions in
        reading order; zeros where a region has none. What lies beyond the first or last bin is counted in it.
    """
    rows, columns = (np.arange(side) * GRID // side for side in error.shape)
    region = (rows[:, None] * GRID + columns)[counted]
    octave = np.log2(np.maximum(error[counted], 2.0 ** OCTAVES[0]))
    position = ((octave - OCTAVES[0]) * (BINS / (OCTAVES[1] - OCTAVES[0]))).astype(int)
    flat = region * BINS + np.minimum(position, BINS - 1)
    local = np.bincount(flat, minlength=GRID**2 * BINS).reshape(-1, BINS)
    histograms = np.vstack([local.sum(axis=0), local])
    return (histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1)).ravel().astype(np.float32)


def haar(grey):
    """Split an image once by the orthonormal Haar wavelet.

    Haar, because its filters do not reach beyond their 2 x 2 pixels: the image's edge needs no rule, and the border
    stays out exactly. These lines spare a dependency on PyWavelets.

    Parameters
    ----------
    grey : ndarray of shape (h, w), float
        An odd last row or column is left out.

    Returns
    -------
    coarse : ndarray of shape (h // 2, w // 2)
    details : ndarray of shape (3, h // 2, w // 2)
        Change down the rows, along the columns, and both.
    """
    even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
    rows_sum, rows_change = even[::2] + even[1::2], even[::2] - even[1::2]
    coarse, across = rows_sum[:, ::2] + rows_sum[:, 1::2], rows_sum[:, ::2] - rows_sum[:, 1::2]
    down, both = rows_change[:, ::2] + rows_change[:, 1::2], rows_change[:, ::2] - rows_change[:, 1::2]
    return coarse / 2, np.stack([down, across, both]) / 2


def wavelet_energies(grey, inside):
    """Compute the log energy of an image's details; ref. 66, with the norm made a root mean square for any size.

    The logarithm makes the energies' distributions nearer to the normal ones of the naive Bayes classifier.

    Parameters
    ----------
    grey : ndarray of shape (h, w), float32
    inside : ndarray of shape (h, w), bool

    Returns
    -------
    ndarray of shape (12,), float32
        Natural logarithms, three orientations (see `haar`) for each of `LEVELS`, the finest first.
    """
    energies = []
    for _ in range(LEVELS):
        grey, details = haar(grey)
        # A block of four counts when none of them is on the border: its mean is 2 in `haar`'s scale.
        inside = haar(inside.astype(np.float32))[0] == 2
        squares = np.square(details[:, inside]).sum(axis=1) / max(np.count_nonzero(inside), 1)
        energies.append(np.log(np.sqrt(squares) + ROUNDING))
    return np.concatenate(energies).astype(np.float32)


def isolated_ratio(grey, inside):
    """Compute the share of Canny's edge pixels that touch no other edge pixel (ref. 67).

    Ref. 67: without sharp contours Canny is left with noise, in dots, and a threshold on the ratio tells such frames.
    Ours: no threshold, and `fit` learns the direction, which depends on the noise. The ratio is a few in a thousand,
    since Canny's hysteresis drops weak dots; in small frames it counts single pixels.

    Parameters
    ----------
    grey : ndarray of shape (h, w), float32
        In grey levels, 0 to 255.
    inside : ndarray of shape (h, w), bool

    Returns
    -------
    float
        1 where there is no edge at all: nothing is to be seen.
    """
    smooth = ndimage.gaussian_filter(grey, CANNY_SIGMA_PX)
    gradient = np.hypot(*(ndimage.sobel(smooth, axis) for axis in (0, 1)))[inside]
    if not np.any(gradient > LEAST_GRADIENT):
        return 1.0
    thresholds = np.maximum(np.quantile(gradient, CANNY_QUANTILES), LEAST_GRADIENT)
    edges = canny(grey, CANNY_SIGMA_PX, *thresholds, mask=inside)
    near = ndimage.convolve(edges.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant")
    return np.count_nonzero(edges & (near == 1)) / np.count_nonzero(edges) if edges.any() else 1.0


def _tissue(pixels):
    """Return the grey levels, (h, w) float32, and the inside, (h, w) bool, of the box that holds the field of view."""
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < SMALLEST_PX:
        raise ValueError(
            f"A frame must be (h, w, 3) uint8, h and w at least {SMALLEST_PX}. Received: {pixels.shape} {pixels.dtype}."
        )
    # The nearest pixels will do: of what `field_of_view` is handed, it looks at one in sixteen.
    full = pixels.shape[:2]
    small = [max(1, round(side * WORKING_WIDTH_PX / full[1])) for side in full]
    seen = field_of_view(pixels[np.ix_(*map(_nearest, small, full))] / np.float32(255))
    inside = seen[np.ix_(*map(_nearest, full, small))]
    box = ndimage.find_objects(inside.astype(np.uint8))[0] if inside.any() else (slice(None), slice(None))
    return pixels[box] @ LUMA, inside[box]


def _nearest(after, before):
    """Return which of `before` pixels is nearest to each of `after` pixels along the same line."""
    return ((np.arange(after) + 0.5) * before / after).astype(int)


def _table(features):
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2:
        raise ValueError(f"Expected one row of features for each frame. Received: shape {features.shape}.")
    return features


def _check_method(method):
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}. Received: {method!r}.")
