"""How long `make figures` takes from nothing: each script in turn, in a new folder of results, into figures/times.csv.

It also says whose numbers came out as they are committed. About 20 to 30 minutes on 2 cores with the quick profile.

    make times
"""

import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measured

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "figures"


def main(scripts):
    """Run the scripts of these names, and write how long each took and how many runs it made."""
    with tempfile.TemporaryDirectory() as folder:
        results, drawn = Path(folder) / "results", Path(folder) / "figures"
        rows = [measure(script, results, drawn) for script in scripts]
        changed = [path.name for path in sorted(drawn.glob("*.csv")) if not same(path, FIGURES / path.name)]
        number = len(list(drawn.glob("*.csv")))
    with (FIGURES / "times.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(f"# make times: from nothing, quick profile, {measured.machine()}, {time.strftime('%Y-%m-%d')}\n")
        written = csv.writer(file, lineterminator="\n")
        written.writerows([("script", "seconds", "runs"), *rows])
    print(f"{sum(seconds for _, seconds, _ in rows) / 60:.1f} minutes; {number - len(changed)} of {number} tables of")
    print(f"numbers are those of figures/; others: {', '.join(changed) or 'none'}.")


def measure(script, results, drawn):
    """Run one script; return its name, seconds and the runs that it made."""
    before, start = count(results), time.perf_counter()
    command = [sys.executable, str(ROOT / "experiments" / f"{script}.py"), "--results", str(results)]
    subprocess.run([*command, "--figures", str(drawn)], check=True)
    return script, round(time.perf_counter() - start, 1), count(results) - before


def count(results):
    """Count the runs that are done."""
    return len(list((results / "runs").glob("*.npz")))


def same(path, committed):
    """Tell whether two files hold the same bytes."""
    return committed.is_file() and path.read_bytes() == committed.read_bytes()


if __name__ == "__main__":
    main(sys.argv[1:])
