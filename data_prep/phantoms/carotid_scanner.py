"""A linear array: from scatterers to a B-mode image.

The echo is modelled at baseband: a scatterer at depth z returns its strength times exp(-4 pi i z / wavelength), spread
by the point spread function of its depth. The image is the envelope of that sum, compressed: speckle, its nulls and
the weak echo of tilted interfaces are interference, nothing is painted on.

Settings were chosen beside 48 images of the University of Cyprus data base. Medians there and of 48 phantom
patients: grey of the wall 33 and 37, of the adventitia 110 and 106, below it 42 and 46; the mean profile along MA peaks
at 115 and 117; the grain below MA (width of the autocorrelation at half height) is .29 x .70 mm and .29 x .73 mm. The
mean grey along MA rises fastest .03 mm above the experts' line there and .075 mm above the true interface here; along
LI it has risen to half .09 mm above the experts' line and .03 mm above the true interface.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter, map_coordinates

from data_prep.phantoms.carotid_scatterers import DENSITY
from data_prep.phantoms.carotid_tissue import LUMEN, MA, MUSCLE, boundaries_at

SPEED_MM_US = 1.54
EDGE_MM = 1.5  # simulated around the image, so that beams at its edge find tissue on both sides
# Loss of an echo in dB a mm of depth (way and return) and MHz, for the seven layers; blood's is low.
LOSS_DB = 0.01 * np.array([1.1, 1.2, 1.2, 0.2, 1.2, 1.2, 1.1])
GREY_CURVE = 1.6  # exponent of the grey map: the weakest echoes fade into black
VIDEO_MM = 0.05  # standard deviation of the filter behind the detector
SKIRT, SKIRT_DB = 5, -34.0  # side lobes: a second beam, how many times as wide and how far below the first


@dataclass(frozen=True)
class View:
    """Where the image lies: the depth of the centres of its top row, the side of a pixel, rows and columns."""

    top_mm: float
    mm_per_pixel: float
    height: int
    width: int

    @property
    def columns_mm(self):
        """Lateral positions of the columns' centres."""
        return (np.arange(self.width) - (self.width - 1) / 2) * self.mm_per_pixel


@dataclass(frozen=True)
class Probe:
    """An array and how the scanner is set.

    Attributes
    ----------
    frequency_mhz : float
        Centre frequency; 7 to 10 MHz for carotids.
    pulse_mm : float
        Standard deviation of the two-way pulse's envelope in depth.
    beam_mm, focus_mm, range_mm : float
        Standard deviation of the two-way beam at its focus, depth of the focus, and how far from it the beam is
        wider by the square root of two: a Gaussian beam.
    gain_db, range_db : float
        Grey is 0 at `-gain_db`, where 0 dB is adventitia, and 255 `range_db` above that.
    slope_db : float
        Amplification per mm of depth, as large as the loss down to the far wall.
    noise_db : float
        Of the receiver, as it shows at the depth of the focus.
    reverberation : tuple of (float, float)
        Delay in mm and strength in dB of the echoes that come a second time.
    tgc_db : tuple of float
        Errors of the time-gain sliders, evenly spaced down the image.
    """

    frequency_mhz: float = 7.5
    pulse_mm: float = 0.14
    beam_mm: float = 0.28
    focus_mm: float = 18.0
    range_mm: float = 8.0
    gain_db: float = 41.0
    range_db: float = 65.0
    slope_db: float = 0.06
    noise_db: float = -40.0
    reverberation: tuple[tuple[float, float], ...] = ()
    tgc_db: tuple[float, ...] = (0.0, 0.0)

    def beam_at(self, depth_mm):
        """Compute the standard deviation of the beam at a depth, in mm."""
        return self.beam_mm * np.sqrt(1 + ((depth_mm - self.focus_mm) / self.range_mm) ** 2)


