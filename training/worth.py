"""The former name of `training.previous_mask_ablation`, for one release."""

from __future__ import annotations

import sys

from training.previous_mask_ablation import main

if __name__ == "__main__":
    sys.exit(main())
