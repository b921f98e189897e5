import threading
import time

import pytest

from video.ahead import Stopwatch, ahead, pipeline


def test_the_same_items_in_the_same_order_through_many_stages():
    assert list(ahead(x + 1 for x in ahead(x * 2 for x in ahead(range(500))))) == [2 * x + 1 for x in range(500)]


def test_a_stage_runs_no_further_ahead_than_it_may():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    reader = ahead(items(), depth=3)
    next(reader)
    for _ in range(50):
        time.sleep(0.002)
    assert len(made) <= 1 + 3 + 2  # one read, three waiting, one in hand and one begun
    reader.close()


def test_what_a_stage_raises_arrives_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise ValueError("the third is bad")

    reader = ahead(x for x in ahead(items()))
    assert [next(reader), next(reader)] == [1, 2]
    with pytest.raises(ValueError, match="the third is bad"):
        next(reader)


def test_closing_ends_the_threads_and_the_stages_under_them():
    closed = []

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    before = threading.active_count()
    reader = ahead(x for x in ahead(items()))
    next(reader)
    reader.close()
    for _ in range(500):
        if closed and threading.active_count() == before:
            break
        time.sleep(0.01)
    assert closed
    assert threading.active_count() == before


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_no_thread_of_a_pipeline_outlives_the_stage_that_raises(bad):
    def endless():
        while True:
            time.sleep(0.001)
            yield 0

    def stage(number):
        def through(items):
            for count, item in enumerate(items):
                if (number, count) == (bad, 20):
                    raise ValueError(f"stage {number} is bad")
                yield item

        return through

    before = threading.active_count()
    with (
        pytest.raises(ValueError, match=f"stage {bad} is bad") as kept,
        pipeline(endless(), *(stage(number) for number in (1, 2, 3))) as done,
    ):
        for _ in done:
            pass
    assert threading.active_count() == before
    assert kept.traceback  # which holds the stage's frame, and what it read from


def test_time_is_counted_by_stage():
    watch = Stopwatch()
    for _ in range(3):
        with watch("rest"):
            time.sleep(0.002)
    assert list(watch.timed("make", range(5))) == [0, 1, 2, 3, 4]
    assert watch.times == {"rest": 3, "make": 5}
    assert watch.seconds["rest"] >= 0.006
