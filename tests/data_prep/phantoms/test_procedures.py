import csv
import json
import pickle
from dataclasses import replace
from unittest.mock import Mock

import imageio.v3 as iio
import numpy as np
import pytest

from data_prep.phantoms import procedures
from data_prep.phantoms.colon_camera import lens
from data_prep.phantoms.colon_defects import DEFECTS
from data_prep.phantoms.colon_tracing import trace
from data_prep.phantoms.colon_withdrawal import see
from data_prep.phantoms.procedures import RESOLVED, Visibility, cohort, render_frame, write
from data_prep.phantoms.settings import ProcedurePhantom

SMALL = {"height": 70, "width": 100, "seed": 4}
FEW = ProcedurePhantom(2, 5, **SMALL)  # one set for most tests: growing a colon takes longer than a small frame


def rows(path):
    """Read a CSV file as a list of dicts."""
    with open(path) as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shares():
    """Resolved share of 3 videos of 33 frames: ndarray (3, 33)."""
    phantom = ProcedurePhantom(3, 33, **SMALL)
    return np.array([[render_frame(phantom, v, f)[1].resolved for f in range(33)] for v in range(3)])


def test_a_video_depends_on_its_seed_alone():
    pixels, seen = render_frame(FEW, 1, 2)
    again, seen_again = render_frame(ProcedurePhantom(7, 5, **SMALL), 1, 2)
    assert (pixels.shape, pixels.dtype) == ((70, 100, 3), np.uint8)
    assert np.array_equal(pixels, again)
    assert seen == seen_again
    other, _ = render_frame(ProcedurePhantom(2, 5, **SMALL | {"seed": 5}), 1, 2)
    assert not np.array_equal(pixels, other)


def test_about_half_of_the_frames_are_informative(shares):
    informative = shares >= RESOLVED
    assert 0.4 < informative.mean() < 0.6
    assert (informative.sum(axis=1) >= 8).all()
    assert (informative.sum(axis=1) <= 25).all()


def test_there_are_hard_frames_between_the_classes(shares):
    near = np.abs(shares - RESOLVED) < 0.2
    assert 0.1 < near.mean() < 0.4
    assert (shares < 0.1).mean() > 0.1
    assert (shares > 0.85).mean() > 0.1


def test_severity_sets_how_many_frames_are_lost():
    lost, strongest = [], []
    for severity in (0.0, 1.0, 1.8):
        phantom = ProcedurePhantom(1, 20, severity=severity, **SMALL)
        seen = [render_frame(phantom, 0, frame)[1] for frame in range(20)]
        lost.append(sum(not one.informative for one in seen))
        strongest.append(max(max(one.strengths.values()) for one in seen))
    assert strongest[0] == 0 < strongest[1] <= 1
    assert lost[0] <= 1
    assert lost[0] < lost[1] < lost[2]


def test_the_label_is_the_resolved_share_whatever_the_reason():
    for name in DEFECTS:
        assert Visibility(RESOLVED, dict.fromkeys(DEFECTS, 0.0) | {name: 1.0}).informative
        assert not Visibility(RESOLVED - 1e-6, dict.fromkeys(DEFECTS, 0.0) | {name: 0.01}).informative


def test_defects_last_for_some_frames():
    """The frame after one with a defect has it far more often than any frame has."""
    strengths = procedures._scene(ProcedurePhantom(1, 300, **SMALL), 0).strengths
    for name in ("contact", "stool", "glare"):
        there = strengths[name] > 0.1
        assert there[1:][there[:-1]].mean() > 1.5 * there.mean()
        assert ((strengths[name] > 0.3) & (strengths[name] < 0.7)).sum() > 10


def test_seeing_every_other_ray_is_seeing_all():
    """Beside a ray for each pixel: distances differ at edges alone, and so does the wall's colour."""
    scene = procedures._scene(FEW, 1)
    origin, rotation = scene.path.position[2], scene.path.rotation[2]
    rays = np.tensordot(rotation, lens(70, 100), 1)
    quick, full = see(scene, scene.bodies, origin, rays), trace(scene.wall, scene.bodies, origin, rays, scene.inside)
    assert np.mean(np.abs(quick.depth / full.depth - 1) < 0.03) > 0.9
    assert np.mean(np.abs(quick.material[:3] - full.material[:3]).max(axis=0) < 0.03) > 0.9
    black = [replace(body, tint=0 * body.tint) for body in scene.bodies]
    assert see(scene, black, origin, rays).material[:3].min() >= 0


def test_cohort_reads_frames_when_asked_and_says_phantom():
    found = cohort(FEW)
    frame = pickle.loads(pickle.dumps(found.subjects[1].images[4]))
    pixels, seen = render_frame(FEW, 1, 4)
    assert [len(subject.images) for subject in found.subjects] == [5, 5]
    assert "phantom" in found.caveats[0]
    assert (frame.name, frame.informative) == ("v01_f004", seen.informative)
    assert np.array_equal(frame.read_pixels(), pixels)


def test_written_frames_lie_in_the_folder_of_their_class(tmp_path):
    told = []
    folder = write(FEW, tmp_path / "set", progress=lambda done, total: told.append((done, total)))
    listed = rows(folder / "subjects.csv")
    assert told == [(1, 2), (2, 2)]
    assert [row["subject"] for row in listed] == ["v00"] * 5 + ["v01"] * 5
    for row, values, (video, frame) in zip(listed, rows(folder / "visibility.csv"), np.ndindex(2, 5), strict=True):
        pixels, seen = render_frame(FEW, video, frame)
        part = "informative" if seen.informative else "uninformative"
        assert row["file"] == values["file"] == f"{part}/v{video:02d}_f{frame:03d}.png"
        assert np.array_equal(iio.imread(folder / row["file"]), pixels)
        assert float(values["resolved"]) == pytest.approx(seen.resolved, abs=1e-4)
        assert [float(values[name]) for name in DEFECTS] == pytest.approx(list(seen.strengths.values()), abs=1e-4)
    assert len(list(folder.rglob("*.png"))) == 10
    about = json.loads((folder / "phantom.json").read_text())
    assert (about["name"], about["num_videos"], about["severity"]) == (procedures.NAME, 2, 1.0)


def test_a_class_without_frames_still_has_its_folder(tmp_path, monkeypatch):
    seen = Visibility(0.9, dict.fromkeys(DEFECTS, 0.0))
    monkeypatch.setattr(procedures, "render_frame", lambda *_: (np.zeros((32, 40, 3), np.uint8), seen))
    folder = write(ProcedurePhantom(1, 2), tmp_path / "set")
    assert list((folder / "uninformative").iterdir()) == []
    assert len(list((folder / "informative").iterdir())) == 2


def test_processes_write_the_same_bytes(tmp_path):
    one, two = write(FEW, tmp_path / "one"), write(FEW, tmp_path / "two", jobs=2)
    files = sorted(path.relative_to(one) for path in one.rglob("*.*"))
    assert len(files) == 2 * 5 + 3
    assert all((one / path).read_bytes() == (two / path).read_bytes() for path in files)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(procedures, "render_frame", Mock(side_effect=OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write(FEW, tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"num_videos": 0}, {"frames_per_video": 0}, {"height": 20}, {"severity": -0.5}])
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ValueError, match="Received"):
        ProcedurePhantom(**{"num_videos": 2, "frames_per_video": 3} | wrong)
