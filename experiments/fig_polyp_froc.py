"""Figure 2: FROC curves of polyp detection, by depth of fine-tuning (a) and by size of the training set (b).

Claim tested: deep fine-tuning beats shallow, and a network from scratch, at few false positives (C1), and the gap to
scratch widens as training videos are taken away (C2).
Paper: deep > moderate > shallow; conv4 and deeper beat scratch; every network beats the handcrafted rival (p < .05);
with 25 % of the videos the network from scratch collapses.
Ours: see the figure beside the README; on phantoms by default, on real frames with --data.
Time: about 5 minutes on 2 cores with the quick profile, with nothing done before.

    python experiments/fig_polyp_froc.py
    python experiments/fig_polyp_froc.py --data FOLDER     # CVC-ColonDB, CVC-ClinicDB, ETIS-Larib, Kvasir-SEG, ASU-Mayo
"""

import matplotlib.pyplot as plt

from experiments import command, polyp_common
from repro import plotting, sweep
from repro.finetune import HANDCRAFTED, label

DEPTHS = ("fc8", "fc7", "conv4", "conv1", "scratch", HANDCRAFTED)  # what the paper draws in 2 a
AMOUNTS = ("conv1", "scratch")  # and in 2 b
FRACTIONS = (1.0, 0.5, 0.25)
