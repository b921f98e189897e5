"""coremltools, imported without what this project has no use for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from types import ModuleType

PROBED = ("sklearn", "transformers", "torchao", "torchvision", "torchaudio", "tensorflow", "xgboost", "executorch")
"""Frameworks that coremltools imports only to see whether it could convert from them."""

OLD_NEWS = ("has not been tested with coremltools", "Disabling scikit-learn conversion API")
"""The tested versions are coremltools' own statement; here every converted program is compared with its checkpoint."""

NOT_A_MAC = ("No module named 'coremltools.libcoremlpython'",)


class _KnownWarnings(logging.Filter):
    """Drops the warnings named above and lets every other through."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = OLD_NEWS if sys.platform == "darwin" else OLD_NEWS + NOT_A_MAC
        return not any(text in record.getMessage() for text in known)


def coremltools() -> ModuleType:
    """Import coremltools: a second instead of five, since it meets none of the frameworks it probes for."""
    logger = logging.getLogger("coremltools")
    if not any(isinstance(f, _KnownWarnings) for f in logger.filters):
        logger.addFilter(_KnownWarnings())
    hidden = [name for name in PROBED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None makes the import statement fail
    try:
        import coremltools
    finally:
        for name in hidden:
            del sys.modules[name]
    return coremltools


@contextmanager
def no_bars() -> Iterator[None]:
    """coremltools draws a tqdm bar per stage and has no switch for it; the command shows its own progress."""
    from tqdm import tqdm

    init = tqdm.__init__
    tqdm.__init__ = partialmethod(init, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = init
