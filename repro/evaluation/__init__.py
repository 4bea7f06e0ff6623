"""Scores to statistics: FROC and ROC curves, their intervals, and which arms differ."""

from repro.evaluation.comparison import Pair, compare, holm, paired_difference
from repro.evaluation.froc import Detections, curve, froc_curve, sensitivity_at
from repro.evaluation.intervals import Interval, bootstrap, clopper_pearson, froc_interval, roc_interval
from repro.evaluation.roc import auc, roc_curve, roc_detections

__all__ = [
    "Detections",
    "Interval",
    "Pair",
    "auc",
    "bootstrap",
    "clopper_pearson",
    "compare",
    "curve",
    "froc_curve",
    "froc_interval",
    "holm",
    "paired_difference",
    "roc_curve",
    "roc_detections",
    "roc_interval",
    "sensitivity_at",
]
