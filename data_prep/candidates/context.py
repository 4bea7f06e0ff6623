"""Step 2."""

import numpy as np
from scipy import fft, ndimage

PROFILE_SAMPLES = 16
COEFFICIENTS = 6
# (blur, step along the normal, step along the edge) px of the reduced frame
SCALES = ((1.0, 2.0, 6.0), (3.0, 6.0, 16.0))


def log_colours(frame):
    """Return (3, h, w)."""
    safe = np.log(frame + 0.03)
    light = safe.mean(axis=2)
    return np.stack([light, safe[:, :, 0] - safe[:, :, 1], safe[:, :, 1] - safe[:, :, 2]])


def describe(colours, real, edges):
    """Return (2, n, f)."""
    centre = np.median(colours[:, real][:, ::7], axis=1)[:, None, None]
    colours = colours - centre
    parts = [_profiles(colours, edges, *scale) for scale in SCALES]
    forward = np.concatenate(parts, axis=2)  # (n, tangent, scales*channels, coef)
    sign = (-1.0) ** np.arange(COEFFICIENTS)
    backward = forward[:, ::-1] * sign
    n = len(edges.points)
    return np.stack([forward.reshape(n, -1), backward.reshape(n, -1)]).astype(np.float32)


def _profiles(colours, edges, blur, along, across):
    smooth = ndimage.gaussian_filter(colours, (0, blur, blur))
    t = (np.arange(PROFILE_SAMPLES) - (PROFILE_SAMPLES - 1) / 2) * along
    s = np.array([-across, 0, across])
    tangents = edges.normals[:, ::-1] * np.array([1, -1])
    where = (
        edges.points[:, None, None]
        + s[:, None, None] * tangents[:, None, None]
        + t[:, None] * edges.normals[:, None, None]
    )
    h, w = colours.shape[1:]
    r = np.clip(np.rint(where[..., 0]).astype(int), 0, h - 1)
    c = np.clip(np.rint(where[..., 1]).astype(int), 0, w - 1)
    values = smooth[:, r, c]  # 3, n, s, t
    coef = fft.dct(values, axis=-1, norm="ortho")[..., :COEFFICIENTS]
    return np.moveaxis(coef, 0, 2)  # n, s, 3, coef
