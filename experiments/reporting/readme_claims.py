"""The README's tables of claims and of phantoms, from what `make claims` wrote. For `experiments.readme`."""

from statistics import fmean

from experiments.reporting.page_claims import ALL, APPLICATIONS, CLAIMS, interval, outcomes
from experiments.reporting.page_facts import CLAIMS as CLAIMS_FILE
from experiments.reporting.page_facts import LEDGERS, duration, read_json
from experiments.reporting.readme_tables import caveats, files, ledger, notes_of, point, rows_of, table
from repro.evaluation.outcomes import FP_PER_FRAME, FP_PER_VOLUME
from repro.finetune import label

PAIRS = {"polyp": "table_s1", "embolism": "table_s2", "frame_quality": "table_s3", "carotid": "table_s4"}
COLUMNS = APPLICATIONS | {"all": ALL}
SMALLEST_P = 0.05
# Where a figure has the outcome of an application: column and value.
POINTS = {"polyp": ("fp_per_frame", FP_PER_FRAME), "embolism": ("fp_per_volume", FP_PER_VOLUME)}


def verdicts(root):
    """Show the four claims in the four applications."""
    claims = _claims(root)
    units = {name: of["unit"] for name, of in claims["applications"].items()}
    found = {(of["claim"], of["application"]): _verdict(of, units) for of in claims["verdicts"]}
    columns = [name for name in COLUMNS if any(application == name for _, application in found)]
    rows = [[f"{claim} {text}", *(found.get((claim, name), "") for name in columns)] for claim, text in CLAIMS.items()]
    made = f"`{claims['command']}`: {_made(claims)}; {claims['runs']} runs that took {duration(claims['seconds'])}."
    shown = table(["the paper's claim", *map(COLUMNS.get, columns)], rows)
    about = "Effects with 95 % intervals over subjects and seeds, positive where they speak for the claim."
    return f"{made}\n{about}\n\n{shown}"


def all_outcomes(root):
    """Show every arm in every application, with the whole training set."""
    claims = _claims(root)
    of = {name: outcomes(about) for name, about in claims["applications"].items()}
    cells = {(name, row["arm"]): row["cells"][0] for name, shown in of.items() for row in shown["rows"]}
    arms = dict.fromkeys(arm for _, arm in cells)
    heads = [f"{COLUMNS[name]}: {claims['applications'][name]['outcome']}" for name in of]
    return table(["arm", *heads], [[arm, *(cells.get((name, arm), "") for name in of)] for arm in arms])


def tests(root):
    """Say what was tested of each claim, and the margins."""
    return _tests(_claims(root))


def application(name, root):
    """Show an application's arms on its phantom, and what was said of each claim."""
    claims, figure = _claims(root), LEDGERS[name]
    if name not in claims["applications"]:
        raise ValueError(f"{CLAIMS_FILE} has nothing on {name}. Make it again: make claims")
    of, notes = claims["applications"][name], notes_of(root, figure)
    _check_same_experiment(figure, notes[0], of, claims)
    _check_same_numbers(figure, measured(name, root), of, claims["seeds"])
    shown = outcomes(of)
    rows = [[row["arm"], *row["cells"], row["validation"]] for row in shown["rows"]]
    said = [
        " ".join(filter(None, (f"- {verdict['claim']} {verdict['verdict']}:", verdict["words"], verdict.get("note"))))
        for verdict in claims["verdicts"]
        if verdict["application"] == name
    ]
    unit = f" in {of['unit']}" if of["unit"] else ""
    what = (
        f"Outcome: {of['outcome']}{unit}, by share of the training set; mean over seeds with its 95 % interval over\n"
        "subjects and seeds. Validation: AUC."
    )
    made = f"{of['data']}, {_made(claims)}. {_without_seeds(ledger(notes))} {files(figure)}"
    arms = table(["arm", *shown["fractions"], "validation"], rows)
    return "\n".join(
        [made, "", what, "", arms, "", *said, f"- {different(PAIRS[name], root)}", "", caveats(of["caveats"])]
    )


