"""No runtime or converter that runs here calls home.

ONNX Runtime otherwise starts a thread that sends usage events and keeps a device id in the user's cache folder;
OpenVINO's converter and NNCF look hosts up and write a client id into `intel/` in the user's home. Neither asks. What
is set here holds for this process and its children, and touches no file.
"""

from __future__ import annotations

import os
import sys


def switch_off() -> None:
    """Before the first import of onnxruntime, openvino or nncf, which read this when they start."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Both importers of this package go on without it where it is not installed, and None stands for that.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
