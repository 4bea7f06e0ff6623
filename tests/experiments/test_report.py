"""The report: what it says of a small folder of figures, and that a real browser shows it whole."""

import base64
import io
import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from experiments import report
from experiments.reporting import page_claims, page_facts, page_images
from repro import plotting

TEN = ("fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1", "scratch", "handcrafted")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
FLAGS += ("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0")
PROBE = """<script>
addEventListener("load", () => {
  const page = document.scrollingElement;
  const found = {
    images: [...document.images].map((image) => [image.naturalWidth, image.alt]),
    boxes: [...document.querySelectorAll(".scroll, .sheet")].filter((box) => box.scrollWidth > box.clientWidth).length,
    width: [page.scrollWidth, page.clientWidth],
    ground: getComputedStyle(document.body).backgroundColor,
    text: getComputedStyle(document.body).color,
  };
  parent.postMessage(JSON.stringify(found), "*");
});
</script>"""
FRAME = """<!DOCTYPE html><body><script>
addEventListener("message", (event) => { document.body.append("FOUND" + event.data + "END"); });
</script><iframe src="page.html" style="border: 0; width: WIDTHpx; height: 900px"></iframe>"""


def write_figure(folder, stem, script, size=(230, 410), **facts):
    """Write a figure as scripts do: a picture of noise, and what it stands on."""
    pixels = np.random.default_rng(len(stem)).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(folder / f"{stem}.png")
    common = {"title": f"Title of {stem}", "script": script, "data": "Carotid phantom", "fingerprint": "12ab"}
    common |= {"weights": "imagenet", "profile": "quick", "seeds": [0, 4], "notes": [], "caveats": [], "counts": {}}
    common |= {"patches": {}, "runs": 7, "seconds": 301.2, "versions": {"python": "3.11.7"}}
    (folder / f"{stem}.json").write_text(json.dumps(common | facts), encoding="utf-8")


def write_errors(folder, stem, first):
    """Write Figure 9's numbers: two ROIs an arm, MA 10 µm above LI, each arm 3 µm above the one before."""
    rows = [
        f"{arm},1.0,0,p{roi},r{roi},{first + 3 * k + roi},{first + 13 * k}"
        for k, arm in enumerate(TEN)
        for roi in (0, 2)
    ]
    text = "\n".join(["# a note", "arm,fraction,seed,subject,roi,li_um,ma_um", *rows])
    (folder / f"{stem}.csv").write_text(text + "\n", encoding="utf-8")


@pytest.fixture
def figures(tmp_path):
    """Return a folder with Figure 9 on a phantom and on real data, Figure 1, and claims."""
    few, phantom = "Only 5 test subjects: p < .05 is out of reach.", "phantom: simulated, not patients"
    counts = {"train": {"subjects": 28, "ROIs": 1084}, "test": {"subjects": 12, "ROIs": 36}}
    patches = {"training": 7500, "validation": 240}
    said = {"notes": ["Every 6th column.", few, phantom], "caveats": [phantom], "counts": counts, "patches": patches}
    write_figure(tmp_path, "fig_carotid_boxplots", "fig_carotid_boxplots", **said)
    write_errors(tmp_path, "fig_carotid_boxplots", 50)
    real = {"data": "Cyprus IMT", "caveats": ["clicked on a grid"]}
    real["counts"] = {"train": {"subjects": 9, "marks": 3}, "test": {"subjects": 6}}
    write_figure(tmp_path, "fig_carotid_boxplots_cyprus-imt", "fig_carotid_boxplots", (90, 1700), **real)
    write_figure(tmp_path, "fig_polyp_examples", "fig_polyp_examples", data="Colonoscopy phantom", notes=[phantom])
    (tmp_path / "claims.json").write_text(json.dumps(claims()), encoding="utf-8")
    return tmp_path


