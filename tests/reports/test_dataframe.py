import pandas
import pytest

from reports.dataframe import dataframe
from tests.reports.made_up import desktop, emulated, failed


def test_a_line_a_cell_and_speed_only_where_it_was_measured():
    rows = [*desktop(), emulated(), failed()]
    frame = dataframe(rows)
    assert len(frame) == len(rows)
    measured = (frame.evidence == "measured") & (frame.status == "ok")
    assert frame["model.fps"].notna().tolist() == measured.tolist()
    assert (frame.loc[measured, "model.fps"] * frame.loc[measured, "model.p50_ms"]).to_numpy() == pytest.approx(1000)


def test_it_survives_csv(tmp_path):
    frame = dataframe(desktop())
    frame.to_csv(tmp_path / "figures.csv", index=False)
    assert pandas.read_csv(tmp_path / "figures.csv")["iou"].tolist() == pytest.approx(
        frame["iou"].tolist(), nan_ok=True
    )
