"""A neck in longitudinal section: layers along a common carotid artery, and how they move with the pulse.

Depth is measured from the probe and lateral position from the middle of its face, both in mm. Seven layers lie
between eight boundaries, from the skin down: muscle, near adventitia, near intima and media, lumen, far intima and
media (between LI and MA), far adventitia, deep tissue. Levels of echo were set beside 48 images of the University of
Cyprus data base until mean profiles along the walls agreed (`carotid_scanner`).
"""

from dataclasses import dataclass

import numpy as np

MUSCLE, NEAR_ADVENTITIA, NEAR_WALL, LUMEN, FAR_WALL, ADVENTITIA, DEEP = range(7)
LI, MA = FAR_WALL, ADVENTITIA  # a layer's number is that of the boundary on top of it
IMT_MM = 0.4, 1.3
MAX_SLOPE = np.tan(np.deg2rad(8))
REACH_MM = 20.5  # the artery is known this far to both sides of the probe's middle
# Mean echo of each layer in dB above the far adventitia, and how much it differs between patients.
LEVEL_DB = np.array([-27.0, -7.0, -21.0, -70.0, -24.0, 0.5, -18.0])
PATIENTS_DB = np.array([3.0, 2.5, 2.0, 0.0, 2.0, 2.0, 5.0])


@dataclass(frozen=True)
class Anatomy:
    """One patient's artery at end diastole.

    Attributes
    ----------
    lateral_mm : ndarray of shape (n,), float64
        Positions at which the boundaries are known, ascending and evenly spaced.
    boundaries_mm : ndarray of shape (8, n), float64
        Depths of the boundaries of the seven layers.
    pulse_mm : ndarray of shape (8,), float64
        How far each boundary goes down at full distension; LI's follows from MA's (`spread_pulse`).
    slide_mm : float
        How far the tissue slides along the artery at full distension.
    level_db : ndarray of shape (7,), float64
        Mean echo of each layer.
    shadows_db : ndarray of shape (3, n), float64
        Loss of echo from the skin (poor contact), from the near wall and from MA (calcified plaque) downwards.
    """

    lateral_mm: np.ndarray
    boundaries_mm: np.ndarray
    pulse_mm: np.ndarray
    slide_mm: float
    level_db: np.ndarray
    shadows_db: np.ndarray


def wavy(rng, positions, wavelength, size):
    """Draw a smooth random function of standard deviation `size` and no feature much shorter than `wavelength`."""
    waves = np.abs(rng.normal(0, 1 / wavelength, (6, 1)))
    phases, heights = rng.uniform(0, 2 * np.pi, (6, 1)), rng.normal(0, size / np.sqrt(3), (6, 1))
    return (heights * np.cos(2 * np.pi * waves * positions + phases)).sum(axis=0)


def bump(positions, centre, half_width):
    """Rise from 0 to 1 at the centre and fall again, with no corner."""
    away = np.clip(np.abs(positions - centre) / half_width, 0, 1)
    return np.cos(away * np.pi / 2) ** 2


def _thickness(rng, lateral):
    """Draw the intima-media thickness along the far wall, and where a plaque is if there is one (0 to 1)."""
    base = IMT_MM[0] + 0.04 + 0.8 * rng.beta(2.2, 4.5)
    plain = base + rng.normal(0, 0.005) * lateral + wavy(rng, lateral, 5, 0.02)
    plaque = (rng.random() < 0.22) * bump(lateral, rng.uniform(-7, 7), rng.uniform(3, 7))
    thick = plain + plaque * max(0, rng.uniform(0.9, IMT_MM[1]) - base)
    # A wall thins by 5 % at systole, and stays in the range then too.
    return np.clip(thick, IMT_MM[0] / 0.95 + 0.001, IMT_MM[1] - 0.001), plaque