def claims():
    """Return verdicts as `make claims` writes them: two applications, C1 of both, and C3 of all together."""
    arms = [("conv1", 1.0, 0.55), ("conv1", 0.25, 0.47), ("scratch", 1.0, 0.3)]
    arms = [{"arm": a, "fraction": f, "mean": m, "low": m - 0.1, "high": m + 0.12} for a, f, m in arms]
    of = {"data": "Colonoscopy phantom", "outcome": "sensitivity", "unit": "", "margin": 0.05, "caveats": ["few"]}
    of |= {"arms": arms, "validation": {"conv1": [0.9, 0.95]}}
    carotid = of | {"unit": "µm", "margin": 5.0, "outcome": "error", "caveats": ["few", "speckle"]}
    common = {"claim": "C1", "statement": "Better, or as well.", "words": "conv1 against scratch."}
    polyp = common | {"application": "polyp", "effect": 0.25, "low": 0.08, "high": 0.4, "verdict": "supported"}
    worse = common | {"application": "carotid", "effect": -9.6, "low": -12.4, "high": -6.0, "verdict": "contradicted"}
    every = {"claim": "C3", "application": "all", "statement": "No single depth.", "words": "In every list: none."}
    every |= {"effect": None, "low": None, "high": None, "verdict": "undecided", "note": "one seed"}
    made = {"command": "make claims", "profile": "quick", "weights": "imagenet", "seeds": [0, 1, 2], "runs": 180}
    applications = {"polyp": of, "carotid": carotid}
    return made | {"seconds": 5400, "versions": {}, "applications": applications, "verdicts": [polyp, worse, every]}


def article(page, key):
    """Return the text of one item of the page, a line for each piece of text."""
    (found,) = re.findall(rf'<article[^>]*aria-labelledby="{key}">(.*?)</article>', page, re.S)
    return [line.strip() for line in unescape(re.sub(r"<[^>]*>", "\n", found)).splitlines() if line.strip()]


def test_an_item_has_the_paper_s_numbers_ours_and_the_difference(figures):
    """Handcrafted LI: ours 50 + 9 * 3 and 2 more: mean 78, SD 1.4; the paper's 98.17."""
    lines = article(report.render(figures), "fig_9")
    paper, ours, difference = lines[lines.index("LI: handcrafted") + 1 :][:3]
    assert (paper, ours, difference) == ("98.2 ± 16.6 µm", "78.0 ± 1.4 µm", "−20.2 µm")


def test_caveats_stand_between_the_numbers_and_the_figure_and_are_not_repeated_below(figures):
    lines = article(report.render(figures), "fig_9")
    assert lines.count("Only 5 test subjects: p < .05 is out of reach.") == 1
    title = lines.index("Title of fig_carotid_boxplots")
    for caveat in ("Only 5 test subjects: p < .05 is out of reach.", "phantom: simulated, not patients"):
        assert lines.index("Ours") < lines.index(caveat) < title
    assert title < lines.index("Every 6th column.")


def test_an_item_says_on_what_it_stands(figures):
    lines = article(report.render(figures), "fig_9")
    assert lines[lines.index("Data") + 1 : lines.index("Data") + 3] == ["Carotid phantom", "12ab"]
    assert [lines[lines.index(name) + 1] for name in ("Weights", "Profile", "Seeds")] == ["imagenet", "quick", "0, 4"]
    assert lines[lines.index("Runs") + 1] == "7, together 5 min 1 s"


def test_real_data_stand_in_the_same_item_with_their_own_caveats(figures):
    lines = article(report.render(figures), "fig_9")
    real = lines.index("On real data: Cyprus IMT")
    assert "clicked on a grid" in lines[real:]
    assert "clicked on a grid" not in lines[:real]


def test_what_is_missing_is_named_with_its_command(tmp_path):
    (tmp_path / "table_2.png").write_bytes(b"without facts")
    page = report.render(tmp_path)
    assert page.count("<strong>Not drawn yet</strong>") == 16
    assert "(table_2.json not found). <code>python experiments/table_2.py</code> draws it." in page
    assert "No verdicts yet: <code>make claims</code>" in page


def test_the_ledger_counts_each_data_set_train_and_test(figures):
    facts = page_facts.read_facts(figures)["fig_carotid_boxplots"]
    found = page_facts.ledger(facts)
    assert found["data"] == ["Carotid phantom", "Cyprus IMT"]
    assert found["rows"][0] == ("subjects", [28, 12, 9, 6])
    assert found["rows"][2:] == [
        ("marks", [None, None, 3, None]),
        ("patches to train with", [7500, None, None, None]),
        ("patches to validate with", [240, None, None, None]),
    ]
    assert "<td>1,084</td>" in report.render(figures)


