"""Where the benchmarks write what they measured: benchmarks/measured.csv, the source of `experiments.readme`.

python benchmarks/measured.py     # print what is compared there, as one table
"""

import csv
import os
import platform
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

from repro.files import replacing

FILE = Path(__file__).with_name("measured.csv")
NEEDED = ("what", "after", "unit")
MEASURED = ("what", "against", "before", "after", "unit", "ratio", "note")
COLUMNS = ("script", *MEASURED, "machine", "backend", "date")
VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}
"""By the processor's flag, vector instructions, the widest first."""


def record(script, rows, path=FILE):
    """Write a script's rows in the place of those that it measured before with this machine and backend; print where.

    Parameters
    ----------
    script : str
        The caller's `__file__`.
    rows : list of dict
        `what` was timed, `against` what, the numbers `before` and `after` in `unit` ("s", "frames a second"), `ratio`
        (how many times faster), and a `note` on what else a reader must know. What has no rival leaves out `against`,
        `before` and `ratio`.
    path : pathlib.Path

    Raises
    ------
    ValueError
        A row lacks a key, or has one that is unknown.
    """
    name, seen = Path(script).stem, {"machine": machine(), "backend": backend(), "date": date.today().isoformat()}
    new = [{"script": name} | _text(row) | seen for row in rows]
    kept = [row for row in read(path) if _place(row) != _place({"script": name} | seen)]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(kept + new, key=_place))
    print(path)


def _place(row):
    """Say which rows are measured together: those of a machine, a script and a backend, whatever its version."""
    return row["machine"], row["script"], row["backend"].partition(" ")[0]


def read(path=FILE):
    """Return the rows that are written, as dicts of text; none when there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def machine():
    """Name what this runs on: a GPU where Keras has one, cores, as many as may be used, and processor.

    With its family and its vector instructions: processors of one name differ in either, and with it twice in their
    rate.
    """
    return ", ".join(filter(None, (_accelerator(), f"{cores()} cores", _processor())))


def cores():
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def backend():
    """Name Keras' backend with its version; empty where Keras took no part."""
    keras = sys.modules.get("keras")
    return f"{keras.backend.backend()} {version(keras.backend.backend())}" if keras else ""


def _accelerator():
    """Name the GPU that Keras' backend computes on; empty where it has none, or Keras took no part."""
    if "keras" not in sys.modules:
        return ""
    from repro.feeding import on_accelerator  # Imported late: it imports Keras.

    if not on_accelerator():
        return ""
    backend = sys.modules["keras"].backend.backend()
    if backend == "jax":
        return sys.modules["jax"].devices()[0].device_kind
    if backend == "torch":
        return sys.modules["torch"].cuda.get_device_name()
    known = sys.modules["tensorflow"].config
    return known.experimental.get_device_details(known.list_physical_devices("GPU")[0])["device_name"]


def _processor(known=Path("/proc/cpuinfo")):
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name, flags = about.get("model name") or platform.processor() or platform.machine(), about.get("flags", "").split()
    details = [f"family {about['cpu family']}"] if "cpu family" in about else []
    details += [word for flag, word in VECTORS.items() if flag in flags][:1]
    return f"{name} ({', '.join(details)})" if details else name


def _text(row):
    """Round the numbers of a row to four digits: more is noise."""
    if set(row) - set(MEASURED) or set(NEEDED) - set(row):
        raise ValueError(
            f"A measured row has the keys {', '.join(NEEDED)} and may have the others of {', '.join(MEASURED)}. "
            f"Received: {', '.join(row)}."
        )
    return {key: value if isinstance(value, str) else f"{value:.4g}" for key, value in row.items()}


def show(path=FILE):
    """Print the ratios that are written, those of this machine, its GPU's too, as one table."""
    own = machine()
    # After a GPU's name or none; but 12 cores are not 2.
    rows = [row for row in read(path) if row["ratio"] and f", {row['machine']}".endswith(f", {own}")]
    print(f"{own}; times as fast as the rival, then date and what")
    for row in rows:
        times, backend = float(row["ratio"]), row["backend"] and f" ({row['backend']})"
        print(f"{times:8.1f}  {row['date']}  {row['what']}, against {row['against']}{backend}")


if __name__ == "__main__":
    show()
