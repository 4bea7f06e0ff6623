"""From a folder of frames or a video to a table and a picture, by the network of a run that is done (profile smoke)."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_prep.candidates.polyps import Candidates
from data_prep.readers import fingerprint
from data_prep.readers.images import read_pixels
from repro import detect, detect_images, networks, runs, sweep
from repro.applications import polyp
from repro.inference import candidate_scores
from repro.profiles import load_profile
from repro.runs import Data, Run

DECOYS = np.array([[2, 3, 14, 15], [40, 5, 14, 12], [3, 60, 10, 12]], np.float32)


class Finder:
    """Stand-in for the candidate generator: proposes the box about what is red, and three decoys."""

    def propose(self, pixels, most):
        row, column = np.argwhere(pixels[..., 0] > 150).mean(axis=0)
        boxes = np.vstack([[row - 8, column - 8, 17, 17], DECOYS])[:most].astype(np.float32)
        scores = np.array([0.9, 0.7, 0.4, 0.2], np.float32)[:most]
        return Candidates(boxes[:, :2] + boxes[:, 2:] / 2, boxes, scores)


@pytest.fixture(scope="module", autouse=True)
def quick_generator():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polyp, "fit_detector", lambda *_, **__: Finder())
        patch.setattr(polyp, "Parallel", lambda **_: list)
        patch.setattr(polyp, "delayed", lambda function: function)
        yield


def polyp_at(number):
    """Return the centre of the red disc in a frame: row, column."""
    return 25 + 3 * number % 11, 30 + 7 * number % 23


def pixels_of(number):
    """Return frame `number`, 60x80 pixels, and its mask."""
    rows, columns = np.mgrid[:60, :80]
    row, column = polyp_at(number)
    disc = np.hypot(rows - row, columns - column) < 8.5
    pixels = np.random.default_rng(number).integers(60, 110, (60, 80, 3), np.uint8)
    pixels[disc, 0] = 200
    return pixels, disc


def write_data(folder):
    """Write 7 sequences of 2 frames as a user would."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(14):
        pixels, disc = pixels_of(number)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        Image.fromarray(disc.astype(np.uint8) * 255).save(folder / "masks" / f"{number}.png")
    listed = "".join(f"{number},{number // 2}\n" for number in range(14))
    (folder / "frames.csv").write_text(f"frame,sequence\n{listed}")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return a folder with `data`, and `results` in which a network from scratch and the rival are done."""
    folder = tmp_path_factory.mktemp("done")
    write_data(folder / "data")
    settings = load_profile("smoke", ["polyp.test_scales=[1.0, 1.3, 1.5]"]).settings("polyp")
    data = Data("Discs", str(folder / "data"), fingerprint(folder / "data"))
    for arm in ("scratch", "handcrafted"):
        sweep.perform(Run("polyp", arm, 1.0, 0, "imagenet", "smoke", settings, data), folder / "results")
    return folder


@pytest.fixture
def copy(done, tmp_path):
    """Return a copy of `done` that a test may spoil; its records still name the first one's data."""
    return shutil.copytree(done, tmp_path / "copy")


@pytest.fixture
def undrawn(monkeypatch):
    """Draw nothing, which saves a second; return what would be drawn."""
    shown = []
    monkeypatch.setattr(detect.detect_sheet, "save", lambda _path, found, _notes: shown.extend(found))
    return shown


def ask(folder, arm="scratch", **changes):
    """Return a request for the run of an arm."""
    name = next(name for name in runs.list_done("polyp", folder / "results") if f"_{arm}_" in name)
    values = {"run": name, "results": folder / "results", "out": folder / "out"}
    return detect.Request("polyp", **values | changes)


def frames(*numbers):
    return [(f"frame {number}", lambda number=number: pixels_of(number)[0]) for number in numbers]