def test_verdicts_have_their_effect_with_interval_statement_and_words(figures):
    found = {claim["key"]: claim for claim in page_claims.shown(claims())}
    polyp, carotid = found["C1"]["rows"]
    assert (polyp["numbers"], carotid["numbers"]) == ("+.25 (+.08 to +.40)", "−10 (−12 to −6) µm")
    assert polyp["line"] == {"effect": 78.4, "low": 59.1, "high": 95.5, "margin": 44.3}
    assert found["C1"]["cells"] == {"Polyps": "supported", "Intima-media boundaries": "contradicted"}
    page = report.render(figures)
    assert page.count('<span class="verdict contradicted">contradicted</span>') == 2
    assert all(said in page for said in ("Better, or as well.", "In every list: none.", "(one seed)", "1 h 30 min"))


def test_caveats_of_verdicts_stand_once_with_those_they_are_about():
    assert page_claims.caveats(claims()) == ["All: few", "Intima-media boundaries: speckle"]


def test_outcomes_leave_empty_what_was_not_measured():
    found = page_claims.outcomes(claims()["applications"]["polyp"])
    assert found["fractions"] == ["100 %", "25 %"]
    assert [row["cells"] for row in found["rows"]] == [
        [".55 (.45 to .67)", ".47 (.37 to .59)"],
        [".30 (.20 to .42)", ""],
    ]
    assert [row["validation"] for row in found["rows"]] == [".93", ""]


@pytest.mark.parametrize(
    ("value", "unit", "signed", "expected"),
    [(0.5, "", False, ".50"), (-0.004, "", True, ".00"), (-10.05, "", True, "−10.05"), (49.6, "µm", True, "+50")],
)
def test_numbers_are_written_as_the_paper_s(value, unit, signed, expected):
    assert page_claims.number(value, unit, signed) == expected


@pytest.mark.parametrize(
    ("suffix", "data", "weights", "expected"),
    [
        ("_cvc-colondb_bvlc", "CVC-ColonDB", "bvlc", "On real data: CVC-ColonDB, bvlc weights"),
        ("_seed12", "Carotid phantom", "imagenet", "Also with seed 12"),
        ("_mine", None, "imagenet", "Also with mine"),
    ],
)
def test_a_heading_says_what_sets_a_figure_apart(suffix, data, weights, expected):
    assert page_facts.heading(suffix, {"data": data, "weights": weights}) == expected


def test_a_file_that_cannot_be_read_is_named(figures):
    path = figures / "fig_carotid_boxplots.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: value for key, value in whole.items() if key != "caveats"}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"boxplots\.json lacks \['caveats'\].*fig_carotid_boxplots\.py"):
        report.render(figures)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"boxplots\.json is no JSON"):
        report.render(figures)


def decoded(found):
    return Image.open(io.BytesIO(base64.b64decode(found["uri"].partition(",")[2])))


def test_a_figure_becomes_1400_wide_and_white_where_it_is_transparent(tmp_path):
    chart = np.zeros((700, 2100, 4), np.uint8)
    chart[300:450, 500:900] = (252, 166, 54, 255)
    Image.fromarray(chart).save(tmp_path / "chart.png")
    found = page_images.embed(tmp_path / "chart.png")
    image = decoded(found).convert("RGB")
    assert (found["width"], found["height"], image.size) == (1400, 467, (1400, 467))
    assert min(image.getpixel((10, 20))) > 252
    assert np.allclose(image.getpixel((400, 250)), (252, 166, 54), atol=4)


def test_a_chart_s_lines_keep_their_colours(tmp_path):
    """Every arm's line, plain and pale: with 64 colours, or Pillow's own way to choose 256, a twentieth is 17 off."""
    figure, (ax,) = plotting.subplots(width_in=14, height_in=6)
    place = np.linspace(0, 6, 40)
    for k, style in enumerate(plotting.ARM_STYLES.values()):
        ax.plot(place, np.sin(place + k / 3), **style)
        ax.plot(place, np.sin(place + k / 3 + 1), alpha=0.5, color=style["color"])
    figure.savefig(tmp_path / "chart.png", dpi=100)
    before = np.asarray(Image.open(tmp_path / "chart.png").convert("RGB")).astype(int)
    found = page_images.embed(tmp_path / "chart.png")
    off = abs(np.asarray(decoded(found).convert("RGB")) - before).max(axis=2)
    assert found["uri"].startswith("data:image/png;base64,")
    assert np.percentile(off[np.ptp(before, axis=2) > 60], 95) < 12