def different(stem, root):
    """Say which arms differ in Table S1, S2, S3 or S4, by the paired bootstrap after Holm."""
    found = {}
    for row in rows_of(root, stem):
        p = row.get("p_holm") or row.get("p_bootstrap_holm")
        if p and float(p) < SMALLEST_P:
            found.setdefault(_worse_and_better(row), []).append(row.get("at") or row["interface"])
    grouped = {}
    for (worse, better), at in found.items():
        grouped.setdefault((worse, ", ".join(map(_place, at))), []).append(label(better))
    lists = "; ".join(f"{label(worse)} than {', '.join(better)} (at {at})" for (worse, at), better in grouped.items())
    seeds = _seeds(" ".join(notes_of(root, stem)))
    title = stem.split("_")[1].upper()
    rule = "paired bootstrap over subjects, p < .05 after Holm"
    return f"[Table {title}](figures/{stem}.png), seed {seeds}, {rule}: worse are {lists or 'none'}."


def measured(name, root):
    """Return an application's outcome as its figure has it: a dict of (arm, fraction, seed) to float."""
    found = {}
    for row in rows_of(root, LEDGERS[name]):
        key = row["arm"], float(row["fraction"]), int(row["seed"])
        if name == "carotid":
            found.setdefault(key, []).extend((float(row["li_um"]), float(row["ma_um"])))
        elif name == "frame_quality" and row["kind"] == "auc_bootstrap":
            found[key] = [float(row["auc"])]
        elif name in POINTS and row["kind"] == "bootstrap" and row["panel"] in ("a", "b"):
            across, at = POINTS[name]
            if float(row[across]) == at:
                found[key] = [float(row["sensitivity"])]
    return {key: fmean(values) for key, values in found.items()}


def _worse_and_better(row):
    """Return the two arms of a row whose difference, second minus first, is of sensitivities or rates, or of errors."""
    second_is_better = (float(row["difference"]) > 0) != ("interface" in row)
    return (row["first"], row["second"]) if second_is_better else (row["second"], row["first"])


def _place(at):
    return at if at in ("LI", "MA") else point(at)


def _tests(claims):
    tests = dict.fromkeys((of["claim"], of["application"] == "all", of["statement"]) for of in claims["verdicts"])
    lines = [f"- {claim}{', all together' if together else ''}: {text}" for claim, together, text in tests]
    margins = "; ".join(
        f"{COLUMNS[name].lower()}, {of['outcome']}: {interval(of['margin'], None, None, of['unit'])}"
        for name, of in claims["applications"].items()
    )
    margins = f"Up to a margin, a loss counts as none (C1, C4): {margins}."
    return "\n".join([*lines, "", margins])


def _verdict(of, units):
    numbers = interval(of["effect"], of["low"], of["high"], units.get(of["application"], ""), signed=True)
    return f"**{of['verdict']}**" if of["effect"] is None else f"**{of['verdict']}** {numbers}"


def _made(claims):
    seeds = ", ".join(map(str, claims["seeds"]))
    return f"profile {claims['profile']}, {claims['weights']} weights, seeds {seeds}"


def _seeds(text):
    return text.partition("Seeds: ")[2].partition(".")[0]


def _without_seeds(text):
    """Leave out a figure's own seeds: those of the claims' table are others."""
    return text.replace(f" Seeds: {_seeds(text)}.", "")


def _check_same_experiment(figure, title, of, claims):
    expected = f"{of['data']}, profile {claims['profile']}, {claims['weights']} weights"
    if expected not in title:
        raise ValueError(
            f"{figure}.csv must be of the same experiment as {CLAIMS_FILE}: {expected!r}. Received: {title!r}. Make "
            "both with the same profile and weights: make figures claims"
        )


def _check_same_numbers(figure, numbers, of, seeds):
    for arm in of["arms"]:
        for seed, value in zip(seeds, arm["by_seed"], strict=True):
            drawn = numbers.get((arm["arm"], arm["fraction"], seed), value)
            if abs(drawn - value) > 1e-6:
                raise ValueError(
                    f"{figure}.csv must have the numbers of {CLAIMS_FILE}. Received for {arm['arm']}, fraction "
                    f"{arm['fraction']:g}, seed {seed}: {drawn:g} and {value:g}. One of them is of data that have "
                    "changed since. Make both again: make figures claims"
                )


def _claims(root):
    path = root / "figures" / CLAIMS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there. Make it: make claims")
    return read_json(path)