def _layers(rng, lateral):
    """Draw the eight boundaries, and where the near and the far wall hold a plaque."""
    bend = rng.normal(0, 0.002)
    steepest = MAX_SLOPE - min(abs(bend), 0.005) * 12
    tilt = np.clip(rng.normal(0, 0.04), -steepest, steepest)
    imt, plaque = _thickness(rng, lateral)
    middle = np.clip(bend, -0.005, 0.005) * lateral**2 / 2 + tilt * lateral
    skin_to_near, diameter = rng.uniform(8, 13), rng.uniform(5, 8)
    far_ma = skin_to_near + diameter + 1.5 + middle + wavy(rng, lateral, 12, 0.04)
    near_li = far_ma - imt.mean() - diameter + wavy(rng, lateral, 8, 0.06)
    near_plaque = (rng.random() < 0.2) * bump(lateral, rng.uniform(-10, 10), rng.uniform(2, 5))
    near_ma = near_li - rng.uniform(0.45, 0.8) - wavy(rng, lateral, 5, 0.02)
    near_li = near_li + near_plaque * rng.uniform(0.5, 1.5)
    near_top = near_ma - rng.uniform(0.6, 1.1) - wavy(rng, lateral, 5, 0.08)
    far_bottom = far_ma + np.maximum(0.35, rng.uniform(0.45, 0.9) + wavy(rng, lateral, 4, 0.12))
    flat = np.zeros_like(lateral)
    return (
        np.stack([flat, near_top, near_ma, near_li, far_ma - imt, far_ma, far_bottom, flat + 60]),
        near_plaque,
        plaque,
    )


def draw_anatomy(rng, difficulty):
    """Draw a patient.

    Parameters
    ----------
    rng : numpy.random.Generator
    difficulty : float
        0 for an artery without shadows whose wall stands out, 1 for real ones.

    Returns
    -------
    Anatomy
    """
    lateral = np.linspace(-REACH_MM, REACH_MM, 821)
    boundaries, near_plaque, plaque = _layers(rng, lateral)
    swell, share = rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.5)
    thinning = 0.05 * np.mean(boundaries[MA] - boundaries[LI])
    near, far = -(1 - share) * swell, share * swell
    pulse = np.array([0, near, near, near + thinning, far, far - thinning, far - thinning, 0])
    level = LEVEL_DB + PATIENTS_DB * rng.normal(size=7) + np.array([0, 0, 0, 0, -3, 0, 0]) * (1 - difficulty)
    contact = np.maximum(0, wavy(rng, lateral, 10, 2.5))
    calcium = [rng.uniform(5, 14) * (rng.random() < 0.5), rng.uniform(3, 9) * (rng.random() < 0.4)]
    shadows = np.stack([contact, calcium[0] * near_plaque**0.5, calcium[1] * plaque**0.5])
    slide = rng.normal(0, 0.25)
    return Anatomy(lateral, boundaries, pulse, slide, level, difficulty * shadows)


def distension(phase):
    """Tell how far the artery is distended at a phase of the cardiac cycle: 0 at end diastole (0), 1 at most."""
    return np.sin(np.pi * (phase % 1) ** 0.6) ** 2


def boundaries_at(anatomy, lateral_mm, swelling=0.0):
    """Find the boundaries of the layers in a distended artery.

    Parameters
    ----------
    anatomy : Anatomy
    lateral_mm : ndarray of shape (n,)
    swelling : float
        As `distension` gives it.

    Returns
    -------
    ndarray of shape (8, n), float64
        Depths in mm. Rows `LI` and `MA` are the interfaces.
    """
    at_rest = lateral_mm - swelling * anatomy.slide_mm
    moved = anatomy.boundaries_mm + swelling * spread_pulse(anatomy)
    return np.stack([np.interp(at_rest, anatomy.lateral_mm, line) for line in moved])


def spread_pulse(anatomy):
    """Spread the pulse along the artery; the intima-media complex thins by a twentieth everywhere.

    Returns
    -------
    ndarray of shape (8, n), float64
        How far each boundary goes down at full distension, in mm.
    """
    pulse = np.repeat(anatomy.pulse_mm[:, None], anatomy.lateral_mm.size, axis=1)
    thickness = anatomy.boundaries_mm[MA] - anatomy.boundaries_mm[LI]
    pulse[LI] = pulse[MA] + 0.05 * thickness
    return pulse
