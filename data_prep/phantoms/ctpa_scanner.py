"""A CT scanner: from true attenuation to reconstructed slices.

Resolution is a Gaussian in the plane and across it. Noise is what filtered back-projection leaves: in the plane its
power rises with frequency (the ramp) and falls again (the kernel), so that it looks like grain and not like snow;
neighbouring slices share some of it. Streaks run from dense contrast medium and along the shoulders. A patient who
breathes is seen at another depth of breath in some slabs.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter1d

LOWEST, HIGHEST = -1024, 3071
MOST_STEPS = 3


@dataclass(frozen=True)
class Scanner:
    """How a patient is scanned.

    Attributes
    ----------
    blur_mm : float
        Standard deviation of the point spread function in the plane.
    slice_share : float
        Standard deviation of the slice profile over the distance of slices.
    noise_hu : float
        Standard deviation of the noise in soft tissue at the middle of the chest.
    peak_mm : float
        Wavelength at which the noise's power is highest.
    shared : float
        Share of a slice's noise that the next slice has too, before normalisation.
    stretch : float
        How much longer the grain is from side to side, where rays pass through more tissue.
    """

    blur_mm: float
    slice_share: float
    noise_hu: float
    peak_mm: float
    shared: float
    stretch: float


def draw_scanner(rng, difficulty):
    """Draw a scanner and its dose; at a `difficulty` of 0 the noise is half as strong as in the best scans."""
    return Scanner(
        blur_mm=rng.uniform(0.42, 0.62),
        slice_share=rng.uniform(0.3, 0.5),
        noise_hu=10 + difficulty * rng.uniform(8, 25),
        peak_mm=rng.uniform(3.0, 4.5),
        shared=rng.uniform(0.25, 0.6),
        stretch=rng.uniform(1.0, 1.35),
    )


def blur_plane(volume, scanner, spacing_mm):
    """Blur slices in the plane, in place."""
    for axis in (1, 2):
        sigma = scanner.blur_mm / spacing_mm[axis]
        gaussian_filter1d(volume, sigma, axis=axis, output=volume, mode="nearest", truncate=3)


def noise_filter(shape, scanner, spacing_mm):
    """Compute the transfer function that turns white noise of a slice into a reconstruction's, of variance 1.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    scanner : Scanner
    spacing_mm : tuple of float
        Between rows and columns.

    Returns
    -------
    ndarray of shape (rows, columns // 2 + 1), float32
        For `scipy.fft.rfft2`. The power is f exp(-(f / c)^2), highest at c / sqrt(2), with a little of every frequency;
        f counts columns `scanner.stretch` times.
    """
    rows, columns = fft.fftfreq(shape[0], spacing_mm[0]), fft.fftfreq(shape[1], spacing_mm[1])
    frequency = np.hypot(rows[:, None], scanner.stretch * columns)
    cut = np.sqrt(2) / scanner.peak_mm
    power = (frequency + 0.03 * cut) * np.exp(-((frequency / cut) ** 2))
    gain = np.sqrt(power / power.mean())
    return gain[:, : shape[1] // 2 + 1].astype(np.float32)


def noise_slices(rng, scanner, grid):
    """Yield noise slice by slice: ndarrays of shape (rows, columns), float32, of standard deviation 1."""
    shape = tuple(fft.next_fast_len(n + 8, real=True) for n in grid.shape[1:])
    gain = noise_filter(shape, scanner, grid.spacing_mm[1:])
    norm = np.float32(1 / np.hypot(1, scanner.shared))
    before = None
    for _ in range(grid.shape[0] + 1):
        white = fft.rfft2(rng.standard_normal(shape, np.float32)) * gain
        drawn = fft.irfft2(white, shape)[: grid.shape[1], : grid.shape[2]]
        if before is not None:
            yield (drawn + np.float32(scanner.shared) * before) * norm
        before = drawn


def dose_map(grid):
    """Tell how strong noise is over rows and columns: most along the longest way through the chest."""
    _, rows, columns = grid.axes_mm
    middle = np.exp(-((rows[:, None] / 110) ** 2) - (columns / 160) ** 2)
    return (0.55 + 0.45 * middle).astype(np.float32)


def expose(rng, scanner, volume, grid):
    """Add the slice profile and noise, in place.

    Parameters
    ----------
    rng : numpy.random.Generator
    scanner : Scanner
    volume : ndarray of the grid's shape, float32
        HU, blurred in the plane already.
    grid : Grid

    Returns
    -------
    ndarray of the grid's shape, int16
    """
    gaussian_filter1d(volume, scanner.slice_share, axis=0, output=volume, mode="nearest", truncate=3)
    dose = dose_map(grid)
    out = np.empty(volume.shape, np.int16)
    heights = grid.axes_mm[0]
    for k, noise in enumerate(noise_slices(rng, scanner, grid)):
        shoulders = 1 / (1 + np.exp((55 - heights[k]) / 12))
        noise *= 1 + 0.5 * np.float32(shoulders)
        if shoulders > 0.05:
            lines = gaussian_filter1d(rng.standard_normal(noise.shape, np.float32), 30 / grid.spacing_mm[2], axis=1)
            noise += lines * np.float32(3.5 * shoulders)
        noise *= dose * np.float32(scanner.noise_hu)
        noise += volume[k]
        out[k] = np.clip(np.rint(noise, out=noise), LOWEST, HIGHEST, out=noise)
    return out


def streak(rng, centre_mm, strength, reach_mm, grid):
    """Draw the streaks of one slice about a dense vessel.

    Parameters
    ----------
    rng : numpy.random.Generator
    centre_mm : tuple of float
        Row and column of the vessel.
    strength : float
        HU, standard deviation near the vessel.
    reach_mm : float
        Where they have fallen to a third.
    grid : Grid

    Returns
    -------
    streaks : ndarray of float32
    window : tuple of slice
        Its rows and columns.
    """
    _, rows, columns = grid.axes_mm
    kept = [
        np.flatnonzero(np.abs(line - at) < 2.5 * reach_mm) for line, at in zip((rows, columns), centre_mm, strict=True)
    ]
    if not all(part.size for part in kept):
        return np.zeros((0, 0), np.float32), (slice(0, 0), slice(0, 0))
    window = tuple(slice(part[0], part[-1] + 1) for part in kept)
    away = rows[window[0], None] - centre_mm[0], columns[window[1]] - centre_mm[1]
    angle = np.arctan2(*away).astype(np.float32) + np.float32(np.pi)
    profile = gaussian_filter1d(rng.standard_normal(181), 1.0, mode="wrap") * 2
    profile[-1] = profile[0]
    drawn = np.interp(angle, np.linspace(0, 2 * np.pi, 181), profile)
    distance = np.hypot(*away)
    drawn *= strength * np.exp(-distance / reach_mm) * np.clip(distance / 8 - 0.5, 0, 1)
    return drawn.astype(np.float32), window


def draw_steps(rng, slices, spacing_mm, difficulty):
    """Draw which slice of the patient each slice of the scan shows.

    In the lower part of the scan up to `MOST_STEPS` slabs are shifted by 1.5 to 5 mm along the patient, where breath
    was not held. At a `difficulty` of 0 none is.

    Returns
    -------
    ndarray of shape (slices,), int64
        Not always ascending: what a step hides or shows twice.
    """
    order = np.arange(slices)
    if rng.random() >= 0.5 * min(difficulty, 1):
        return order
    for _ in range(rng.integers(1, MOST_STEPS + 1)):
        thick = max(2, round(rng.uniform(4, 14) / spacing_mm))
        first = int(rng.integers(1, max(2, int(0.6 * slices))))
        shift = round(rng.choice([-1, 1]) * rng.uniform(1.5, 5) / spacing_mm)
        order[first : first + thick] += shift
    return np.clip(order, 0, slices - 1)