def draw_probe(rng, wall_mm, difficulty):
    """Draw a scanner set for a far wall at the depth `wall_mm`; at a `difficulty` of 0, set without error."""
    frequency = rng.uniform(6.5, 9.0)
    delays = zip(rng.uniform(0.8, 3.5, 2), rng.uniform(-36, -24, 2) - 30 * (1 - min(difficulty, 1)), strict=True)
    return Probe(
        frequency_mhz=frequency,
        slope_db=frequency * (LOSS_DB[MUSCLE] * (wall_mm - 6.5) + LOSS_DB[LUMEN] * 6.5) / wall_mm,
        pulse_mm=rng.uniform(0.115, 0.15),
        beam_mm=rng.uniform(0.24, 0.32),
        focus_mm=wall_mm + difficulty * rng.normal(0, 2.5),
        range_mm=rng.uniform(6, 10),
        gain_db=41.5 + difficulty * rng.normal(0, 4.5),
        range_db=rng.uniform(61, 69),
        noise_db=rng.uniform(-48, -38) - 10 * (1 - difficulty),
        reverberation=tuple(delays),
        tgc_db=tuple(difficulty * (rng.normal(0, 1.5, 8) + np.linspace(-1, 1, 8) * rng.normal(0, 2))),
    )


def loss_db(anatomy, view, swelling, frequency_mhz):
    """Sum the loss of echo on the way to every point of a coarse grid.

    Returns
    -------
    ndarray of shape (rows, columns), float64
        Every fourth row and column of the padded image.
    """
    step = 4 * view.mm_per_pixel
    depth = np.arange(view.top_mm - EDGE_MM, view.top_mm + view.height * view.mm_per_pixel + EDGE_MM + step, step)
    half = (view.width - 1) / 2 * view.mm_per_pixel + EDGE_MM
    lateral = np.arange(-half, half + step, step)
    lines = boundaries_at(anatomy, lateral, swelling)
    inside = (depth[:, None, None] - lines[:-1].T).clip(0, np.diff(lines, axis=0).T)
    starts = lines[[MUSCLE, LUMEN, MA]]
    at_rest = lateral - swelling * anatomy.slide_mm
    shadows = [
        np.interp(at_rest, anatomy.lateral_mm, shade) * ((depth[:, None] - start) / 0.3).clip(0, 1)
        for start, shade in zip(starts, anatomy.shadows_db, strict=True)
    ]
    return inside @ LOSS_DB * frequency_mhz + sum(shadows)


def receive(probe, view, scatterers, noise=None):
    """Sum the echoes of all scatterers at baseband.

    Parameters
    ----------
    probe : Probe
    view : View
    scatterers : tuple of three ndarrays of shape (n,), float64
        Lateral positions and depths in mm, and strengths. Those outside the image and its margin are left out.
    noise : callable, optional
        Given a shape, returns complex noise that comes in with the echoes and passes the same filters.

    Returns
    -------
    ndarray of shape (height, width), complex64
        Random scatterers of strength 1 and of `carotid_scatterers.DENSITY` echo with a mean power of 1 at all depths.
        Time zero is calibrated: a sharp echo rises to half of its height where its reflector is.
    """
    lateral, depth, strength = scatterers
    edge, step = round(EDGE_MM / view.mm_per_pixel), view.mm_per_pixel
    shape = fft.next_fast_len(view.height + 2 * edge), fft.next_fast_len(view.width + 2 * edge)
    row, column = (depth - view.top_mm) / step + edge, (lateral - view.columns_mm[0]) / step + edge
    phase = np.exp(-4j * np.pi * probe.frequency_mhz / SPEED_MM_US * depth)
    echo = _deposit(row, column, strength / (step * np.sqrt(DENSITY)) * phase, shape)
    if noise:
        echo = echo + noise(shape)
    depths = view.top_mm + (np.arange(shape[0]) - edge) * step
    echo = _blur_laterally(echo, probe.beam_at(depths) / step)
    for delay_mm, level_db in probe.reverberation:
        late = round(delay_mm / step)
        echo[late:] = echo[late:] + np.float32(10 ** (level_db / 20)) * echo[:-late]
    echo = _blur_axially(echo, probe.pulse_mm / step)
    return echo[edge : edge + view.height, edge : edge + view.width]


