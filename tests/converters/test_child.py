"""A worker does not outlive its parent, however that ends and whatever the worker is at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import ROOT

SLEEPS = "import time; time.sleep(60)"
KEEPS_PYTHON = "import ctypes; ctypes.PyDLL(None).sleep(60)"
PARENT = """
import sys, time
from converters.child import Child
first = "from converters.child import end_with_parent; end_with_parent(); print('on'); "
child = Child([sys.executable, "-c", first + sys.argv[1]])
next(child.lines())
print(child.process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    "work",
    [
        SLEEPS,
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{SLEEPS}'])",
        pytest.param(KEEPS_PYTHON, marks=pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's SIGIO")),
    ],
)
def test_a_worker_and_its_children_end_when_the_parent_is_killed(work):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, work], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    worker = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.5)
    family = [worker, *worker.children(recursive=True)]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
