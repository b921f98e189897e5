"""How a command ends: a user's mistake in a sentence, a fault of ours as it is."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cli import ending


def mistaken() -> None:
    raise ValueError("there is no such thing")


def closed() -> None:
    raise PermissionError(13, "Permission denied", "page.html")


def faulty() -> None:
    json.loads("{")


@pytest.mark.parametrize(
    ("command", "code", "words"), [(mistaken, 64, "no such thing"), (closed, 3, "Permission denied: 'page.html'")]
)
def test_what_the_user_can_mend_is_a_sentence(
    command: Callable[[], None], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ending.carry_out(command, "bench.py")
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert said.startswith("bench.py: ")
    assert said.rstrip().endswith(words)
    assert said.count("\n") == 1


def test_a_librarys_complaint_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="property name"):
        ending.carry_out(faulty, "bench.py")
