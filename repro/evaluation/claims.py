"""The paper's four claims, each judged for each application: an effect, its interval, a verdict.

The rules were fixed on 2026-11-23, before any interval or verdict was computed; means over seeds of some arms had been
seen in figures before. Outcomes, their margins and the interval (95 %, over subjects and seeds) are those of
`outcomes`. Verdicts are "supported", "contradicted" and "undecided"; they are not corrected for their number.

What is chosen by validation is chosen once, by the means as measured, and does not change from resample to resample.
Among equals the shallower depth is chosen: it is the cheaper.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from repro.finetune import DEPTHS, label

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
SHALLOWEST, *MIDDLE, DEEPEST = DEPTHS
SCRATCH = "scratch"
ALL = "all"

STATEMENTS = {
    "C1": "Tuned as deep as its validation says, a pre-trained network does better than one trained from scratch, or "
    "as well.",
    "C2": "A tuned network (from conv1 on) loses less than one trained from scratch when training data are taken away.",
    "C3": "In this application a middle depth does better than the shallowest and than the deepest.",
    "C4": "Going one layer deeper as long as validation improves finds a depth as good as the best.",
}
STATEMENT_OF_ALL = "No single depth is among the best in every application."


@dataclass(frozen=True)
class Verdict:
    """A claim in one application: a row of a table, flat so that it can be written as one.

    Attributes
    ----------
    claim : str
        "C1" to "C4".
    application : str
        Or "all".
    statement : str
        What is judged.
    effect, low, high : float or None
        Positive speaks for the claim; in the outcome's unit. None where there is no single effect.
    verdict : str
        "supported", "contradicted" or "undecided".
    words : str
        What was compared, and what it came to.
    note : str
        What a reader must know of the interval; or empty.
    other_effect, other_low, other_high : float or None
        C4: the depths that were picked, minus conv1.
    """

    claim: str
    application: str
    statement: str
    effect: float | None
    low: float | None
    high: float | None
    verdict: str
    words: str
    note: str = ""
    other_effect: float | None = None
    other_low: float | None = None
    other_high: float | None = None


def judge(applications):
    """Judge all claims.

    Parameters
    ----------
    applications : iterable of repro.evaluation.outcomes.Evidence
        With all `DEPTHS` and "scratch", and these two with less data: "conv1", "scratch".

    Returns
    -------
    list of Verdict
        By claim, then by application; that of all applications together ends C3.
    """
    applications = list(applications)
    alone = [claim(one) for claim in (against_scratch, with_less_data, middle_depth) for one in applications]
    return [*alone, no_single_depth(applications), *map(procedure, applications)]


def against_scratch(evidence):
    """Judge C1: the depth with the best validation, mean over seeds, against scratch.

    Supported when the whole interval of depth minus scratch lies above minus the margin, contradicted when it lies
    below. "Better" is said when it lies above 0.

    Parameters
    ----------
    evidence : repro.evaluation.outcomes.Evidence

    Returns
    -------
    Verdict
    """
    depth = best_validated(evidence, DEPTHS)
    found = evidence.interval(evidence.mean(depth) - evidence.mean(SCRATCH))
    margin = evidence.outcome.difference(evidence.outcome.margin).lstrip("+")
    verdict = _above(found, -evidence.outcome.margin)
    meaning = {
        SUPPORTED: "better" if found.low > 0 else f"as well, within {margin}",
        CONTRADICTED: f"worse by more than {margin}",
        UNDECIDED: f"not shown to be within {margin} of it, nor to be worse by more",
    }
    words = f"{_said(evidence, depth)}, the best by validation, against {_said(evidence, SCRATCH)}: {meaning[verdict]}."
    return _row("C1", evidence, found, verdict, words)


def with_less_data(evidence):
    """Judge C2: what conv1 and what scratch lose when the training set shrinks.

    An arm loses its outcome with the whole training set minus the mean of those with less; the effect is what scratch
    loses more. A network near chance has nothing to lose: where scratch starts below conv1, a small loss is no merit
    (`words` then says so).

    Parameters
    ----------
    evidence : repro.evaluation.outcomes.Evidence

    Returns
    -------
    Verdict
    """
    less = tuple(share for arm, share in evidence.values if arm == DEEPEST and share < 1)
    after = {arm: np.mean([evidence.mean(arm, share) for share in less], axis=0) for arm in (DEEPEST, SCRATCH)}
    lost = {arm: evidence.mean(arm) - after[arm] for arm in after}
    found = evidence.interval(lost[SCRATCH] - lost[DEEPEST])
    moves = [f"{_said(evidence, arm)} to {evidence.outcome.shown(after[arm][0])}" for arm in (DEEPEST, SCRATCH)]
    shares = ", ".join(f"{share:.0%}" for share in less)
    floor = evidence.mean(SCRATCH)[0] < evidence.mean(DEEPEST)[0]
    more = " Scratch starts lower: a network near chance has little to lose." if floor else ""
    words = f"{' and '.join(moves)} (mean of {shares} of the training set).{more}"
    return _row("C2", evidence, found, _above(found, 0), words)


def middle_depth(evidence):
    """Judge C3 in one application: the middle depth with the best validation against the shallowest and the deepest.

    The effect is its outcome minus the higher of theirs; the higher one is taken within each resample, which is
    against the claim where the two are close. An application in which an end is best does not contradict the paper,
    whose claim is that the best depth differs (`no_single_depth`).

    Parameters
    ----------
    evidence : repro.evaluation.outcomes.Evidence

    Returns
    -------
    Verdict
    """
    middle = best_validated(evidence, MIDDLE)
    ends = np.maximum(evidence.mean(SHALLOWEST), evidence.mean(DEEPEST))
    found = evidence.interval(evidence.mean(middle) - ends)
    others = " and ".join(_said(evidence, arm) for arm in (SHALLOWEST, DEEPEST))
    words = f"{_said(evidence, middle)}, the best in between by validation, against {others}."
    return _row("C3", evidence, found, _above(found, 0), words)


def no_single_depth(applications):
    """Judge C3 over all applications: that the best depth differs.

    Each application has the depths that cannot be told from its best (`among_best`). Supported when no depth is among
    them everywhere; contradicted when one depth is, and is alone in each.

    Parameters
    ----------
    applications : list of repro.evaluation.outcomes.Evidence

    Returns
    -------
    Verdict
        Without an effect.
    """
    best = {evidence.application: among_best(evidence) for evidence in applications}
    everywhere = [depth for depth in DEPTHS if all(depth in of for of in best.values())]
    alone = all(of == tuple(everywhere) for of in best.values()) and len(everywhere) == 1
    verdict = CONTRADICTED if alone else UNDECIDED if everywhere else SUPPORTED
    lists = "; ".join(f"{name}: {', '.join(of)}" for name, of in best.items())
    words = f"Not told from the best: {lists}. In every list: {', '.join(everywhere) or 'none'}."
    return Verdict("C3", ALL, STATEMENT_OF_ALL, None, None, None, verdict, words)


def procedure(evidence):
    """Judge C4: the depth found layer by layer, for each seed by its own validation, against the best.

    The best is the depth with the highest mean on the test subjects themselves: it is known afterwards alone, and is
    flattered by the choice, so that the comparison is against the procedure. Supported when the interval of picked
    minus best lies above minus the margin, contradicted when it lies below.

    Parameters
    ----------
    evidence : repro.evaluation.outcomes.Evidence

    Returns
    -------
    Verdict
        With picked minus conv1 in `other_effect`.
    """
    seeds = range(len(evidence.seeds))
    walks = [layer_wise({depth: evidence.validation[depth][k] for depth in DEPTHS}) for k in seeds]
    columns = [evidence.values[depth, 1.0][:, k] for k, (depth, _) in enumerate(walks)]
    picked, best = evidence.over_seeds(np.stack(columns, axis=1)), best_tested(evidence)
    found = evidence.interval(picked - evidence.mean(best))
    other = evidence.interval(picked - evidence.mean(DEEPEST))
    words = (
        f"{_walk_words(evidence, walks)}: {evidence.outcome.shown(picked[0])}. Best on the test subjects: "
        f"{_said(evidence, best)}. Picked minus {DEEPEST}: {_interval_words(evidence, other)}."
    )
    ends = dict(zip(("other_effect", "other_low", "other_high"), _ends(other), strict=True))
    return _row("C4", evidence, found, _above(found, -evidence.outcome.margin), words, **ends)


def layer_wise(scores):
    """Tune one layer deeper while the validation score rises strictly; keep the last depth that rose.

    Parameters
    ----------
    scores : dict of str to float
        Of all `DEPTHS`.

    Returns
    -------
    depth : str
    trained : int
        Networks that had to be trained to know, the one that did not rise included.
    """
    for trained, (shallower, deeper) in enumerate(pairwise(DEPTHS), start=2):
        if not scores[deeper] > scores[shallower]:
            return shallower, trained
    return DEEPEST, len(DEPTHS)


def best_validated(evidence, depths):
    """Return the depth with the highest validation score, mean over seeds."""
    return max(depths, key=lambda depth: float(np.mean(evidence.validation[depth])))


def best_tested(evidence):
    """Return the depth with the highest outcome on the test subjects, mean over seeds."""
    return max(DEPTHS, key=lambda depth: float(evidence.mean(depth)[0]))


def among_best(evidence):
    """List the depths that cannot be told from the best one on the test subjects, shallow to deep; tuple of str.

    A depth is out when the whole interval of the best minus it lies above 0.
    """
    best = evidence.mean(best_tested(evidence))
    return tuple(depth for depth in DEPTHS if evidence.interval(best - evidence.mean(depth)).low <= 0)


def _above(interval, bar):
    """Judge on which side of a bar an interval lies; on a bar of 0 it must lie above, on a margin it may touch it."""
    if interval.low > bar or (bar < 0 and interval.low == bar):
        return SUPPORTED
    return CONTRADICTED if interval.high < bar else UNDECIDED


def _row(claim, evidence, interval, verdict, words, **other):
    effect, note = _ends(interval), _note(evidence, interval)
    return Verdict(claim, evidence.application, STATEMENTS[claim], *effect, verdict, words, note, **other)


def _note(evidence, interval):
    alone = "one seed: the interval is over subjects alone" if len(evidence.seeds) == 1 else ""
    same = (
        "both sides are equal in every resample: 0 is no measure of certainty"
        if interval.low == interval.high == 0
        else ""
    )
    return "; ".join(filter(None, (interval.note, alone, same)))


def _ends(interval):
    return tuple(float(value) for value in (interval.value, interval.low, interval.high))


def _said(evidence, arm):
    """Name an arm with its outcome: FT:conv1-fc8 .55."""
    return f"{label(arm)} {evidence.outcome.shown(evidence.mean(arm)[0])}"


def _walk_words(evidence, walks):
    """Say which depths were picked, and how many networks that took; walks : list of (depth, trained), by seed."""
    names = ", ".join(f"{depth} (seed {seed})" for seed, (depth, _) in zip(evidence.seeds, walks, strict=True))
    numbers = ", ".join(str(trained) for _, trained in walks)
    return f"Picked {names}, after {numbers} of {len(DEPTHS)} networks"


def _interval_words(evidence, interval):
    value, low, high = (evidence.outcome.difference(end) for end in _ends(interval))
    return f"{value} ({low} to {high})"
