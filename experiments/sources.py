"""The data of the figures' scripts: a user's folder, or phantoms, made when needed."""

from functools import cache, partial

from tqdm import tqdm

from repro.runs import Data, digest


def colonoscopy(options):
    """Return the colonoscopy frames with polyps that the options name; see `_data`."""
    from data_prep.phantoms import colonoscopy as phantoms
    from data_prep.readers import read_colonoscopy

    phantom = phantoms.ColonoscopyPhantom(**vars(options.profile.colonoscopy_phantom))
    return _data(options, read_colonoscopy, phantoms, phantom)


def procedures(options):
    """Return the informative and uninformative frames that the options name; see `_data`."""
    from data_prep.phantoms import procedures as phantoms
    from data_prep.readers import read_frames

    phantom = phantoms.ProcedurePhantom(**vars(options.profile.procedure_phantom))
    return _data(options, read_frames, phantoms, phantom)


def carotid(options):
    """Return the carotid ultrasound that the options name; see `_data`."""
    from data_prep.phantoms import carotid as phantoms
    from data_prep.readers import read_carotid

    phantom = phantoms.CarotidPhantom(**vars(options.profile.carotid_phantom))
    return _data(options, read_carotid, phantoms, phantom)


def ctpa(options):
    """Return the CT angiograms that the options name; see `_data`."""
    from data_prep.phantoms import ctpa as phantoms
    from data_prep.readers import read_ctpa

    phantom = phantoms.CtpaPhantom(**vars(options.profile.ctpa_phantom))
    return _data(options, read_ctpa, phantoms, phantom)


def _data(options, read, phantoms, phantom):
    """Describe a user's folder, or that of phantoms, made when needed.

    Parameters
    ----------
    options : argparse.Namespace
        As `parse` returns it.
    read : callable
        From the folder to a Cohort.
    phantoms : module
        Of `data_prep.phantoms`: writes phantoms; it and its version give their folder its name.
    phantom : dataclass
        Its settings.

    Returns
    -------
    repro.runs.Data
    """
    from data_prep.readers import fingerprint

    folder = options.data
    if folder is None:
        kind, settings = phantoms.__name__.rpartition(".")[2], vars(phantom) | {"version": phantoms.VERSION}
        folder = options.results / "phantoms" / f"{kind}_{digest(settings)}"
        if not folder.is_dir():
            with tqdm(desc="phantoms", unit="subject", disable=None) as bar:
                phantoms.write(phantom, folder, partial(_show, bar), jobs=-1)
    read = cache(read)  # the fingerprint reads it too
    return Data(read(folder).name, str(folder), fingerprint(folder, read))


def _show(bar, done, total):
    """Move a bar to `done` of `total`."""
    bar.total, bar.n = total, done
    bar.refresh()
