"""Scripts that make the paper's figures and tables, and what they share."""

import gc
import sys

if "--draw-only" in sys.argv:
    # Nearly all that a process imports and draws lives as long as itself: looking for garbage was a tenth of its time.
    gc.disable()
