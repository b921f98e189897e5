"""The pictures that are looked at, not committed unseen: that they hold what their words say."""

import numpy as np

from training import curves, show


def test_every_simulation_has_its_row_and_the_first_is_empty():
    picture = show.priors()
    side, title = show.SIDE, 22
    rows = picture.shape[0] // (side + title)
    assert picture.shape == (rows * (side + title), 2 * side * show.EXAMPLES, 3)
    masks = [picture[r * (side + title) + title :][:side, side : 2 * side] for r in range(rows)]
    assert masks[0].max() == 0
    assert all((mask > 127).mean() > 0.05 for mask in masks[1:])
    assert not any(np.array_equal(a, b) for i, a in enumerate(masks) for b in masks[:i])


def test_curves_are_drawn_also_of_a_run_that_was_never_judged(tmp_path):
    log = [{"samples": 100, "seconds": 1.0, "loss": 0.5}, {"samples": 200, "seconds": 2.0, "loss": 0.4}]
    curves.save(tmp_path / "a.png", log)
    curves.save(tmp_path / "b.png", [{**entry, "selfies": 0.9} for entry in log])
    a, b = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert a[:4] == b"\x89PNG"
    assert a != b
