import re

from video.bar import bar


def shown(total: int | None) -> None:
    with bar() as progress:
        task = progress.add_task("me.mp4", total=total)
        for _ in range(3):
            progress.advance(task, 2)
        progress.refresh()


def test_frames_rate_and_time_left_are_shown_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    shown(10)
    said = capsys.readouterr()
    assert re.search(r"me\.mp4.*6/10.* FPS.*\d:\d\d:\d\d", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.err))
    assert said.out == ""


def test_of_a_camera_nobody_knows_the_end(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown(None)
    assert "6/?" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)


def test_a_log_is_kept_clean(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    shown(10)
    assert capsys.readouterr() == ("", "")
