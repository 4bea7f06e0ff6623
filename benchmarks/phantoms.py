"""Time how many frames of each phantom are written a second, by all cores, files included.

    python benchmarks/phantoms.py          # about half a minute on 2 cores

Each phantom is written twice, and the second time counts: the first one starts the processes.
"""

import tempfile
import time
from pathlib import Path

from data_prep.phantoms import carotid, colonoscopy, procedures

# As hard as the quick profile has them.
CAROTID = carotid.CarotidPhantom(num_patients=30, frames_per_patient=3, seed=1)
POLYPS = colonoscopy.ColonoscopyPhantom(14, 9, seed=1, polyp_contrast=1.0, lookalikes=4.0)
PROCEDURES = procedures.ProcedurePhantom(num_videos=8, frames_per_video=16, seed=1)
PHANTOMS = {
    "carotid ultrasound": (carotid, CAROTID, 30 * 3),
    "colonoscopy with polyps": (colonoscopy, POLYPS, 14 * 9),
    "colonoscopy procedures": (procedures, PROCEDURES, 8 * 16),
}


def main():
    """Write each phantom and print its frames a second."""
    print(f"{'phantom':<26}{'frames/s':>10}")
    for name, (module, phantom, frames) in PHANTOMS.items():
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                module.write(phantom, Path(folder) / "phantom", jobs=-1)
                seconds = time.perf_counter() - start
        print(f"{name:<26}{frames / seconds:>10.1f}")


if __name__ == "__main__":
    main()
