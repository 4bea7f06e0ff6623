"""Readers of public data sets; each returns a `data_prep.cohort.Cohort`."""

from data_prep.readers.checks import check, fingerprint
from data_prep.readers.colonoscopy import read_colonoscopy

__all__ = ["check", "fingerprint", "read_colonoscopy"]
