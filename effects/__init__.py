"""A former name of `video`, for one release: `python -m effects.quality` runs video/quality.py."""

from video import __path__ as __path__