def read(path):
    """Return the notes and the rows of a table."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line[0] == "#"], list(csv.DictReader(line for line in lines if line[0] != "#"))


def never(*_):
    raise AssertionError("nothing was to be trained")


def test_a_network_trained_again_gives_the_scores_of_its_run_to_the_bit_and_is_kept(copy, monkeypatch):
    request = ask(copy)
    run, record = runs.reopen(request.run, request.results)
    stored, _ = runs.load(run, request.results)
    patches = polyp.patches(run, request.results)
    again, caveats = networks.trained(run, request.results, record["history"], lambda: patches)
    table, candidate = patches.testing()
    np.testing.assert_array_equal(candidate_scores(again, table, candidate), stored.score)
    assert caveats == []
    monkeypatch.setattr(networks, "train", never)
    kept, _ = networks.trained(run, request.results, record["history"], never)
    np.testing.assert_array_equal(candidate_scores(kept, table, candidate), stored.score)


def test_frames_in_a_folder_get_candidates_with_probabilities_and_places(done):
    """6 test frames: the table's probability is what the run said of the same box, the mean over its 3 views."""
    request = ask(done)
    run, _ = runs.reopen(request.run, request.results)
    task, (stored, _) = polyp.prepare(run.data, run.settings["polyp"], request.results), runs.load(run, request.results)
    chosen = task.of(task.test_names)
    tested = np.unique(task.image[chosen]).tolist()
    images = dict(detect_images.frames_in(done / "data" / "images"))
    table, picture, failed = detect.detect(request, [(f"{number}.png", images[f"{number}.png"]) for number in tested])
    notes, rows = read(table)
    assert [row["image"] for row in rows] == [f"{number}.png" for number in tested for _ in range(4)]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"] * 6
    found = {(row["image"], float(row["top"]), float(row["left"])): float(row["probability"]) for row in rows}
    for index, score in zip(chosen, stored.score, strict=True):
        top, left = (round(float(value), 2) for value in task.boxes[index, :2])
        assert found[f"{task.image[index]}.png", top, left] == pytest.approx(score, abs=1e-5)
    for number in tested:
        own = [float(row["probability"]) for row in rows if row["image"] == f"{number}.png"]
        assert own == sorted(own, reverse=True)
    assert "NOT FOR CLINICAL USE" in notes[0]
    assert any("trained on 100% of the training side of Discs (4 subjects" in note for note in notes)
    assert failed == []
    assert picture.stat().st_size > 10_000


@pytest.mark.usefixtures("undrawn")
def test_the_second_time_nothing_is_trained_and_the_table_is_the_same(copy, monkeypatch):
    first = detect.detect(ask(copy), frames(1, 4))[0].read_bytes()
    monkeypatch.setattr(networks, "train", never)
    assert detect.detect(ask(copy, out=copy / "again"), frames(1, 4))[0].read_bytes() == first


@pytest.mark.usefixtures("undrawn")
def test_the_rival_gives_its_own_scores_and_places(done):
    table, *_ = detect.detect(ask(done, "handcrafted"), frames(5))
    row, column = polyp_at(5)
    _, rows = read(table)
    assert [float(row["probability"]) for row in rows] == pytest.approx([0.9, 0.7, 0.4, 0.2])
    assert [float(rows[0][key]) for key in ("top", "left", "height", "width")] == [row - 8, column - 8, 17, 17]


def test_candidates_of_low_probability_are_left_out_and_the_picture_has_the_best(done, undrawn):
    """The rival gives .9, .7, .4 and .2 in each of three frames."""
    table, *_ = detect.detect(ask(done, "handcrafted", least=0.3, top=4), frames(3, 8, 2))
    assert [row["probability"] for row in read(table)[1]] == ["0.900000", "0.700000", "0.400000"] * 3
    assert [candidate.image for candidate in undrawn] == ["frame 3", "frame 8", "frame 2", "frame 3"]
    assert [candidate.probability for candidate in undrawn] == pytest.approx([0.9, 0.9, 0.9, 0.7])
    np.testing.assert_array_equal(undrawn[1].overview, pixels_of(8)[0])


@pytest.mark.usefixtures("undrawn")
def test_an_image_that_cannot_be_read_is_named_and_does_not_stop_the_others(done, tmp_path):
    for number in (3, 12):
        Image.fromarray(pixels_of(number)[0]).save(tmp_path / f"{number}.png")
    (tmp_path / "7.png").write_bytes(b"no image")
    table, _, failed = detect.detect(ask(done, "handcrafted"), detect_images.frames_in(tmp_path))
    notes, rows = read(table)
    assert [row["image"] for row in rows] == ["3.png"] * 4 + ["12.png"] * 4
    assert len(failed) == 1
    assert failed[0].startswith("7.png: ")
    assert notes[-1] == f"# not used: {failed[0]}"


def test_an_image_without_candidates_has_no_rows_and_a_picture_is_made_all_the_same(done, monkeypatch):
    nothing = Candidates(np.empty((0, 2), np.float32), np.empty((0, 4), np.float32), np.empty(0, np.float32))
    monkeypatch.setattr(Finder, "propose", lambda *_: nothing)
    table, picture, failed = detect.detect(ask(done), frames(0))
    assert read(table)[1] == []
    assert failed == []
    assert picture.is_file()


def write_video(path, count):
    """Write a video whose frames are `pixels_of(0)`, `pixels_of(1)`, ..."""
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install '.[video]'")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = 60, 80, "yuv420p", 4_000_000
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels_of(number)[0], format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.usefixtures("undrawn")
def test_every_third_frame_of_a_video_is_taken_in_its_order(done, tmp_path):
    write_video(tmp_path / "clip.mp4", 8)
    table, _, failed = detect.detect(ask(done, "handcrafted"), detect_images.frames_of(tmp_path / "clip.mp4", 3))
    best = [row for row in read(table)[1] if row["rank"] == "1"]
    assert [row["image"] for row in best] == ["clip_000000", "clip_000003", "clip_000006"]
    for number, row in zip((0, 3, 6), best, strict=True):
        # The codec loses some colour: a pixel either way.
        np.testing.assert_allclose([float(row["top"]) + 8, float(row["left"]) + 8], polyp_at(number), atol=1)
    assert failed == []


