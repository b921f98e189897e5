"""Counting what a delegate took, on graphs as LiteRT lists them after delegation."""

from __future__ import annotations

from devices.desktop.placement import delegated


def op(name: str, inputs: list[int], outputs: list[int]) -> dict[str, object]:
    return {"op_name": name, "inputs": inputs, "outputs": outputs}


CHAIN = [op("CONV_2D", [0, 10], [1]), op("TRANSPOSE", [1], [2]), op("ADD", [2, 1], [3]), op("LOGISTIC", [3], [4])]


def test_nothing_is_delegated_without_a_delegate() -> None:
    assert delegated(CHAIN, [4]) == (0, 4)


def test_one_node_took_all() -> None:
    assert delegated([*CHAIN, op("DELEGATE", [0, 10], [4])], [4]) == (4, 4)


def test_what_lies_between_two_delegates_stayed_behind() -> None:
    nodes = [*CHAIN, op("DELEGATE", [0, 10], [1]), op("DELEGATE", [2, 1], [4])]
    assert delegated(nodes, [4]) == (3, 4)


def test_an_operator_at_the_end_stayed_behind() -> None:
    assert delegated([*CHAIN, op("DELEGATE", [0, 10], [3])], [4]) == (3, 4)
