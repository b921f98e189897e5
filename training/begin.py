"""The former name of `training.init_from_mediapipe`, for one release."""

from __future__ import annotations

import sys

from training.init_from_mediapipe import main

if __name__ == "__main__":
    sys.exit(main())
