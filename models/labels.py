"""The nine labels of a picture's pixels: background, and the parts of a person.

Convention: probabilities are (..., 9) in [0, 1] in the order of `LABELS` and sum to 1; a label map is (H, W) uint8 of
ids 0 to 8, `ANY_SKIN` where it is known only that skin is shown, `NOT_JUDGED` where nothing is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LABELS = ("background", "hair", "face", "lips", "eyewear", "neck", "body", "clothes", "accessory")
"""`face`, `neck` and `body` are skin; `lips` is the whole mouth; `accessory` is headwear and jewellery."""
BACKGROUND = LABELS.index("background")
SKIN = tuple(LABELS.index(name) for name in ("face", "lips", "neck", "body"))
ANY_SKIN = len(LABELS)
NOT_JUDGED = 255


def person(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """The person's mask (..., 1) of label probabilities (..., 9): whatever is not background."""
    return np.float32(1) - probabilities[..., BACKGROUND : BACKGROUND + 1]
