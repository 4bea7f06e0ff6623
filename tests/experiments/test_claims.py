"""The claims' script on runs that are written by hand: no network is trained."""

import csv
import json

import numpy as np
import pytest

from experiments import claims, command
from repro import runs
from repro.evaluation import Contours, Detections, roc_detections
from repro.finetune import ARMS, DEPTHS, HANDCRAFTED
from repro.runs import Data

SEEDS = (0, 3)
SUBJECTS = 11
CAVEAT = "written by hand"


def quality(arm, fraction):
    """Deeper is better, and so is more data; scratch loses twice as much without."""
    rank = DEPTHS.index(arm) if arm in DEPTHS else -1
    return rank - (2 - 2 * fraction) * (2 if arm == "scratch" else 1)


def scores_of(application, arm, fraction, seed):
    """What a run of a quality says: scores further apart, or lines closer, the better it is and the higher its seed."""
    good = quality(arm, fraction) + 0.01 * seed
    if application == "carotid":
        return contours(10 - good)
    generator = np.random.default_rng(1)  # one for all arms: they differ in nothing but quality
    labels, subject = generator.permutation(132) < 60, np.arange(132) % SUBJECTS
    found = roc_detections(labels, generator.normal(size=132) + 0.3 * good * labels, subject)
    # Far more images than false positives would be let in at .1 an image, were there as many as negatives.
    return Detections(**vars(found) | {"num_images": np.full(SUBJECTS, 6)}) if application != "frame_quality" else found


def contours(error_px):
    """One ROI of one point for each subject, 10 um a pixel, LI and MA both off by the error."""
    truth, index = np.full((SUBJECTS, 2), 50.0), np.arange(SUBJECTS)
    names, found = index.astype(str), truth + error_px
    um, example = np.full(SUBJECTS, 10.0), np.zeros((2, 0, 2))
    return Contours(index, names, um, truth < 0, index, index, found, truth, tuple(names.tolist()), example)


def record_of(arm, seed):
    """Return what a run's json holds besides; validation rises with depth, but at seed 3 not from conv3 to conv2."""
    history = {"epochs": [{"auc": 0.5 + 0.01 * quality(arm, 1.0)}], "best_epoch": 1}
    if seed == 3 and arm == "conv2":
        history["epochs"][0]["auc"] = 0.1
    counts = {"train": {"subjects": 9}, "test": {"subjects": SUBJECTS}}
    known = {"caveats": [CAVEAT], "counts": counts, "seconds": 2.0, "versions": {"keras": "3"}}
    return known if arm == HANDCRAFTED else known | {"history": history}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Write all runs, judge them; return the folder and the arguments."""
    folder = tmp_path_factory.mktemp("claims")
    arguments = ["--profile", "smoke", "--results", str(folder / "results"), "--figures", str(folder / "figures")]
    arguments += ["--draw-only", "--seeds", *map(str, SEEDS)]
    with pytest.MonkeyPatch.context() as patch:
        faked = {name: (source_of(name), shares) for name, (_, shares) in claims.APPLICATIONS.items()}
        patch.setattr(claims, "APPLICATIONS", faked)
        options = command.parse("x: y", arguments, own_data=False)
        for application, (source, shares) in faked.items():
            wanted = command.list_runs(application, options, source(options), (*ARMS, HANDCRAFTED))
            wanted |= command.list_runs(application, options, source(options), claims.AMOUNTS, shares)
            for (arm, fraction, seed), run in wanted.items():
                runs.save(run, options.results, scores_of(application, arm, fraction, seed), record_of(arm, seed))
        claims.main(arguments)
        yield folder, arguments


def source_of(name):
    return lambda options: Data(f"{name} phantom", str(options.results), "0123")


@pytest.fixture
def known(judged):
    return json.loads((judged[0] / "figures" / "claims.json").read_text(encoding="utf-8"))


def test_the_file_says_what_it_stands_on(known):
    """Ten arms with all data; two with 2, 2, 3 and 2 shares; two seeds of each."""
    assert known["command"] == "make claims"
    assert (known["profile"], known["weights"], known["seeds"]) == ("smoke", "imagenet", [0, 3])
    assert known["runs"] == 2 * (4 * 10 + 2 * 9)
    assert known["seconds"] == 2.0 * known["runs"]
    assert any("FOR TESTS ONLY" in note for note in known["notes"])
    assert {app: of["data"] for app, of in known["applications"].items()} == {
        app: f"{app} phantom" for app in ("polyp", "embolism", "frame_quality", "carotid")
    }


def test_errors_stand_as_they_are_and_effects_as_gains(known):
    """Carotid by hand: conv1 errs by 10 - 7 pixels of 10 um, less .01 a seed's number; scratch by 11, 14 with .25."""
    carotid = known["applications"]["carotid"]
    arms = {(row["arm"], row["fraction"]): row for row in carotid["arms"]}
    assert arms["conv1", 1.0]["by_seed"] == pytest.approx([30.0, 29.7])
    assert arms["scratch", 0.25]["mean"] == pytest.approx(140 - 0.15)
    assert all(row["low"] <= row["mean"] <= row["high"] for row in carotid["arms"])
    assert (carotid["unit"], carotid["margin"], carotid["caveats"]) == ("µm", 5, [CAVEAT])
    effects = {row["claim"]: row["effect"] for row in known["verdicts"] if row["application"] == "carotid"}
    assert effects["C1"] == pytest.approx(110 - 30)
    # Scratch loses 40 - 40 fraction, conv1 half of that: the mean over .25 and .07 of 20 - 20 fraction.
    assert effects["C2"] == pytest.approx((15 + 18.6) / 2)
    # Seed 3 stops at conv3, two depths before the best: 20 um over two seeds.
    assert effects["C4"] == pytest.approx(-10)


def test_verdicts_have_their_reasons(known):
    rows = {(row["claim"], row["application"]): row for row in known["verdicts"]}
    assert len(rows) == len(known["verdicts"]) == 17
    assert rows["C1", "frame_quality"]["verdict"] == "supported"
    assert rows["C3", "carotid"]["verdict"] == "contradicted"
    assert rows["C3", "all"]["effect"] is None
    assert "Picked conv1 (seed 0), conv3 (seed 3), after 8, 7 of 8 networks: 39.8 µm" in rows["C4", "carotid"]["words"]


def test_the_table_is_that_of_the_file(judged, known):
    lines = (judged[0] / "figures" / "claims.csv").read_text(encoding="utf-8").splitlines()
    numbers = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert lines[0].startswith("# Phantoms of the four applications")
    assert [row["words"] for row in numbers] == [row["words"] for row in known["verdicts"]]
    effects = [float(row["effect"]) for row in numbers if row["effect"]]
    assert effects == [row["effect"] for row in known["verdicts"] if row["effect"] is not None]


def test_judging_again_gives_the_same_bytes(judged):
    folder, arguments = judged
    before = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    claims.main(arguments)
    assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == before
    assert set(before) == {"claims.json", "claims.csv"}


def test_a_run_that_is_missing_is_named(judged):
    with pytest.raises(FileNotFoundError, match=r"not done: polyp_.*seed9"):
        claims.main([*judged[1], "--seeds", "9"])


def test_claims_take_no_data_of_one_application(capsys):
    with pytest.raises(SystemExit):
        claims.main(["--data", "folder"])
    assert "unrecognized arguments: --data" in capsys.readouterr().err
