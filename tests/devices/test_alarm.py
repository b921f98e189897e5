import threading
from contextlib import suppress

from devices.alarm import alarm


def test_it_rings_only_when_time_is_up():
    rung = threading.Event()
    with alarm(0.01, rung.set):
        assert rung.wait(60)
    late = threading.Event()
    with alarm(0.05, late.set):
        pass
    assert not late.wait(0.2)


def test_it_is_cancelled_and_never_keeps_an_interrupted_process_alive():
    before = set(threading.enumerate())
    with suppress(KeyboardInterrupt), alarm(600, lambda: None):
        (mine,) = set(threading.enumerate()) - before
        assert mine.daemon
        raise KeyboardInterrupt
    mine.join(60)
    assert not mine.is_alive()
