"""Figures as a page carries them: small, within the page itself, and in words."""

import base64
import io

from PIL import Image

WIDEST_PX = 1400
LARGEST_CHART = 120_000  # bytes; what needs more as a chart holds photographs
PHOTO_QUALITY = 82

WORDS = {
    "table_1": "Two tables of layers, with type, input, kernel, stride, padding and output of each: (a) the paper's "
    "network, (b) the one that this profile trains.",
    "table_2": "A table of learning rates: a row for each arm, a column for each layer from conv1 to fc8.",
    "fig_polyp_examples": "Twelve close-ups of polyps, from the smallest to the largest: flat, round and on a stalk, "
    "some in shadow, behind glare or cut by the frame's edge.",
    "fig_polyp_froc": "FROC curves, sensitivity against false positives per frame on a log axis: (a) a curve for each "
    "depth of fine-tuning, scratch and the handcrafted rival; (b) conv1 and scratch with all, half and a quarter of "
    "the training videos. Bars are 95 % intervals.",
    "table_s1": "Triangles of pairs of arms; a cell says at how many false positives per frame the two differ: the "
    "paper's, and ours by the paper's rule, by bootstrap intervals, and by a paired bootstrap.",
    "fig_pe_representation": "Five emboli in columns, each seen in five planes: axial, sagittal, coronal, along and "
    "across its vessel. An orange line shows the true border.",
    "fig_pe_froc": "FROC curves, sensitivity against false positives per volume: (a) by depth of fine-tuning, (b) by "
    "share of the training patients, (c) by share of the training emboli. Bars are 95 % intervals.",
    "table_s2": "Triangles of pairs of arms; a cell says at how many false positives per volume the two differ: the "
    "paper's, and ours by the paper's rule, by bootstrap intervals, and by a paired bootstrap.",
    "fig_frame_examples": "Eight colonoscopy frames: above, four informative ones; below, four that blur, glare, "
    "fluid or the wall make useless.",
    "fig_frame_roc": "ROC curves, true against false positive rate: (a) a curve for each depth of fine-tuning, scratch "
    "and the rivals; (b) conv1 and scratch with all, a tenth and less of the training frames. Bars are 95 % intervals.",
    "table_s3": "Triangles of pairs of arms; a cell says at which false positive rates the two differ: the paper's, "
    "and ours by the paper's rule, by bootstrap intervals, and by a paired bootstrap.",
    "fig_carotid_patches": "An ultrasound image of the carotid with a region of interest and dots on both interfaces "
    "and in the background; beside it the patches cut there, in three rows: LI, MA and background.",
    "fig_carotid_stages": "Five pictures of one region of interest: the image, the network's confidence in LI and MA, "
    "its maximum in each column, the lines after the snakes, and the true lines.",
    "fig_carotid_boxplots": "Box plots of the error of LI and of MA in micrometres on a log axis, a box for each depth "
    "of fine-tuning, for scratch and for the handcrafted rival; above each its mean and SD, the paper's in grey.",
    "table_s4": "Triangles of p values between pairs of arms, LI above and MA below: the paper's, a paired t test over "
    "ROIs, Wilcoxon's test and a paired bootstrap over subjects.",
    "fig_convergence": "Validation AUC against mini-batches on a log axis, a panel for each of the four applications: "
    "fine-tuning from conv1 on, and training from scratch after Gaussian, Xavier and MSRA initialisation.",
}
"""What a figure shows, for who does not see it; by the stem of its script."""


def embed(path):
    """Read a figure, make it small, and write it as an address that holds the image itself.

    Parameters
    ----------
    path : pathlib.Path
        PNG.

    Returns
    -------
    dict
        `uri`, "data:image/..."; `width` and `height` in pixels, at most 1400 wide.

    Raises
    ------
    ValueError
        When the file is no image.
    """
    try:
        with Image.open(path) as opened:
            image = _on_white(opened.convert("RGBA"))
    except OSError as error:
        raise ValueError(f"{path} is no image that can be read ({error}). Draw it again.") from error
    if image.width > WIDEST_PX:
        image = image.resize((WIDEST_PX, round(image.height * WIDEST_PX / image.width)), Image.Resampling.LANCZOS)
    # The octree keeps the colours of neighbouring arms apart: the coloured pixels of Figure 2 are 4 grey levels off,
    # with Pillow's own way to choose 256 colours 9, with 64 colours 11, and with WebP of quality 90, a larger file, 25.
    chart = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    kind, content = "png", _written(chart, "PNG", optimize=True)
    if len(content) > LARGEST_CHART:
        kind, content = "webp", _written(image, "WEBP", quality=PHOTO_QUALITY, method=6)
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return {"uri": uri, "width": image.width, "height": image.height}


def _on_white(image):
    """Return an RGBA image as RGB, white where it is transparent."""
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def _written(image, kind, **how):
    """Return the bytes of an image's file."""
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()
