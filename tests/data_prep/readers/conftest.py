"""Small files as the tests of the readers need them."""

from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

SIZE = (17, 23)
CT_SHAPE = (13, 17, 23)
SPACING_MM = (1.25, 0.7, 0.6)
AXIAL = (1, 0, 0, 0, 1, 0)
# Slice, row, column of a voxel like no other, in the right lung's front, near the feet.
MARK = (2, 6, 7)


def frame_pixels(seed):
    """A coloured frame of 17x23 that no other seed has."""
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def polyp_mask(size=SIZE):
    """One polyp: 6 rows from row 4, 5 columns from column 9, so 30 pixels."""
    mask = np.zeros(size, dtype=np.uint8)
    mask[4:10, 9:14] = 255
    return mask


@pytest.fixture
def save(tmp_path):
    """Return save(name, pixels=frame, **options): writes an image below tmp_path and returns its path."""

    def save_image(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels).save(path, **options)
        return path

    return save_image


@pytest.fixture
def save_pair(save):
    """Return save_pair(frame, mask, seed): writes a random frame and a mask with one polyp."""

    def save_both(frame, mask, seed=0):
        return save(frame, frame_pixels(seed)), save(mask, polyp_mask())

    return save_both


@pytest.fixture
def listed(save_pair, tmp_path):
    """A folder of the form images/, masks/, frames.csv with three frames of two sequences."""
    for number, name in enumerate(("a1", "a2", "a10")):
        save_pair(f"images/{name}.jpg", f"masks/{name}.png", number)
    (tmp_path / "frames.csv").write_text("frame,sequence\na2,early\na1,late\na10,late\n")
    return tmp_path


def chest(seed=0, shape=CT_SHAPE):
    """HU of a body with two lungs and air around it, noise, and one marked voxel of 900 HU."""
    _, row, column = np.indices(shape)
    voxels = np.full(shape, -1000)
    voxels[((row - 8) / 7.5) ** 2 + ((column - 11) / 10) ** 2 < 1] = 40
    for middle in (7, 15):
        voxels[((row - 8) / 4.5) ** 2 + ((column - middle) / 3) ** 2 < 1] = -850
    voxels += np.random.default_rng(seed).integers(-20, 20, shape)
    voxels[MARK] = 900
    return voxels.astype(np.int16)


def clots(values=(1, 1)):
    """Two boxes in the middle between the lungs: 2x2x3 voxels near the feet and 3x3x3 near the head."""
    labels = np.zeros(CT_SHAPE, np.uint8)
    labels[1:3, 4:6, 10:13] = values[0]
    labels[8:11, 9:12, 11:14] = values[1]
    return labels


def write_series(folder, voxels, order=1, orientation=AXIAL, name="D{:04d}.dcm", **tags):
    """Write slices from feet to head as DICOM, numbered from the feet (order 1) or from the head (-1).

    `tags` are set in every file; a callable is given the slice. `lift` moves slices: {number: millimetres}.
    """
    import SimpleITK as sitk

    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetImageIO("GDCMImageIO")
    lift = tags.pop("lift", {})
    axes = np.reshape(orientation, (2, 3))
    for number, plane in enumerate(voxels):
        rank = number if order > 0 else len(voxels) - 1 - number
        position = (-7.5, -150.25, -800.5 + number * SPACING_MM[0] + lift.get(number, 0))
        image = sitk.GetImageFromArray(plane[None])
        image.SetSpacing((SPACING_MM[2], SPACING_MM[1], SPACING_MM[0]))
        image.SetDirection(np.column_stack([*axes, np.cross(*axes)]).ravel().tolist())
        image.SetOrigin(position)
        known = {"0008|0060": "CT", "0020|000d": "1.2.1", "0020|000e": "1.2.1.7", "0008|0018": f"1.2.1.7.{rank + 1}"}
        known |= {"0020|0013": str(rank + 1), "0028|1052": "-1024", "0028|1053": "1"}
        known |= {"0020|0032": "\\".join(map(str, position)), "0020|0037": "\\".join(map(str, orientation))}
        for tag, value in (known | {tag.replace("_", "|"): value for tag, value in tags.items()}).items():
            image.SetMetaData(tag, value(number) if callable(value) else value)
        writer.SetFileName(str(folder / name.format(rank + 1)))
        writer.Execute(image)
    return folder


def write_file(path, array, spacing_mm=SPACING_MM, origin=(-7.5, -150.25, -800.5), direction=None, compressed=True):
    """Write an array (slice, row, column) as NIfTI, NRRD or MetaImage."""
    import SimpleITK as sitk

    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(tuple(float(step) for step in spacing_mm[::-1]))
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.ravel(direction).astype(float).tolist())
    sitk.WriteImage(image, str(path), useCompression=compressed)
    return path


@pytest.fixture(scope="session")
def ct():
    """The functions above that make tiny chests and write them; those that write files need SimpleITK."""
    return SimpleNamespace(chest=chest, clots=clots, write_series=write_series, write_file=write_file)