def test_a_photograph_becomes_webp(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (500, 610, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    found = page_images.embed(tmp_path / "photo.png")
    assert found["uri"].startswith("data:image/webp;base64,")
    assert decoded(found).size == (610, 500)


class Outline(HTMLParser):
    """Collects what a page's structure consists of."""

    def __init__(self, page):
        super().__init__()
        self.levels, self.ids, self.targets, self.loaded, self.cells = [], [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.targets += [attrs["href"][1:]] if attrs.get("href", "").startswith("#") else []
        self.targets += [attrs["aria-labelledby"]] if "aria-labelledby" in attrs else []
        self.loaded += [attrs["src"]] if "src" in attrs else []
        self.loaded += [attrs["href"]] if tag == "link" else []
        self.cells += [attrs.get("scope")] if tag == "th" else []


def test_the_page_stands_alone_and_is_in_order(figures):
    page = report.render(figures)
    outline = Outline(page)
    assert len(outline.loaded) == 4
    assert all(address.startswith("data:") for address in outline.loaded)
    assert "url(" not in page
    assert all(lower <= upper + 1 for upper, lower in zip([0, *outline.levels], outline.levels, strict=False))
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.targets) <= set(outline.ids)
    assert None not in outline.cells


def test_the_same_files_give_the_same_page(figures, capsys):
    report.main(["--figures", str(figures)])
    before = (figures / "index.html").read_bytes()
    report.main(["--figures", str(figures)])
    assert (figures / "index.html").read_bytes() == before
    assert capsys.readouterr().out.splitlines() == [str(figures / "index.html")] * 2
    with pytest.raises(FileNotFoundError, match="make figures"):
        report.main(["--figures", str(figures / "nothing")])


def browse(folder, page, width, *flags):
    """Show a page in a frame of a browser; return what the probe found in it, and the console's lines."""
    if not CHROMIUM:
        pytest.skip("needs chromium")
    (folder / "page.html").write_text(page.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    # A window is 500 pixels wide at least; a frame can be as narrow as a phone.
    frame = folder / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    options = (*FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1000", *flags)
    command = [CHROMIUM, *options, "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    (found,) = re.findall("FOUND({.*?})END", done.stdout)
    return json.loads(unescape(found)), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture
def browser_folder(tmp_path):
    """Return a folder of its own for the browser."""
    (tmp_path / "browser").mkdir()
    return tmp_path / "browser"


def test_a_browser_shows_every_image_and_its_console_stays_empty(figures, browser_folder):
    found, console = browse(browser_folder, report.render(figures), 1200)
    assert console == []
    assert [width for width, _ in found["images"]] == [410, 410, 1400]
    assert all(alt.startswith("Title of fig_") and len(alt) > 60 for _, alt in found["images"])


def test_the_browser_would_have_told(figures, browser_folder):
    """The check can fail: a picture that is cut short has no width, and a script's error is on the console."""
    page = re.sub(r'src="data:image/png;base64,.{60}', 'src="data:image/png;base64,', report.render(figures))
    page = page.replace("</main>", "<script>console.error('seen'); nothing();</script></main>")
    found, console = browse(browser_folder, re.sub("base64,.{99}", "base64,", page), 1200)
    assert [width for width, _ in found["images"]] == [0, 0, 0]
    assert any("seen" in line for line in console)
    assert any("nothing is not defined" in line for line in console)


def test_on_a_phone_wide_tables_scroll_within_their_box_and_the_page_does_not(figures, browser_folder):
    found, _ = browse(browser_folder, report.render(figures), 390)
    assert max(found["width"]) <= 390
    assert found["boxes"] >= 3


def test_light_and_dark_differ(figures, browser_folder):
    page = report.render(figures)
    light, dark = (browse(browser_folder, page, 1200, f"--blink-settings=preferredColorScheme={k}")[0] for k in (1, 0))
    assert brightness(light["ground"]) > 200 > 100 > brightness(light["text"])
    assert brightness(dark["ground"]) < 60 < 200 < brightness(dark["text"])


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