def _deposit(row, column, echo, shape):
    """Share each echo among the four grid points around it."""
    inside = (row >= 0) & (row < shape[0] - 1) & (column >= 0) & (column < shape[1] - 1)
    row, column, echo = row[inside], column[inside], echo[inside]
    top, left = row.astype(int), column.astype(int)
    down, right = row - top, column - left
    first = top * shape[1] + left
    index = np.concatenate([first, first + 1, first + shape[1], first + shape[1] + 1])
    share = np.concatenate([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right])
    real, imaginary = (
        np.bincount(index, share * np.tile(part, 4), shape[0] * shape[1]) for part in (echo.real, echo.imag)
    )
    return (real + 1j * imaginary).reshape(shape).astype(np.complex64)


def _blur_laterally(echo, beam_px):
    """Spread every row with the beam of its depth, a Gaussian and its skirt of side lobes, at constant power."""
    waves = fft.fftfreq(echo.shape[1]).astype(np.float32)
    exponent = -2 * np.pi**2 * (beam_px[:, None].astype(np.float32) * waves) ** 2
    transfer = np.exp(exponent) + SKIRT * 10 ** (SKIRT_DB / 20) * np.exp(SKIRT**2 * exponent)
    transfer *= np.sqrt(2 * np.sqrt(np.pi) * beam_px[:, None]).astype(np.float32)
    return fft.ifft(fft.fft(echo, axis=1) * transfer, axis=1)


def _blur_axially(echo, pulse_px):
    """Spread every column with the pulse, at constant power, delayed so that it reaches half height at time zero."""
    waves = fft.fftfreq(echo.shape[0]).astype(np.float32)[:, None]
    delay = np.sqrt(2 * np.log(2)) * pulse_px
    transfer = np.exp(-2 * (np.pi * pulse_px * waves) ** 2 - 2j * np.pi * delay * waves)
    transfer *= np.sqrt(2 * np.sqrt(np.pi) * pulse_px)
    return fft.ifft(fft.fft(echo, axis=0) * transfer.astype(np.complex64), axis=0)


def image(rng, probe, view, anatomy, scatterers, swelling):
    """Make a B-mode image.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the noise of the receiver.
    probe : Probe
    view : View
    anatomy : carotid_tissue.Anatomy
    scatterers : tuple of three ndarrays of shape (n,)
        Lateral positions and depths in this frame, in mm, and strengths.
    swelling : float
        Of the artery in this frame.

    Returns
    -------
    ndarray of shape (height, width), uint8
    """
    lateral, depth, strength = scatterers
    lost = loss_db(anatomy, view, swelling, probe.frequency_mhz)
    step = 4 * view.mm_per_pixel
    where = [(depth - view.top_mm + EDGE_MM) / step, (lateral - view.columns_mm[0] + EDGE_MM) / step]
    weaker = map_coordinates(lost, where, order=1, mode="nearest")
    quiet = 10 ** ((probe.noise_db - probe.slope_db * probe.focus_mm) / 20) / np.sqrt(2)
    echo = receive(probe, view, (lateral, depth, strength * 10 ** (-weaker / 20)), partial(_hiss, rng, quiet))
    rows_mm = view.top_mm + np.arange(view.height) * view.mm_per_pixel
    sliders = np.interp(np.linspace(0, 1, view.height), np.linspace(0, 1, len(probe.tgc_db)), probe.tgc_db)
    gain = probe.gain_db + probe.slope_db * rows_mm + sliders
    envelope = gaussian_filter(np.abs(echo), VIDEO_MM / view.mm_per_pixel, truncate=3)
    level = 20 * np.log10(envelope + np.float32(1e-9)) + gain[:, None].astype(np.float32)
    return (255 * np.clip(level / probe.range_db, 0, 1) ** GREY_CURVE + 0.5).astype(np.uint8)


def _hiss(rng, size, shape):
    """Draw complex white noise."""
    return size * rng.standard_normal((*shape, 2), np.float32).view(np.complex64)[..., 0]
