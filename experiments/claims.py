"""Claims C1 to C4: a verdict on each, in each application, with its effect and its interval.

Claims tested: a network tuned deep enough beats one from scratch, or equals it (C1); it suffers less from less data
(C2); neither shallow nor deep tuning is best everywhere (C3); going layer by layer finds the best depth (C4).
Paper: all four hold.
Ours (quick profile, phantoms): figures/claims.json, the report and the README have the verdicts; the rules, fixed
before there were any, are those of repro/evaluation/claims.py.
Time: about an hour on 2 cores with the quick profile and nothing done before (174 runs), 7 seconds from runs that are
done.

    python experiments/claims.py
"""

import csv
import json
from dataclasses import asdict

from experiments import captions, command, sources
from experiments.facts import facts
from repro.evaluation.claims import judge
from repro.evaluation.outcomes import gather
from repro.files import replacing
from repro.finetune import ARMS, HANDCRAFTED
from repro.runs import Data

AMOUNTS = ("conv1", "scratch")  # what the paper compares with less data
APPLICATIONS = {
    "polyp": (sources.colonoscopy, (0.5, 0.25)),
    "embolism": (sources.ctpa, (0.5, 0.25)),
    "frame_quality": (sources.procedures, (0.1, 0.05, 0.01)),
    "carotid": (sources.carotid, (0.25, 0.07)),  # .07 is the least: two patients, one of whom validates
}
"""Data and reduced shares of the training set; of patients or videos, but of frames in frame_quality, as the paper."""
PHANTOMS = Data("Phantoms of the four applications", "", "")
INTERVALS = "95 % intervals over subjects and seeds (crossed bootstrap). Verdicts are not corrected for their number."


def main(arguments=None):
    """Make the runs of all applications, then judge."""
    options = command.parse(__doc__, arguments, seeds=(0, 1, 2), own_data=False)
    found = {application: runs_of(application, options) for application in APPLICATIONS}
    evidence = {application: gather(application, runs) for application, runs in found.items()}
    verdicts = [asdict(verdict) for verdict in judge(evidence.values())]
    notes = [captions.title(options, PHANTOMS), INTERVALS]
    known = facts("claims", "", options, None, "\n".join(notes))
    said = {key: known[key] for key in ("profile", "weights", "seeds", "runs", "seconds", "versions", "notes")}
    applications = {name: about(evidence[name], found[name].values()) for name in evidence}
    write(options.figures, {"command": "make claims"} | said, applications, verdicts)


def runs_of(application, options):
    """Make all runs of an application: every arm, and two of them with less data."""
    source, fractions = APPLICATIONS[application]
    data = source(options)
    wanted = command.list_runs(application, options, data, (*ARMS, HANDCRAFTED))
    return command.make(wanted | command.list_runs(application, options, data, AMOUNTS, fractions), options)


def about(evidence, found):
    """Describe an application: data, outcome, caveats, and every arm with its interval, in the outcome's own sign."""
    records = [record for _, record in found]
    outcome = evidence.outcome
    return {
        "data": records[0]["definition"]["data"]["name"],
        "outcome": outcome.name,
        "unit": outcome.unit,
        "margin": outcome.margin,
        "caveats": [
            *captions.few_subjects(evidence.num_subjects),
            *captions.caveats(records),
        ],
        "arms": [arm_row(evidence, *cell) for cell in evidence.values],
        "validation": {arm: scores.tolist() for arm, scores in evidence.validation.items()},
    }


def arm_row(evidence, arm, fraction):
    """Describe an arm: its number with interval, and of each seed."""
    found, sign = evidence.interval(evidence.mean(arm, fraction)), evidence.outcome.sign
    low, high = sorted((sign * float(found.low), sign * float(found.high)))
    by_seed = (sign * evidence.values[arm, fraction][0]).tolist()
    mean = sign * float(found.value)
    return {"arm": arm, "fraction": fraction, "mean": mean, "low": low, "high": high, "by_seed": by_seed}


def write(folder, said, applications, verdicts):
    """Write claims.json and claims.csv, a row for each verdict, and print them."""
    whole = said | {"applications": applications, "verdicts": verdicts}
    with replacing(folder / "claims.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with replacing(folder / "claims.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in said["notes"])
        rows = csv.DictWriter(file, verdicts[0], lineterminator="\n")
        rows.writeheader()
        rows.writerows(verdicts)
    for verdict in verdicts:
        print("{claim} {application:13} {verdict:12} {words}".format(**verdict))
    for ending in ("json", "csv"):
        print(folder / f"claims.{ending}")


if __name__ == "__main__":
    command.run_script(main)
