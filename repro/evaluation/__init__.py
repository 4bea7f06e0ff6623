"""Scores to statistics: FROC and ROC curves, their intervals, and which arms differ."""

from repro.evaluation.boundaries import Contours, boundary_error, imt, imt_errors, roi_errors, roi_imts
from repro.evaluation.comparison import Pair, compare, holm, paired_difference
from repro.evaluation.delong import auc_bootstrap, auc_difference, auc_interval, delong
from repro.evaluation.froc import Detections, curve, froc_curve, sensitivity_at
from repro.evaluation.intervals import Interval, bootstrap, clopper_pearson, froc_interval, roc_interval
from repro.evaluation.paired import PairedErrors, compare_errors
from repro.evaluation.roc import auc, roc_curve, roc_detections

__all__ = [
    "Contours",
    "Detections",
    "Interval",
    "Pair",
    "PairedErrors",
    "auc",
    "auc_bootstrap",
    "auc_difference",
    "auc_interval",
    "bootstrap",
    "boundary_error",
    "clopper_pearson",
    "compare",
    "compare_errors",
    "curve",
    "delong",
    "froc_curve",
    "froc_interval",
    "holm",
    "imt",
    "imt_errors",
    "paired_difference",
    "roc_curve",
    "roc_detections",
    "roc_interval",
    "roi_errors",
    "roi_imts",
    "sensitivity_at",
]
