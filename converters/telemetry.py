"""No runtime or converter that runs here calls home, or leaves files about.

ONNX Runtime otherwise starts a thread that sends usage events and keeps a device id in the user's cache folder;
OpenVINO's converter and NNCF look hosts up and write a client id into `intel/` in the user's home. Neither asks. What
is set here holds for this process and its children, and touches no file. Matplotlib and PyTorch's compiler have folders
of their own for their caches, in the home folder and among the temporary files: they get one in this project's cache.
"""

from __future__ import annotations

import os
import sys

from platformdirs import user_cache_path


def switch_off() -> None:
    """Before the first import of onnxruntime, openvino or nncf, which read this when they start."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    own = user_cache_path("segmentation-bench")
    os.environ.setdefault("MPLCONFIGDIR", str(own / "matplotlib"))
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(own / "torchinductor"))
    # Both importers of this package go on without it where it is not installed, and None stands for that.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
