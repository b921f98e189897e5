"""Ending what a run started leaves the caller's own processes alone."""

import subprocess
import sys

import psutil

from devices.started import StartedProcesses

SLEEP = "import time; time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); print(flush=True); {SLEEP}"


def start(program: str) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    if program == PARENT and process.stdout:
        process.stdout.readline()
    return process


def test_what_started_later_ends_with_its_children_and_what_was_there_goes_on() -> None:
    there = start(PARENT)
    (child_there,) = psutil.Process(there.pid).children()
    started = StartedProcesses()
    later = start(PARENT)
    (child_later,) = psutil.Process(later.pid).children()
    try:
        started.kill()
        assert later.wait(10) < 0
        psutil.wait_procs([child_later], 10)
        assert not child_later.is_running() or child_later.status() == psutil.STATUS_ZOMBIE
        assert there.poll() is None
        assert child_there.is_running()
    finally:
        for process in (there, later):
            process.kill()
            process.wait()
        child_there.kill()
