"""Who gets what, and what becomes of work whose host is lost: decided without Ray."""

from __future__ import annotations

import pytest

from devices.cluster.schedule import (
    ATTEMPTS,
    DESKTOP,
    Host,
    Work,
    after_loss,
    assign,
    comparable,
    devices_of,
    stranded,
    timed_processor,
    without,
)

A = Host("a", "host-a", 2, frozenset({DESKTOP}), "EPYC")
B = Host("b", "host-b", 2, frozenset({"pixel2"}), "EPYC")
C = Host("c", "host-c", 1, frozenset({"pixel2", "ipad"}), "Xeon")


def placed(*given: tuple[Work, Host]) -> list[tuple[int, str]]:
    return sorted((work.key, host.id) for work, host in given)


def test_conversions_fill_the_processors_and_spread() -> None:
    assert placed(*assign([Work(i) for i in range(9)], [A, B], [])) == [(0, "a"), (1, "b"), (2, "a"), (3, "b")]


def test_a_phone_does_one_thing_at_a_time_and_comes_before_conversions() -> None:
    phones = [Work(i, "pixel2") for i in range(3)]
    given = assign([Work(7), Work(8), *phones], [B, C], [])
    assert placed(*given) == [(0, "b"), (1, "c"), (7, "b")]
    assert placed(*assign(phones[2:], [B, C], given)) == []


def test_a_desktop_is_timed_when_no_conversion_waits_and_nothing_runs_on_its_host() -> None:
    timed = Work(0, DESKTOP)
    assert placed(*assign([timed], [A], [])) == [(0, "a")]
    assert placed(*assign([timed], [A], [(Work(1), A)])) == []
    assert placed(*assign([timed, Work(1)], [A], [])) == [(1, "a")]
    assert placed(*assign([timed], [A, B], [(Work(1), B)])) == [(0, "a")]


def test_no_conversion_and_no_phone_starts_on_a_host_whose_desktop_is_timed() -> None:
    both = Host("d", "host-d", 8, frozenset({DESKTOP, "pixel2"}))
    assert assign([Work(1), Work(2, "pixel2")], [both], [(Work(0, DESKTOP), both)]) == []


def test_work_that_was_lost_goes_to_another_host_where_there_is_one() -> None:
    again = after_loss(Work(0, "pixel2"), B)
    assert again
    assert placed(*assign([again], [B, C], [])) == [(0, "c")]
    assert placed(*assign([again], [B], [])) == [(0, "b")]


def test_work_is_given_up_after_some_hosts() -> None:
    work: Work | None = Work(0)
    for _ in range(ATTEMPTS):
        assert work
        work = after_loss(work, A)
    assert work is None


def test_what_no_host_can_do_is_stranded() -> None:
    work = [Work(0), Work(1, "pixel2"), Work(2, "ipad"), Work(3, DESKTOP, threads=2), Work(4, DESKTOP, threads=4)]
    assert [one.key for one in stranded(work, [A, B, C])] == [4]
    assert [one.key for one in stranded(work, [A, B])] == [2, 4]
    assert [one.key for one in stranded(work, [A, without(B, "pixel2")])] == [1, 2, 4]
    assert [one.key for one in stranded(work, [])] == [0, 1, 2, 3, 4]


def test_a_driver_without_processors_converts_nothing() -> None:
    assert stranded([Work(0)], [Host("h", "head", 0)]) == [Work(0)]


def test_desktops_of_one_kind_of_processor_are_timed() -> None:
    other = Host("x", "host-x", 2, frozenset({DESKTOP}), "Xeon")
    same = Host("y", "host-y", 2, frozenset({DESKTOP}), "EPYC")
    assert timed_processor([other, A, same, C]) == "EPYC"
    assert timed_processor([B]) is None
    assert comparable(A, "EPYC") == (A, None)
    left, words = comparable(other, "EPYC")
    assert left.devices == frozenset()
    assert words == "host-x converts and its desktop is not timed: it has Xeon, the others EPYC."
    assert comparable(C, "EPYC") == (C, None), "its phones are of no processor of its own"


@pytest.mark.parametrize(
    ("resources", "devices"),
    [
        ({"CPU": 2.0, "memory": 1e9, "node:10.0.0.1": 1.0}, set()),
        ({"desktop-cpu": 1.0, "pixel2": 1.0, "adb:1234": 1.0, "GPU": 1.0}, {DESKTOP, "pixel2", "adb:1234"}),
    ],
)
def test_a_nodes_resources_name_its_devices(resources: dict[str, float], devices: set[str]) -> None:
    assert devices_of(resources, ["pixel2", "ipad"]) == devices
