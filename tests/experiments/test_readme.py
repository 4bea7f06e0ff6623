"""Every number of the README's results comes from a file; a number that does not is found."""

import json
import subprocess

import pytest

from experiments import command, readme
from experiments.reporting import readme_bench, readme_claims, readme_tables

TEXT = (
    "# A\n\n## What it shows so far\n\n{}\n\n## What runs how long on what\n\n{}\n\n## Performance\n\nIt is fast.\n\n"
    "## Scripts\n\nAbout 7 minutes.\n"
)


def test_the_readme_says_what_its_files_say():
    """In what is committed: on another machine, figures drawn again have other last digits until make readme."""
    own = ["git", "status", "--porcelain", "--", "figures", "benchmarks/measured.csv"]
    if subprocess.run(own, cwd=command.ROOT, capture_output=True, text=True).stdout:
        pytest.skip("figures were drawn again and are not committed: make claims readme")
    readme.main(["--check"])


def block(name):
    return f"<!-- numbers: {name} -->\nold\n<!-- /numbers -->"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Make a README with the one block of benchmarks, filled."""
    monkeypatch.setattr(readme, "BLOCKS", {"README.md": {"bench": readme_bench.bench}})
    (tmp_path / "figures").mkdir()
    write(tmp_path / "benchmarks" / "measured.csv", MEASURED)
    write(tmp_path / "README.md", TEXT.format("The rival is ahead.", block("bench")))
    readme.main(["--root", str(tmp_path)])
    return tmp_path


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


AT_A = '"5 cores, A",,2026-11-23'
MEASURED = f"""script,what,against,before,after,unit,ratio,note,machine,backend,date
frames,frames,a loop,40.5,5,s,8.1,thrice,"7 cores, B",,2026-11-25
arms,"training step, FT:conv1-fc8: Net 9 px",,,9,ms an image,,"floor 3 ms (x3.00): sums 3 ms","7 cores, B","jax 0.6",\
2026-11-25
maps,maps,patches,3,0.1234,s,24.31,,"7 cores, B","jax 0.6",2026-11-25
maps,maps,patches,41.52,9.871,s,4.206,"far, near","5 cores, A","tensorflow 2.21",2026-11-23
frames,frames,a loop,60.94,5,s,12.19,twice,"5 cores, A",,2026-11-23
slow,written,,,1234.5,frames a second,,all of it,"5 cores, A",,2026-11-24
arms,"training step, FT:conv4-fc8: Net 9 px, frozen prefix",on patches,6.125,3.004,ms an image,2.04,\
"floor 1.9 ms (x1.58): sums 1.7 ms, update .2 ms; pass of 4 ms",{AT_A}
arms,"training step, FT:conv1-fc8: Net 9 px",,,12.34,ms an image,,"floor 6 ms (x2.06): sums 6 ms",{AT_A}
arms,"matrix product",,,150.1,GFLOP/s,,,{AT_A}
step_profile,"profile of a training step, FT:conv4-fc8: Net 9 px",,,9.5,ms an image,,\
"frozen, once for 5 epochs 1.25; sums 7 (87 %); between .25",{AT_A}
step_profile,"profile of a training step, FT:conv1-fc8: Net 9 px",,,12.25,ms an image,,"sums 12; between -0.25",{AT_A}
precision,"training.a=half: frames, quick, fc7, seed 0",float32,1,2,s,.5,\
"AUC 0.9000 becomes 0.9012; scores differ by 0.013 at most",{AT_A}
precision,"training.a=half: frames, quick, fc7, seed 1",float32,1,2,s,.5,\
"AUC 0.8000 becomes 0.7990; scores differ by 0.002 at most",{AT_A}
"""


def test_benchmarks_have_a_column_for_each_machine(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert "- 5 cores, A, tensorflow 2.21, 2026-11-23, 2026-11-24\n- 7 cores, B, jax 0.6, 2026-11-25\n\n| what " in text
    heads, _, ours, both, theirs, *alone = text.partition("| what")[2].splitlines()
    assert heads == " | against | 5 cores, A | 7 cores, B | note |"
    assert both == "| frames | a loop | **12.2**: 60.9 to 5 s | **8.1**: 40.5 to 5 s | twice |"
    assert ours == "| maps | patches | **4.2**: 41.5 to 9.9 s |  | far, near |"
    assert theirs == "| maps; jax 0.6 | patches |  | **24.3**: 3 to 0.12 s |  |"
    assert alone[1] == "| timed alone | 5 cores, A | 7 cores, B | note |"
    assert alone[3] == "| written | 1,234 frames a second |  | all of it |"
    assert "FT:conv" not in text
    assert "training.a" not in text


def test_headlines_stand_in_their_order_without_other_backends(root, monkeypatch):
    monkeypatch.setattr(readme_bench, "HEADLINES", ("frames", "maps"))
    heads, _, *rows = readme_bench.headlines(root).partition("| what")[2].splitlines()
    assert heads == " | against | 5 cores, A | 7 cores, B | note |"
    assert rows == [
        "| frames | a loop | **12.2**: 60.9 to 5 s | **8.1**: 40.5 to 5 s | twice |",
        "| maps | patches | **4.2**: 41.5 to 9.9 s |  | far, near |",
    ]


def test_a_machine_without_headlines_has_no_column(root, monkeypatch):
    """B timed maps on another backend alone."""
    monkeypatch.setattr(readme_bench, "HEADLINES", ("maps",))
    dated, heads, *_ = readme_bench.headlines(root).split("\n\n")
    assert dated == "- 5 cores, A, tensorflow 2.21, 2026-11-23"
    assert heads.startswith("| what | against | 5 cores, A | note |\n")


def test_a_headline_that_nothing_measured_is_named(root, monkeypatch):
    """Nor one that was timed without a rival."""
    monkeypatch.setattr(readme_bench, "HEADLINES", ("frames", "written", "thought"))
    with pytest.raises(ValueError, match=r"lacks what the README shows: \['thought', 'written'\]"):
        readme_bench.headlines(root)


def test_arms_stand_beside_their_floors(root):
    heading, theirs, _, heads, _, first, second = readme_bench.arms(root).splitlines()
    assert heading == "- 5 cores, A, 2026-11-23; matrix product 150 GFLOP/s"
    assert theirs == "- 7 cores, B, jax 0.6, 2026-11-25"
    assert heads == "| network | arm | 5 cores, A | 7 cores, B, jax 0.6 |"
    assert first == "| Net 9 px | FT:conv4-fc8 | **1.6**: 6.1 to 3 ms, floor 1.9 |  |"
    assert second == "| Net 9 px | FT:conv1-fc8 | **2.1**: 12.3 ms, floor 6 | **3**: 9 ms, floor 3 |"


def test_a_profile_has_a_column_for_each_kind_of_operation(root):
    heading, *_, first, second = readme_bench.profile(root).splitlines()
    assert heading == "5 cores, A, 2026-11-23; Net 9 px, ms an image:"
    assert first == "| FT:conv4-fc8 | 1.25 | 7 (87 %) | .25 | 9.5 |"
    assert second == "| FT:conv1-fc8 |  | 12 | -0.25 | 12.2 |"


def test_of_two_machines_profiles_the_first_can_stand_alone(root):
    """The first is the one with the most rows of all."""
    what = "profile of a training step, FT:conv1-fc8: Net 9 px"
    theirs = f'step_profile,"{what}",,,3,ms an image,,"sums 3","7 cores, B",,2026-11-25\n'
    write(root / "benchmarks" / "measured.csv", MEASURED + theirs)
    both, first = readme_bench.profile(root), readme_bench.profile(root, most=1)
    assert both.startswith(f"{first}\n\n7 cores, B")


def test_a_precision_s_effect_stands_by_arm_with_each_seed(root):
    expected = "| `training.a=half` | frames, quick | fc7 | .9000 .8000 | .9012 .7990 | .013 |"
    assert readme_bench.precision(root).endswith(expected)


@pytest.mark.parametrize("name", ["README.md", "benchmarks/measured.csv"])
def test_a_number_that_differs_from_its_file_is_named_and_written_anew(root, name):
    path, good = root / name, (root / "README.md").read_text(encoding="utf-8")
    readme.main(["--check", "--root", str(root)])
    path.write_text(path.read_text(encoding="utf-8").replace("41.5", "47.5"), encoding="utf-8")
    with pytest.raises(ValueError, match="Block bench differs from its files"):
        readme.main(["--check", "--root", str(root)])
    readme.main(["--root", str(root)])
    readme.main(["--check", "--root", str(root)])
    assert ((root / "README.md").read_text(encoding="utf-8") == good) == (name == "README.md")


def test_markers_that_name_no_block_or_do_not_end_are_named(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    _, problems = readme.fill(text.replace("numbers: bench", "numbers: bank"), root, readme.BLOCKS["README.md"])
    assert problems == ["Block bank is unknown. Known: bench.", "Block bench has no marker: <!-- numbers: bench -->"]
    _, (problem,) = readme.fill(text + "<!-- numbers: bench -->\nno end", root, readme.BLOCKS["README.md"])
    assert problem.startswith("Every <!-- numbers: NAME --> needs its <!-- /numbers -->")


def test_a_block_whose_file_is_missing_stays_and_is_named(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    (root / "benchmarks" / "measured.csv").unlink()
    after, (problem,) = readme.fill(text, root, readme.BLOCKS["README.md"])
    assert after == text
    assert "measured.csv is not there" in problem


RESULTS = (
    *("It finds .55 of them.", "A rate of 0.91.", "80 % of them, or more.", "They hit 38 of the 42 emboli."),
    *("It takes 8 minutes.", "It takes a\nminute.", "Twelve and a half seconds.", "It is 4 times as fast."),
    *("An error of 50 µm.", "By less than 1e-7.", "[conv1 has .91](figures/a.png)"),
)


@pytest.mark.parametrize("prose", RESULTS)
@pytest.mark.parametrize("section", [0, 1])
def test_a_result_in_prose_is_found_with_its_line(prose, section):
    texts = ["The same.", "The same."]
    texts[section] = f"{block('bench')}\n\n{prose}"
    (problem,) = readme.results_in_prose(TEXT.format(*texts), readme.SECTIONS["README.md"])
    line = int(problem.removeprefix("Line ").partition(":")[0])
    assert problem.partition("'")[2].partition("'")[0].split("\\n")[0] in TEXT.format(*texts).splitlines()[line - 1]


def test_words_code_links_and_blocks_are_no_results_in_prose():
    fine = f"A quarter of 28 videos at 99 px; `--set a.b=0.34`, [it](figures/a-0.5.png).\n{block('bench')}\n"
    fine += "```console\nmake bench\n\nmake test  # 6 minutes\n```\n\n<!-- numbers: bench -->\n.55\n<!-- /numbers -->"
    assert readme.results_in_prose(TEXT.format(fine, "Table 1."), readme.SECTIONS["README.md"]) == []
    problems = readme.results_in_prose("## What it shows so far\n\nx\n", readme.SECTIONS["README.md"])
    assert ["'What runs how long on what' is not there" in line for line in problems] == [True, False]
    assert "'Performance' is not there" in problems[1]


CURVES = """# Figure 2: polyps. Real, profile quick
# Candidates hit 80%.
# Trained on 7 subjects. Seeds: 0, 1.
# Pale: the others.
# few of them
panel,arm,fraction,seed,kind,fp_per_frame,sensitivity
a,conv1,1.0,0,bootstrap,0.1,0.5
a,conv1,1.0,0,idca,0.1,0.9
a,conv1,1.0,0,bootstrap,1.0,0.625
a,conv1,1.0,1,bootstrap,0.1,0.25
a,conv1,1.0,1,bootstrap,1.0,0.875
a,conv1,1.0,1,curve,0.1,0.125
b,conv1,1.0,0,bootstrap,0.1,0.5
b,conv1,1.0,0,bootstrap,1.0,0.625
b,conv1,1.0,1,bootstrap,0.1,0.25
b,conv1,1.0,1,bootstrap,1.0,0.875
b,scratch,0.25,0,bootstrap,0.1,0.0
b,scratch,0.25,1,bootstrap,0.1,0.0
b,scratch,0.25,0,bootstrap,1.0,0.0
b,scratch,0.25,1,bootstrap,1.0,0.125
b,scratch,0.25,1,idca,1.0,0.9
"""


def test_sensitivities_are_means_over_seeds_with_each_of_them(tmp_path):
    """(.5 + .25) / 2 and (.625 + .875) / 2, though conv1 stands in both panels."""
    write(tmp_path / "figures" / "fig.csv", CURVES)
    shown = readme_tables.sensitivities("fig", (0.1, 1.0), tmp_path)
    assert "| FT:conv1-fc8 | .38 (.50, .25) | .75 (.62, .88) |\n| scratch, 25 % | .00 | .06 (.00, .12) |" in shown
    assert shown.startswith("Real, profile quick. Trained on 7 subjects. Seeds: 0, 1. Candidates hit 80%. [Figure]")
    assert shown.endswith("\n\nCaveats: Few of them.")


def test_areas_and_errors_are_means_of_what_is_written(tmp_path):
    rows = ["conv5,1.0,0,auc_bootstrap,0.25", "conv5,1.0,1,auc_bootstrap,0.5", "conv5,1.0,1,auc_delong,0.9"]
    write(tmp_path / "figures" / "roc.csv", "\n".join(["# T. R", "arm,fraction,seed,kind,auc", *rows]))
    assert "| FT:conv5-fc8 | .38 (.25, .50) |" in readme_tables.areas("roc", tmp_path)
    rows = ["fc8,1.0,0,10,40", "fc8,1.0,0,20,50", "fc8,1.0,0,60,90"]
    write(tmp_path / "figures" / "boxes.csv", "\n".join(["# T. R", "arm,fraction,seed,li_um,ma_um", *rows]))
    assert "| FT:only fc8 | 30 | 60 | 20 | 50 |" in readme_tables.errors("boxes", tmp_path)


def test_pairs_that_differ_are_told_worse_first(tmp_path):
    """A higher sensitivity is better, a higher error is worse; p of .05 is no difference."""
    rows = [
        "fc8,conv1,0.1,0.2,0.01",
        "fc8,conv1,1.0,0.2,0.01",
        "conv1,scratch,0.1,-0.3,0.04",
        "fc8,scratch,0.1,-1,0.05",
    ]
    text = "\n".join(["# T. R", "# Seeds: 3. B.", "first,second,at,difference,p_holm", *rows])
    write(tmp_path / "figures" / "table_s1.csv", text)
    said = readme_claims.different("table_s1", tmp_path)
    assert said.endswith("worse are FT:only fc8 than FT:conv1-fc8 (at .1, 1); scratch than FT:conv1-fc8 (at .1).")
    assert said.startswith("[Table S1](figures/table_s1.png), seed 3,")
    rows = ["MA,fc8,conv1,-9,0.01", "MA,conv1,scratch,9,0.5"]
    text = "\n".join(["# T. R", "interface,first,second,difference,p_bootstrap_holm", *rows])
    write(tmp_path / "figures" / "table_s4.csv", text)
    assert readme_claims.different("table_s4", tmp_path).endswith("worse are FT:only fc8 than FT:conv1-fc8 (at MA).")


def test_times_are_summed(tmp_path):
    text = "# from nothing, 5 cores\nscript,seconds,runs\ntable_1,7.4,0\nfig_polyp_froc,301.0,17\n"
    write(tmp_path / "figures" / "times.csv", text)
    shown = readme_tables.times(tmp_path)
    assert shown.startswith("from nothing, 5 cores:\n\n| script | time | new runs |")
    assert shown.endswith("| `fig_polyp_froc` | 5 min 1 s | 17 |\n| all | 5 min 8 s | 17 |")


def claimed():
    """Make claims of one application, carotid."""
    arms = [
        {"arm": "conv1", "fraction": 1.0, "mean": 52.5, "low": 31.0, "high": 81.4, "by_seed": [50.0, 55.0]},
        {"arm": "scratch", "fraction": 1.0, "mean": 47.0, "low": 33.0, "high": 64.0, "by_seed": [47.0, 47.0]},
        {"arm": "scratch", "fraction": 0.07, "mean": 128.0, "low": 75.0, "high": 183.0, "by_seed": [128.0, 128.0]},
    ]
    about = {
        "data": "Phantom",
        "outcome": "error",
        "unit": "µm",
        "margin": 5.0,
        "caveats": ["no patients"],
        "arms": arms,
    }
    about["validation"] = {"conv1": [0.9, 0.94], "scratch": [0.7, 0.7]}
    verdict = {"claim": "C1", "application": "carotid", "statement": "Tuned is as good.", "verdict": "undecided"}
    verdict |= {"effect": -5.5, "low": -36.4, "high": 7.0, "words": "52.5 against 47.", "note": ""}
    both = verdict | {
        "claim": "C3",
        "application": "all",
        "effect": None,
        "low": None,
        "high": None,
        "verdict": "supported",
    }
    run = {
        "command": "make claims",
        "profile": "quick",
        "weights": "imagenet",
        "seeds": [4, 5],
        "runs": 6,
        "seconds": 90.0,
    }
    return run | {"applications": {"carotid": about}, "verdicts": [verdict, both | {"statement": "None is best."}]}


BOXES = "arm,fraction,seed,li_um,ma_um\nconv1,1.0,4,30,50\nconv1,1.0,4,70,50\nedges,1.0,4,9,9\nscratch,0.07,5,156,100\n"


@pytest.fixture
def claims(tmp_path):
    """Write the claims and the figure and table that stand beside them."""
    write(tmp_path / "figures" / "claims.json", json.dumps(claimed()))
    notes = "# Figure 9: x. Phantom, profile quick, imagenet weights\n# Trained on 3 subjects. Seeds: 0. Backend: b.\n"
    write(tmp_path / "figures" / "fig_carotid_boxplots.csv", notes + BOXES)
    pairs = "# T. R\n# Seeds: 0.\ninterface,first,second,difference,p_bootstrap_holm\nMA,conv1,scratch,9,0.5\n"
    write(tmp_path / "figures" / "table_s4.csv", pairs)
    return tmp_path


def test_verdicts_stand_by_claim_and_application(claims):
    shown = readme_claims.verdicts(claims)
    assert "profile quick, imagenet weights, seeds 4, 5; 6 runs that took 1 min 30 s." in shown
    first, third = (
        next(line for line in shown.splitlines() if line.startswith(f"| {claim} ")) for claim in ("C1", "C3")
    )
    assert first.endswith("| **undecided** −6 (−36 to +7) µm |  |")
    assert third.endswith("|  | **supported** |")
    tested = readme_claims.tests(claims)
    assert tested.startswith("- C1: Tuned is as good.\n- C3, all together: None is best.\n")
    assert "intima-media boundaries, error: 5 µm." in tested
    outcomes = readme_claims.all_outcomes(claims).splitlines()
    assert outcomes[0] == "| arm | Intima-media boundaries: error |"
    assert outcomes[2:] == ["| FT:conv1-fc8 | 52 (31 to 81) µm |", "| scratch | 47 (33 to 64) µm |"]


def test_an_application_shows_its_arms_by_share_with_what_was_said(claims):
    shown = readme_claims.application("carotid", claims)
    assert "seeds 4, 5. Trained on 3 subjects. Backend: b." in shown
    assert "| arm | 100 % | 7 % | validation |" in shown
    assert (
        "| FT:conv1-fc8 | 52 (31 to 81) µm |  | .92 |\n| scratch | 47 (33 to 64) µm | 128 (75 to 183) µm | .70 |"
        in shown
    )
    assert "- C1 undecided: 52.5 against 47.\n- [Table S4]" in shown
    assert shown.endswith("Caveats: No patients.")


def test_a_figure_with_other_numbers_than_the_claims_is_refused(claims):
    """Conv1 of seed 4 has 50 in both: the mean of 30, 50, 70 and 50; not so if one of them is 34."""
    path = claims / "figures" / "fig_carotid_boxplots.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("4,30", "4,34"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"for conv1, fraction 1, seed 4: 51 and 50\. .* make figures claims"):
        readme_claims.application("carotid", claims)


def test_the_outcome_of_each_application_is_found_in_its_figure(tmp_path):
    curves = ["a,fc8,1.0,3,bootstrap,{},0.5", "a,fc8,1.0,3,idca,{},0.9", "c,fc8,1.0,3,bootstrap,{},0.7"]
    curves += ["b,fc8,0.5,3,bootstrap,{},0.25", "b,fc8,0.5,3,bootstrap,7.0,0.8"]
    for name, stem, column, at in (("polyp", "polyp", "frame", 0.1), ("embolism", "pe", "volume", 2.0)):
        lines = [f"panel,arm,fraction,seed,kind,fp_per_{column},sensitivity", *(line.format(at) for line in curves)]
        write(tmp_path / "figures" / f"fig_{stem}_froc.csv", "\n".join(lines))
        assert readme_claims.measured(name, tmp_path) == {("fc8", 1.0, 3): 0.5, ("fc8", 0.5, 3): 0.25}
    lines = ["arm,fraction,seed,kind,auc", "fc8,1.0,3,auc_bootstrap,0.5", "fc8,1.0,3,auc_delong,0.7"]
    write(tmp_path / "figures" / "fig_frame_roc.csv", "\n".join(lines))
    assert readme_claims.measured("frame_quality", tmp_path) == {("fc8", 1.0, 3): 0.5}


def test_a_figure_of_another_profile_is_refused(claims):
    path = claims / "figures" / "fig_carotid_boxplots.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("quick", "paper"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"fig_carotid_boxplots\.csv must be of the same experiment as claims\.json"):
        readme_claims.application("carotid", claims)
    with pytest.raises(ValueError, match="nothing on polyp"):
        readme_claims.application("polyp", claims)
