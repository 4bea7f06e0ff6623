"""The numbers of README.md, RESULTS.md and BENCHMARKS.md, written into them from the files that have them; or checked.

What stands between `<!-- numbers: NAME -->` and `<!-- /numbers -->` is made by `BLOCKS`. The prose of the
sections about results states none: a number that a reader could quote comes from a file.
Time: a second.

    python experiments/readme.py
    python experiments/readme.py --check
"""

import argparse
import re
from functools import partial
from pathlib import Path

from experiments import command
from experiments.reporting import readme_bench, readme_claims, readme_tables
from experiments.reporting.page_claims import APPLICATIONS

BLOCKS = {
    "README.md": {
        "verdicts": readme_claims.verdicts,
        "outcomes": readme_claims.all_outcomes,
        "times": readme_tables.times,
        "headlines": readme_bench.headlines,
        "arms": readme_bench.arms,
        "profile": partial(readme_bench.profile, most=1),
    },
    "BENCHMARKS.md": {
        "bench": readme_bench.bench,
        "profiles": readme_bench.profile,
        "precision": readme_bench.precision,
    },
    "RESULTS.md": {
        "tests": readme_claims.tests,
        **{name: partial(readme_claims.application, name) for name in APPLICATIONS},
        "cvc-colondb": partial(readme_tables.sensitivities, "fig_polyp_froc_cvc-colondb", (0.1, 1.0)),
        "endo-angel": partial(readme_tables.areas, "fig_frame_roc_endo-angel"),
        "cyprus-imt": partial(readme_tables.errors, "fig_carotid_boxplots_cyprus-imt"),
    },
}
"""By file and name, what makes a block's text from the folder that holds figures/ and benchmarks/."""

OPENING, CLOSING = "<!-- numbers: ", "<!-- /numbers -->"
BLOCK = re.compile(r"<!-- numbers: (\S*) -->\n(.*?)<!-- /numbers -->", re.S)
SECTIONS = {
    "README.md": ("What it shows so far", "What runs how long on what", "Performance"),
    "BENCHMARKS.md": ("Everything that was compared", "A GPU and its input", "Where a step's time goes", "Precision"),
    "RESULTS.md": ("What is tested", *APPLICATIONS.values()),
}
"""Where prose must state no result."""

_UNITS = r"(?:seconds?|minutes?|hours?)\b"
_WORDS = "a|an|half an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty"
RESULT_LIKE = re.compile(
    r"(?<![\w.])\d*\.\d+"  # .55, 0.91
    r"|\b\d+(?: ?%| ?e-\d+| times\b)"
    r"|\b\d+ (?:of|in) (?:the |its )?\d+"  # 38 of the 42
    r"|\b\d+ ?(?:µm|um\b|micromet)"
    rf"|\b(?:\d+|{_WORDS})(?: and a half)?[ \n]{_UNITS}",
    re.I,
)
ALLOWED = ()
"""Texts that look like results and are none: definitions. Few, each with its reason."""
# Blocks, code (in a line of prose, no blank line within), and where links lead.
_NO_PROSE = re.compile(rf"{BLOCK.pattern}|```.*?```|`(?:[^`\n]|\n(?!\n))*`|\]\([^)]*\)", re.S)


def main(arguments=None):
    """Rewrite the blocks of all files, or with --check only say what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--check", action="store_true", help="change nothing; exit with 1 when a number differs from its file")
    add("--root", type=Path, default=command.ROOT, help="folder of README.md, figures and benchmarks")
    options = parser.parse_args(arguments)
    problems = [f"{name}: {problem}" for name in BLOCKS for problem in renew(options.root / name, options.check)]
    if problems:
        raise ValueError("\n".join(["Numbers without a file:", *problems]))


def renew(path, check):
    """Write the blocks of a file anew, or with `check` nothing; list what is wrong."""
    before = path.read_text(encoding="utf-8")
    after, problems = fill(before, path.parent, BLOCKS[path.name])
    if not check and after != before:
        path.write_text(after, encoding="utf-8")
        print(path)
    elif after != before:
        problems += [
            f"Block {name} differs from its files. To renew it: make readme" for name in changed(before, after)
        ]
    return problems + results_in_prose(after, SECTIONS[path.name])


def fill(text, root, blocks):
    """Write every block anew.

    Parameters
    ----------
    text : str
    root : pathlib.Path
        Folder that holds figures/ and benchmarks/.
    blocks : dict of str to callable
        Those that the text has, of `BLOCKS`.

    Returns
    -------
    text : str
        A block whose files are missing, or that has no such name, is left as it is.
    problems : list of str
        Those blocks, those that no marker asks for, and markers without their end.
    """
    made, problems = {}, _check_markers(text, blocks)
    for name, block in blocks.items():
        try:
            made[name] = block(root)
        except (FileNotFoundError, ValueError) as error:
            problems.append(f"Block {name}: {error}")
    return BLOCK.sub(lambda found: _renewed(found, made), text), problems


def changed(before, after):
    """List the names of the blocks that differ between two texts with the same markers."""
    pairs = zip(BLOCK.findall(before), BLOCK.findall(after), strict=True)
    return [name for (name, old), (_, new) in pairs if old != new]


def results_in_prose(text, sections):
    """List what looks like a result in the prose of some sections, with its line; and sections that are not there."""
    hidden = _NO_PROSE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    problems = []
    for section in sections:
        found = re.search(rf"^## {section}$(.*?)(?=^## |\Z)", hidden, re.S | re.M)
        if not found:
            problems.append(f"Section {section!r} is not there, so that its prose cannot be checked.")
            continue
        for number in RESULT_LIKE.finditer(hidden, found.start(1), found.end(1)):
            if number[0] not in ALLOWED:
                line = hidden.count("\n", 0, number.start()) + 1
                problems.append(f"Line {line}: {number[0]!r} stands in prose. Let a block state it, or use words.")
    return problems


def _check_markers(text, blocks):
    names = [name for name, _ in BLOCK.findall(text)]
    problems = [f"Block {name} is unknown. Known: {', '.join(blocks)}." for name in names if name not in blocks]
    problems += [f"Block {name} has no marker: {OPENING}{name} -->" for name in blocks if name not in names]
    if not len(names) == text.count(OPENING) == text.count(CLOSING):
        problems.append(f"Every {OPENING}NAME --> needs its {CLOSING}, and a line of its own.")
    return problems


def _renewed(found, made):
    name = found[1]
    return f"{OPENING}{name} -->\n{made[name]}\n{CLOSING}" if name in made else found[0]


if __name__ == "__main__":
    command.run_script(main)
