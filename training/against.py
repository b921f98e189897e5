"""The former name of `training.compare`, for one release."""

from __future__ import annotations

import sys

from training.compare import main

if __name__ == "__main__":
    sys.exit(main())
