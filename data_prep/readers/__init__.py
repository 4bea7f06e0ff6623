"""Readers of public data sets; each returns a `data_prep.cohort.Cohort`."""

from data_prep.readers.carotid import read_carotid
from data_prep.readers.checks import check, fingerprint
from data_prep.readers.colonoscopy import read_colonoscopy
from data_prep.readers.ctpa import read_ctpa
from data_prep.readers.frame_quality import read_frames
from data_prep.readers.volumes import read_volumes

__all__ = ["check", "fingerprint", "read_carotid", "read_colonoscopy", "read_ctpa", "read_frames", "read_volumes"]
