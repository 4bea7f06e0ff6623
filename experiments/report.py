"""The report: figures/index.html, one page with the paper's statements and numbers, ours, and the difference.

Paper: Figures 1 to 10, Tables I, II and S1 to S4, and four claims.
Ours: what the figures' scripts and `make claims` wrote into the folder of figures; no run is read here, and what is
missing is named with the command that makes it. The page needs nothing but itself: its images are within it, and it
loads no address.
Time: 10 seconds.

    python experiments/report.py
    python experiments/report.py --figures FOLDER
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments import command, reporting
from experiments.reporting import page_claims, page_facts, page_images, paper
from repro.files import replacing

GROUPS = {"network": "Network and optimisation", **page_claims.APPLICATIONS, "convergence": "Convergence"}
TEMPLATES = Path(reporting.__file__).parent


def main(arguments=None):
    """Write the page and print where it is; takes the options of all scripts, for `make`, and needs --figures alone."""
    figures = command.parse(__doc__, arguments, own_data=False).figures
    if not figures.is_dir():
        raise FileNotFoundError(f"{figures} is no folder. Draw the figures first: make figures")
    path = figures / "index.html"
    with replacing(path) as temporary:
        temporary.write_text(render(figures), encoding="utf-8", newline="\n")
    print(path)


def render(figures):
    """Write the page.

    Parameters
    ----------
    figures : pathlib.Path
        Folder of what the scripts wrote.

    Returns
    -------
    str
        HTML. The same files give the same page.

    Raises
    ------
    ValueError
        When a file of the folder cannot be read; names it.
    """
    facts, claims = page_facts.read_facts(figures), _claims(figures)
    verdicts = page_claims.shown(claims) if claims else []
    items = _items(figures, facts)
    filters = {"duration": page_facts.duration, "typeset": page_claims.typeset, "count": lambda number: f"{number:,}"}
    options = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=FileSystemLoader(TEMPLATES), **options)
    environment.filters |= filters
    return environment.get_template("report.html.j2").render(
        groups=[_group(key, items, facts, claims) for key in GROUPS],
        claims=claims,
        verdicts=verdicts,
        columns=page_claims.columns(verdicts),
        claim_caveats=page_claims.caveats(claims) if claims else [],
        claim_texts=page_claims.CLAIMS,
        applications=page_claims.APPLICATIONS,
        **_summary(items),
    )


def _claims(figures):
    """Read the verdicts; None when `make claims` has not been run."""
    path = figures / page_facts.CLAIMS
    return page_facts.read_json(path) if path.is_file() else None


def _items(figures, facts):
    """List what the page shows of each of the paper's items: the paper's side, our figure, the same on other data."""
    suffixes = {"", *(suffix for of in facts.values() for suffix in of)}
    compared = {suffix: {item.key: item for item in paper.items(figures, suffix)} for suffix in suffixes}
    return [_item(key, item, compared, facts.get(item.script, {}), figures) for key, item in compared[""].items()]


def _item(key, item, compared, by_suffix, figures):
    """Gather one item; `compared` holds it with its rows, by suffix and key."""
    return {
        "item": item,
        "command": page_facts.command(item.script),
        "missing": _missing(item.script, figures) if "" not in by_suffix else "",
        "parts": [_part(compared[suffix][key], suffix, of, figures) for suffix, of in by_suffix.items()],
    }


def _part(item, suffix, facts, figures):
    """Gather one figure of an item, with its numbers beside the paper's."""
    stem = f"{item.script}{suffix}"
    png, caveats = figures / f"{stem}.png", page_facts.caveats(facts)
    return {
        "stem": stem,
        "heading": page_facts.heading(suffix, facts) if suffix else "",
        "facts": facts,
        "caveats": caveats,
        "lines": [line for line in facts["notes"] if line not in caveats],
        "note": item.note,
        "rows": item.rows,
        "image": page_images.embed(png) if png.is_file() else None,
        "alt": f"{facts['title']}. {page_images.WORDS.get(item.script, '')}".strip(),
        "files": [f"{stem}{kind}" for kind in (".png", ".pdf", ".csv") if (figures / f"{stem}{kind}").is_file()],
    }


def _missing(stem, figures):
    """Say which files of a figure are not there."""
    return " and ".join(f"{stem}{kind}" for kind in (".png", ".json") if not (figures / f"{stem}{kind}").is_file())


def _group(key, items, facts, claims):
    """Gather a section: its items, its ledger, its outcomes over seeds."""
    measured = claims["applications"].get(key) if claims else None
    return {
        "key": key,
        "title": GROUPS[key],
        "items": [one for one in items if one["item"].group == key],
        "ledger": page_facts.ledger(facts.get(page_facts.LEDGERS.get(key), {})),
        "ledger_command": page_facts.command(page_facts.LEDGERS[key]) if key in page_facts.LEDGERS else None,
        "measured": measured,
        "outcomes": page_claims.outcomes(measured) if measured else None,
    }


def _summary(items):
    """Say over all items how many are there, and with what they were made."""
    drawn = [part["facts"] for one in items for part in one["parts"]]
    versions = {tuple(sorted(facts["versions"].items())) for facts in drawn if facts["versions"]}
    return {
        "total": len(items),
        "absent": [one for one in items if one["missing"]],
        "profiles": sorted({facts["profile"] for facts in drawn}),
        "real": sorted({facts["data"] for facts in drawn if page_facts.is_real(facts)}),
        "versions": [dict(pairs) for pairs in sorted(versions)],
    }


if __name__ == "__main__":
    command.run_script(main)
