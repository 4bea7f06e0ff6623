"""Time how many frames of each phantom are written a second, by all cores, files included.

    python benchmarks/phantoms.py          # about half a minute on 2 cores

Each phantom is written twice, and the second time counts: the first one starts the processes.
"""

import tempfile
import time
from pathlib import Path

from data_prep.phantoms import carotid, colonoscopy, procedures

PHANTOMS = {
    "carotid ultrasound": (carotid, carotid.CarotidPhantom(num_patients=30, frames_per_patient=3, seed=1), 90),
    "colonoscopy with polyps": (
        colonoscopy,
        colonoscopy.ColonoscopyPhantom(num_videos=8, frames_per_video=9, seed=1),
        72,
    ),
    "colonoscopy procedures": (procedures, procedures.ProcedurePhantom(num_videos=4, frames_per_video=30, seed=1), 120),
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
