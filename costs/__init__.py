"""The former name of `profiling`, for one release: `python -m costs.arm` runs profiling/arm.py."""

from profiling import __path__ as __path__
