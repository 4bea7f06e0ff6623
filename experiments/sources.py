"""The data of the figures' scripts: a user's folder, or phantoms, made when needed.

Content is hashed once: what is known of a folder is kept with its files' sizes and times, and holds until one of these
changes. So a figure is drawn again without reading a CT data set of 16 GB.
"""

import json
import os
from functools import cache, partial
from importlib import import_module
from pathlib import Path

from data_prep.phantoms import settings
from repro.runs import RESULTS_VERSION, Data, digest, write_atomically


def colonoscopy(options):
    """Return the colonoscopy frames with polyps that the options name; see `_data`."""
    phantom = settings.ColonoscopyPhantom(**vars(options.profile.colonoscopy_phantom))
    return _data(options, "read_colonoscopy", "colonoscopy", phantom)


def procedures(options):
    """Return the informative and uninformative frames that the options name; see `_data`."""
    phantom = settings.ProcedurePhantom(**vars(options.profile.procedure_phantom))
    return _data(options, "read_frames", "procedures", phantom)


def carotid(options):
    """Return the carotid ultrasound that the options name; see `_data`."""
    phantom = settings.CarotidPhantom(**vars(options.profile.carotid_phantom))
    return _data(options, "read_carotid", "carotid", phantom)


def ctpa(options):
    """Return the CT angiograms that the options name; see `_data`."""
    phantom = settings.CtpaPhantom(**vars(options.profile.ctpa_phantom))
    return _data(options, "read_ctpa", "ctpa", phantom)


def _data(options, reader, phantoms, phantom):
    """Describe a user's folder, or that of phantoms, made when needed.

    Parameters
    ----------
    options : argparse.Namespace
        As `parse` returns it.
    reader : str
        Name of a function of `data_prep.readers`, from a folder to a Cohort.
    phantoms : str
        Name of a module of `data_prep.phantoms`, which writes them.
    phantom : dataclass
        Its settings; with their version they give the folder its name.

    Returns
    -------
    repro.runs.Data
    """
    folder = options.data
    if folder is None:
        made_of = digest(vars(phantom) | {"version": phantom.version})
        folder = options.results / "phantoms" / f"{phantoms}_{made_of}"
        if not folder.is_dir():
            _write(phantoms, phantom, folder)
    return Data(folder=str(folder), **_describe(folder, reader, options.results))


def _write(phantoms, phantom, folder):
    """Write phantoms into a folder, and show how far that is."""
    from tqdm import tqdm

    module = import_module(f"data_prep.phantoms.{phantoms}")
    with tqdm(desc="phantoms", unit="subject", disable=None) as bar:
        module.write(phantom, folder, partial(_show, bar), jobs=-1)


def _show(bar, done, total):
    """Move a bar to `done` of `total`."""
    bar.total, bar.n = total, done
    bar.refresh()


def _describe(folder, reader, results):
    """Name a folder's data and hash them, or say what was found before, if no file has changed since."""
    folder = Path(folder).resolve()
    known = results / "data" / f"{digest({'folder': str(folder), 'reader': reader})}.json"
    seen = digest({"results_version": RESULTS_VERSION, "files": _files(folder)})
    if known.is_file():
        found = json.loads(known.read_text(encoding="utf-8"))
        if found.pop("seen") == seen:
            return found
    from data_prep import readers

    read = cache(getattr(readers, reader))  # the fingerprint reads it too
    found = {"name": read(folder).name, "fingerprint": readers.fingerprint(folder, read)}
    write_atomically(known, lambda file: file.write(json.dumps(found | {"seen": seen}).encode()))
    return found


def _files(folder):
    """List all files below a folder: path, size, and when content and entry last changed, in nanoseconds.

    The second time tells a file that was put in another's place with the other's size and time of change.
    """
    found = []
    for root, _, names in os.walk(folder, followlinks=True):
        for path in filter(os.path.exists, (os.path.join(root, name) for name in names)):
            about = os.stat(path)
            found.append((path, about.st_size, about.st_mtime_ns, about.st_ctime_ns))
    return sorted(found)
