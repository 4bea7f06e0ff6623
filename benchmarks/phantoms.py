"""Time how many frames, or CT volumes, of each phantom are written a second, by all cores, files included.

    python benchmarks/phantoms.py          # about a minute and a half on 2 cores

Each phantom is written twice, and the second time counts: the first one starts the processes. What it measures, it
also writes into measured.csv.
"""

import tempfile
import time
from pathlib import Path

import measured

from data_prep.phantoms import carotid, colonoscopy, ctpa, procedures, settings

# As hard as the quick profile has them.
CAROTID = settings.CarotidPhantom(num_patients=30, frames_per_patient=3, seed=1)
POLYPS = settings.ColonoscopyPhantom(14, 9, seed=1, polyp_contrast=1.0, lookalikes=4.0)
PROCEDURES = settings.ProcedurePhantom(num_videos=8, frames_per_video=16, seed=1)
CT = settings.CtpaPhantom(num_patients=6, size=(100, 200, 200), region="hila", seed=1)
WHOLE_CT = settings.CtpaPhantom(num_patients=2, size=(250, 512, 512), region="chest", seed=1)
PHANTOMS = {
    "carotid ultrasound": (carotid, CAROTID, 30 * 3),
    "colonoscopy with polyps": (colonoscopy, POLYPS, 14 * 9),
    "colonoscopy procedures": (procedures, PROCEDURES, 8 * 16),
    "CT, 100x200x200": (ctpa, CT, 6),
    "CT, 250x512x512": (ctpa, WHOLE_CT, 2),
}


def main():
    """Write each phantom and print its frames or volumes a second."""
    print(f"{'phantom':<26}{'a second':>10}")
    rows = []
    for name, (module, phantom, frames) in PHANTOMS.items():
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                module.write(phantom, Path(folder) / "phantom", jobs=-1)
                seconds = time.perf_counter() - start
        print(f"{name:<26}{frames / seconds:>10.2f}")
        unit = "volumes a second" if name.startswith("CT") else "frames a second"
        rows.append({"what": f"phantom written: {name}", "after": frames / seconds, "unit": unit})
    measured.record(__file__, rows)


if __name__ == "__main__":
    main()
