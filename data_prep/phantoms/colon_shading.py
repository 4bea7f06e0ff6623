"""Light, highlights and the video chain of a phantom colonoscope."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from data_prep.phantoms.colon_tracing import dot

GAMMA = 1 / 1.75
# Extra power on brightness, not on hue. It and GAMMA are set so that the 5th, 50th and 95th percentiles of red
# within a frame lie where those of CVC-ColonDB lie (54, 152, 224 in its median frame).
CONTRAST = 0.45
TONE = np.float32(255 * (1 - np.exp(-((np.arange(4096) / 1024) ** 2))) ** GAMMA)
# Light enters mucosa and leaves it aside, red the farthest: its shadows end softly.
WRAP = np.array([0.40, 0.26, 0.20], np.float32)
AMBIENT = 0.06
# Wetness of what is not mucosa: bubbles shine, stool hardly does.
GLOSS = {"bubble": 1.5, "stool": 0.1}


@dataclass(frozen=True)
class Look:
    """How one video's scope and processor render.

    Attributes
    ----------
    lamp : ndarray of shape (3,), float32
        Where the light leaves the scope, beside the lens; in colon radii.
    white : ndarray of shape (3,), float32
        Gains of red, green and blue.
    exposure : float
        Linear brightness of the upper quartile of the field.
    gloss : float
        Strength of highlights.
    blur_px : float
        Standard deviation of the optical blur.
    fringe_px : int
        How far red and blue lie apart: processors that light the colours in turn.
    noise : float
        Standard deviation, in grey levels of 255.
    """

    lamp: np.ndarray
    white: np.ndarray
    exposure: float
    gloss: float
    blur_px: float
    fringe_px: int
    noise: float


def draw_look(rng):
    """Draw a video's Look."""
    lamp = rng.uniform(-0.1, 0.1, 3) * [1, 1, 0]
    white = np.exp(rng.normal(0.0, [0.05, 0.08, 0.15]))
    fringe = int(rng.choice([0, 0, 1, 1, 2]))
    scale = rng.uniform([0.4, 0.8, 0.5, 1.0], [1.1, 2.5, 1.0, 2.5])
    return Look(np.float32(lamp), np.float32(white), *scale[:3].tolist(), fringe, float(scale[3]))


def shade(hits, bodies, origin, rotation, look):
    """Light what the rays hit.

    Lambert with wrapped shadows, inverse-square fall-off from the lamp, Blinn-Phong highlights on the wet
    film's normals, and a little light that the wall throws back.

    Parameters
    ----------
    hits : Hits
    bodies : list of Body
    origin : ndarray of shape (3,)
    rotation : ndarray of shape (3, 3)
    look : Look

    Returns
    -------
    ndarray of shape (3, n), float32
        Linear light, not yet exposed.
    """
    light = (origin + rotation @ look.lamp)[:, None] - hits.points
    distance = np.sqrt(dot(light, light))
    light /= distance
    beam = np.clip(-(rotation[:, 2] @ light), 0.2, 1.0)
    strength = beam * beam * np.sqrt(beam) / (distance * distance + np.float32(0.03))
    facing, ambient = dot(hits.normals, light), AMBIENT / (0.3 + distance)
    shine = look.gloss * strength * _highlights(hits, bodies, light)
    lit = np.empty((3, distance.size), np.float32)
    for channel, albedo in enumerate(hits.material[:3]):
        soft = WRAP[channel]
        diffuse = np.maximum((facing + soft) / (1 + soft), 0.0)
        lit[channel] = hits.openness * albedo * (diffuse * strength + ambient * albedo) + shine
    return lit


def _highlights(hits, bodies, light):
    """Blinn-Phong with the lamp beside the lens (half vector = light), broken up by the wet film.

    The film's slopes tilt the normal around the z axis and along it, as the grid of the wall lies.

    The exponent is 256: eight squarings.
    """
    wet, film = hits.material[3], hits.material[4:6]
    for number, body in enumerate(bodies, start=1):
        if body.kind in GLOSS:
            wet[hits.owner == number] = GLOSS[body.kind]
    x, y, z = hits.normals
    turn = film[0] / np.sqrt(x * x + y * y + np.float32(0.01))
    normals = np.stack([x - turn * y, y + turn * x, z + film[1]])
    shine = np.maximum(dot(normals, light), 0.0) ** 2 / dot(normals, normals)
    for _ in range(7):
        shine *= shine
    return 12.0 * wet * shine


def develop(light, inside, look, rng):
    """Turn linear light into a frame: exposure, tone, blur, colour fringes, interlace, noise.

    Parameters
    ----------
    light : ndarray of shape (3, n), float32
        Of the pixels inside.
    inside : ndarray of shape (height, width), bool
    look : Look
    rng : numpy.random.Generator
        Of this frame.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
        Black outside the field.
    """
    # A near fold that fills little of the frame must not leave the rest in the dark, nor glare.
    usual, bright = np.percentile(light[0, ::7], [65, 97])
    usual = max(usual, 0.12 * bright, 1e-6)
    gain = look.exposure * rng.uniform(0.8, 1.25) / usual * (light[0] / usual) ** np.float32(CONTRAST)
    fringe, blur = int(rng.integers(0, look.fringe_px + 1)), look.blur_px * rng.choice([1.0, 1.0, 1.0, 1.8])
    sweep = rng.choice([0.0, 0.0, 0.0, 0.0, 2.5])
    comb = int(rng.choice([0, 0, 0, 1, 2]))
    grain = look.noise * rng.standard_normal(inside.shape, dtype=np.float32)
    frame = np.zeros((*inside.shape, 3), np.uint8)
    for channel, shift in enumerate((-fringe, 0, fringe)):
        plane = np.zeros(inside.shape, np.float32)
        plane[inside] = _tone(light[channel] * gain * look.white[channel])
        plane = gaussian_filter(np.roll(plane, shift, axis=1), (blur, blur + sweep), truncate=2.5)
        plane[1::2] = np.roll(plane[1::2], comb, axis=1)
        frame[:, :, channel] = np.clip(plane + grain + 0.5, 0, 255) * inside
    return frame


def _tone(light):
    """Compress highlights and encode: 255 (1 - exp(-light)) to the power GAMMA, read from a table of square roots."""
    return TONE.take(np.minimum(np.sqrt(light) * 1024, TONE.size - 1).astype(np.int32))
