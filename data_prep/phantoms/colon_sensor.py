"""From light to a frame of a phantom colonoscopy, and what of the mucosa is resolved in it.

The label of a frame is decided here, by quantities of the simulation alone: how far a point is spread, how much of
the light comes from mucosa, how strong it is beside noise and saturation. Neither the kind of a defect nor the
finished pixels are asked.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from data_prep.phantoms.colon_shading import CONTRAST, GAMMA, TONE

# What has to be resolved: detail of 7 pixels in a frame 500 wide (1 mm at a distance of 4 cm: a vessel), of a tenth of
# the local light (a fine vessel of a pale colon; thick ones of `colon_wall` take up to a half of the green).
DETAIL_PX = 7.0
DETAIL_CONTRAST = 0.10
# It keeps this part of its contrast after blur and veil: the dip between two points at Rayleigh's limit is 0.26 ...
MODULATION = 0.3
# ... stands out of the noise averaged over it by Rose's factor (Rose, J. Opt. Soc. Am. 1948) ...
ROSE = 5.0
# ... and differs by two grey levels of 255 on the screen, which nothing does whose green is above some 250.
VISIBLE = 2.0

DIAGONAL_PX = np.hypot(350, 500)


@dataclass(frozen=True)
class View:
    """A frame on its way to the sensor.

    Attributes
    ----------
    light : ndarray of shape (height, width, 3), float32
        Linear, not yet exposed.
    depth : ndarray of shape (height, width), float32
        Along the ray, in colon radii.
    clear : ndarray of shape (height, width), float32
        Share of the light that comes from mucosa, seen in its place.
    variance_px : ndarray of shape (height, width), float32
        Of the point spread along its longest direction, in squared pixels of a frame 500 wide.
    """

    light: np.ndarray
    depth: np.ndarray
    clear: np.ndarray
    variance_px: np.ndarray

    @property
    def scale(self):
        """Pixels of this frame to one of a frame 500 wide and 350 high."""
        return float(np.hypot(*self.depth.shape) / DIAGONAL_PX)

    @property
    def usual(self):
        """Red light of a well-lit place in this frame."""
        return float(np.percentile(self.light[::3, ::3, 0], 65))


def expose(view, look, inside, stops, rng):
    """Turn light into a frame, and tell where the mucosa is resolved in it.

    Parameters
    ----------
    view : View
    look : Look
    inside : ndarray of shape (height, width), bool
        The field of view.
    stops : float
        Exposure beside the right one, as a power of two; the processor answers darkness with gain, hence noise.
    rng : numpy.random.Generator

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), uint8
    resolved : float
        Share of the field of view.
    """
    red = view.light[:, :, 0]
    usual, bright = np.percentile(red[inside][::7], [65, 97])
    usual = max(usual, 0.12 * bright, 1e-6)
    gain = look.exposure * rng.uniform(0.8, 1.25) / usual * 2.0**stops * (red / usual) ** np.float32(CONTRAST)
    light = _bloom(view.light * (gain[:, :, None] * look.white), stops)
    noise = look.noise * view.scale * (1 + max(0.0, -0.7 * stops))
    # A smaller frame is the same sensor, binned: its optics and its noise shrink with it.
    blur = look.blur_px * view.scale
    table = TONE.take(np.minimum(np.sqrt(light) * 1024, TONE.size - 1).astype(np.int32))
    frame = gaussian_filter(table, (blur, blur, 0), truncate=2.5)
    grey, colour = rng.standard_normal((2, *inside.shape), dtype=np.float32) * np.float32(noise)
    frame += grey[:, :, None] + colour[:, :, None] * np.float32([0.6, 0.0, -0.6])
    seen = _resolved(light[:, :, 1], view, look, noise / view.scale)
    return (np.clip(frame + 0.5, 0, 255) * inside[:, :, None]).astype(np.uint8), float(seen[inside].mean())


def _bloom(light, stops):
    """Spread what saturates the sensor over its neighbours."""
    if stops <= 0:
        return light
    over = np.clip(light[::4, ::4].min(axis=2) - 3, 0, 12)
    over = gaussian_filter(over, 0.012 * light.shape[1])
    rows, columns = (np.minimum(np.arange(size) // 4, over.shape[k] - 1) for k, size in enumerate(light.shape[:2]))
    return light + 0.25 * over[rows][:, columns, None]


def _resolved(green, view, look, noise):
    """Tell where detail of DETAIL_PX is kept by the optics, above the noise and below saturation.

    In green light, which blood absorbs most. The tone curve is 255 (1 - exp(-x)) ** GAMMA of light to the power
    1 + CONTRAST; its slope by the logarithm of light turns contrast into grey levels, few where it is dark and none
    where the sensor saturates.
    """
    variance = view.variance_px + look.blur_px**2
    kept = view.clear * np.exp(-2 * np.pi**2 * variance / (2 * DETAIL_PX) ** 2)
    passed = np.maximum(1 - np.exp(-green), 1e-6)
    slope = 255 * GAMMA * (1 + CONTRAST) * passed ** (GAMMA - 1) * green * np.exp(-green)
    grain = np.hypot(noise, 12**-0.5)  # the noise of quantisation is never missing
    return (kept >= MODULATION) & (DETAIL_CONTRAST * kept * slope >= max(ROSE * grain / DETAIL_PX, VISIBLE))