def test_a_file_that_is_no_video_is_named_at_once(tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed: pip install '.[video]'")
    (tmp_path / "clip.mp4").write_bytes(b"no video" * 99)
    with pytest.raises(ValueError, match=r"clip\.mp4: expected a video"):
        detect_images.frames_of(tmp_path / "clip.mp4")
    with pytest.raises(FileNotFoundError, match=r"other\.mp4: no such video"):
        detect_images.frames_of(tmp_path / "other.mp4")


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "clip.mp4").write_bytes(b"whatever")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r'pip install "\.\[video\]"'):
        detect_images.frames_of(tmp_path / "clip.mp4")


@pytest.mark.usefixtures("undrawn")
def test_changed_data_are_refused_and_a_folder_that_has_them_is_accepted(copy):
    request = ask(copy, "handcrafted", data=copy / "data")
    assert detect.detect(request, frames(1))[2] == []
    Image.fromarray(pixels_of(5)[0]).save(copy / "data" / "images" / "4.png")
    with pytest.raises(ValueError, match=r"copy/data: expected the data that the run was made from.*--data FOLDER"):
        detect.detect(request, frames(1))


@pytest.mark.usefixtures("undrawn")
def test_a_record_without_its_data_s_folder_asks_for_it(copy):
    """As runs were written before."""
    request = ask(copy, "handcrafted")
    path = request.results / "runs" / f"{request.run}.json"
    record = json.loads(path.read_text())
    del record["folder"]
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"does not say where.*Give the folder of Discs with --data FOLDER"):
        detect.detect(request, frames(1))
    assert detect.detect(ask(copy, "handcrafted", data=copy / "data"), frames(1))[2] == []


@pytest.mark.parametrize("run", ["", "polyp_Discs_smoke_other"])
def test_an_unknown_run_lists_those_that_are_done(done, run):
    with pytest.raises(
        ValueError, match=r"--run names a run.*\n  polyp_Discs_.*handcrafted.*\n  polyp_Discs_.*scratch"
    ):
        detect.detect(ask(done, run=run), frames(1))


@pytest.mark.usefixtures("undrawn")
def test_a_run_is_found_by_the_path_of_its_record_too(done, tmp_path):
    request = ask(done, "handcrafted")
    path = request.results / "runs" / f"{request.run}.json"
    table, *_ = detect.detect(ask(done, run=str(path), results=tmp_path, out=tmp_path), frames(1))
    assert len(read(table)[1]) == 4
    shutil.copy(path, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"\.\.\./runs/NAME\.json"):
        detect.detect(ask(done, run=str(tmp_path / path.name)), frames(1))


def test_a_run_of_another_application_is_no_run_to_detect_with(done):
    request = detect.Request("pe", ask(done).run, done / "results", done / "out")
    with pytest.raises(ValueError, match=r"run of embolism.*No run of embolism is done in"):
        detect.detect(request, frames(1))


def test_mistakes_are_told_before_a_backend_starts(done, tmp_path):
    """An unknown run with frames that are there: neither Keras nor a backend was imported."""
    Image.fromarray(pixels_of(0)[0]).save(tmp_path / "0.png")
    code = (
        "import sys\nfrom repro.__main__ import main\n"
        f"try:\n    main(['detect', 'polyp', '--frames', {str(tmp_path)!r}, '--results', {str(done / 'results')!r}])\n"
        "except SystemExit as end:\n    print(end)\nprint(sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *listed, loaded = answer.stdout.splitlines()
    assert first.startswith("python -m repro: --run names a run of polyp that is done. Received none.")
    assert len(listed) == 2
    assert loaded == "[]"


def test_real_frames_are_read_as_they_are(real_data):
    """The first frame of CVC-ColonDB is called by its file."""
    folder = real_data / "cvc-colondb" / "images"
    name, read_first = detect_images.frames_in(folder)[0]
    assert name == "1.jpg"
    np.testing.assert_array_equal(read_first(), read_pixels(folder / "1.jpg"))
    assert read_first().shape == (500, 574, 3)


def test_a_volume_that_cannot_be_opened_does_not_stop_the_others(tmp_path):
    to_patient = np.array([[0, 0, 0.7, 3], [0, 0.7, 0, -4], [1.5, 0, 0, 5]])
    np.savez(tmp_path / "a2.npz", voxels=np.zeros((5, 6, 7), np.int16), to_patient=to_patient)
    (tmp_path / "a10.npz").write_bytes(b"no archive")
    (first, read_first), (second, read_second) = detect_images.volumes_in(tmp_path)
    assert (first, second) == ("a2", "a10")
    np.testing.assert_allclose(read_first().locate([[2, 1, 0]]), [[3, -3.3, 8]])
    with pytest.raises(ValueError, match=r"a10\.npz: expected an \.npz"):
        read_second()
