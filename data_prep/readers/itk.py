"""SimpleITK, the optional extra `ct`: imported when a CT file is read, its messages turned into errors with a name."""

import contextlib

import numpy as np

DAMAGED = (
    "The file may be cut short, without pixels, or compressed in a way that GDCM does not know: download it again, or "
    "decompress it (gdcmconv --raw)."
)
SHEARED = "The scan has a tilted gantry: resample it to a straight grid."
# Between the two places where a NIfTI header has it; ITK takes one and warns of the other.
MAX_SPACING_CHANGE = 0.01


def require_sitk():
    """Import SimpleITK, or say how to install it.

    Raises
    ------
    ImportError
    """
    try:
        import SimpleITK as sitk
    except ImportError as error:
        raise ImportError(
            'DICOM, NIfTI, NRRD and MetaImage files are read by SimpleITK: pip install ".[ct]" (.npz need it not)'
        ) from error
    return sitk


@contextlib.contextmanager
def open_header(path, io=""):
    """Read a file's header and hand out its reader; what ITK raises within becomes an error with the file's name.

    Parameters
    ----------
    path : Path
    io : str
        ITK's name of the format ("GDCMImageIO"); "" lets ITK find it.

    Yields
    ------
    SimpleITK.ImageFileReader
        Its header has been read. ITK's warnings, which go to the terminal past Python, are off meanwhile.

    Raises
    ------
    FileNotFoundError
    ValueError
    """
    sitk = require_sitk()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(path))
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
        yield reader
    except RuntimeError as error:
        raise ValueError(
            f"{path}: expected {'a DICOM image' if io else 'a volume'} that SimpleITK can read. "
            f"Received: {_last_sentence(error)}. {SHEARED if 'orthonormal' in str(error) else DAMAGED}"
        ) from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def read_array(path, io=""):
    """Read a file's voxels, for DICOM with slope and intercept applied.

    Returns
    -------
    ndarray
        As the file has them, its slowest axis first: (slice, row, column) for most. A view where that is possible.
    """
    with open_header(path, io) as reader:
        return require_sitk().GetArrayFromImage(reader.Execute())


def array_geometry(reader):
    """Return how the array of a 3-D file lies in the patient.

    Parameters
    ----------
    reader : SimpleITK.ImageFileReader
        After its header has been read.

    Returns
    -------
    shape : tuple of int
        Of the array, slowest axis first.
    matrix : ndarray of shape (3, 4), float64
        From the array's index (and 1) to x, y, z in mm; ITK hands all formats in DICOM's coordinates.
    """
    size, spacing = reader.GetSize(), np.array(reader.GetSpacing())
    steps = np.reshape(reader.GetDirection(), (3, 3)) * spacing
    return tuple(size[::-1]), np.column_stack([steps[:, ::-1], reader.GetOrigin()])


def require_placed(reader, path):
    """Refuse a NIfTI header that does not say where the voxels lie, which ITK would make up.

    Raises
    ------
    ValueError
        When both codes of orientation (qform and sform) are 0, or pixdim and sform have different spacings.
    """
    codes = [int(reader.GetMetaData(key)) for key in ("qform_code", "sform_code") if reader.HasMetaDataKey(key)]
    if not codes:
        return  # not NIfTI
    spacing = np.array([float(reader.GetMetaData(f"pixdim[{axis}]")) for axis in (1, 2, 3)])
    rows = np.array([reader.GetMetaData(f"srow_{axis}").split()[:3] for axis in "xyz"], float)
    other = np.linalg.norm(rows, axis=0) if codes[1] > 0 else spacing
    if not any(codes) or np.abs(other / spacing - 1).max() > MAX_SPACING_CHANGE:
        raise ValueError(
            f"{path}: expected a NIfTI header that says where voxels lie. Received: qform_code {codes[0]}, sform_code "
            f"{codes[1]}, pixdim {spacing.tolist()}, spacing of sform {other.round(4).tolist()}. Convert the scan "
            "again from DICOM (dcm2niix); which side is left cannot be guessed."
        )


def _last_sentence(error):
    """Keep what ITK says of the cause: the last line, without the place in ITK's source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].split("): ", 1)[-1].rstrip(".") if lines else type(error).__name__
