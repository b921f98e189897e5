import json

import numpy as np
import pytest

from evaluation.clip import Clip, Dataset
from evaluation.evaluate import evaluate, evaluate_all, lines, report, unjudgeable
from evaluation.score import Judged, judge, predict, predict_labels, prepare, score, score_labels, summarise
from models.labels import LABELS
from models.segmenter import Segmenter, no_mask, smooth, stretch, to_input

RED, GREEN, BLUE = (250, 20, 20), (20, 250, 20), (20, 20, 250)


def clip(name: str, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Clip:
    return Clip(name, tuple(f"{name}/{i}" for i in range(len(pairs))), lambda i: pairs[i])


def scene(left: int, size: tuple[int, int] = (40, 60), person=RED, behind=BLUE) -> tuple[np.ndarray, np.ndarray]:
    """A red person of 20x20 on a blue wall."""
    label = np.zeros(size, np.uint8)
    label[10:30, left : left + 20] = 1
    return np.where(label[..., None] == 1, np.uint8(person), np.uint8(behind)), label


def dataset(*clips: Clip) -> Dataset:
    return Dataset("made", "made for a test", clips)


def red(frame, prev):
    """A network that finds what is redder than it is blue."""
    return (frame[..., :1] > frame[..., 2:]).astype(np.float32)


def constant(value: float):
    return lambda frame, prev: np.full_like(prev, value)


def test_the_protocol_hands_over_rgb_in_order_and_in_range():
    """A colour-sensitive network is right on RGB and would be exactly wrong on swapped channels."""
    seen = []

    def watching(frame, prev):
        seen.append((frame.dtype, frame.shape, float(frame.min()), float(frame.max())))
        return red(frame, prev)

    result = evaluate(watching, (32, 32), dataset(clip("still", [scene(12)])))
    assert result.iou > 0.9
    swapped = evaluate(lambda f, p: red(f[..., ::-1], p), (32, 32), dataset(clip("still", [scene(12)])))
    assert swapped.iou == 0
    assert seen == [(np.float32, (1, 32, 32, 3), pytest.approx(20 / 255), pytest.approx(250 / 255))]


def test_the_mask_fed_back_is_the_last_one_and_not_the_one_before():
    """A network that counts its own feedback: each mask is the previous one and 0.1 more."""
    frames = np.zeros((7, 32, 32, 3), np.uint8)
    masks = predict(lambda f, p: p + np.float32(0.1), frames, (4, 1, 2))
    assert masks[:, 0, 0] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.1, 0.1, 0.2])
    empty = predict(lambda f, p: p + np.float32(0.1), frames, (4, 1, 2), prev="empty")
    assert empty[:, 0, 0] == pytest.approx([0.1] * 7)


def test_a_runtime_that_reuses_its_output_does_no_harm():
    buffer = np.empty((1, 32, 32, 1), np.float32)

    def reusing(frame, prev):
        before = float(prev[0, 0, 0, 0])
        buffer[:] = -1
        buffer[:] = prev + np.float32(0.1)
        assert before >= 0
        return buffer

    masks = predict(reusing, np.zeros((3, 32, 32, 3), np.uint8), (3,))
    assert masks[:, 0, 0] == pytest.approx([0.1, 0.2, 0.3])
    segmenter = Segmenter(reusing, (32, 32))
    picture = np.zeros((50, 40, 3), np.uint8)
    assert [segmenter.segment(picture)[0, 0] for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])


def test_sequences_must_add_up():
    with pytest.raises(ValueError, match="5 frames do not go with 4"):
        predict(red, np.zeros((4, 32, 32, 3), np.uint8), (3, 2))
    with pytest.raises(ValueError, match="2 masks for 1"):
        score(np.zeros((2, 8, 8), np.float32), dataset(clip("a", [scene(3)])))


def test_frames_are_whole_pictures_stretched_and_labels_keep_their_size():
    made = dataset(clip("wide", [scene(12, (40, 80))]), clip("run", [scene(0, (64, 48)), scene(9, (64, 48))]))
    frames, sequences = prepare(made, (32, 64))
    assert frames.shape == (3, 32, 64, 3)
    assert frames.dtype == np.uint8
    assert sequences == (1, 2)
    blocks = np.arange(16, dtype=np.uint8).reshape(4, 4)[..., None].repeat(3, -1) * 2
    assert stretch(blocks, (2, 2))[..., 0].tolist() == [[5, 9], [21, 25]]  # each the mean of its four
    masks = predict(red, frames, sequences)
    assert min(value for _, value, _ in score(masks, made).per_image) > 0.85


def test_masks_are_resized_before_they_are_cut():
    """A soft edge in the small mask places its cut in the label's pixels; a mask cut first would give blocks of ten."""
    label = np.zeros((40, 40), np.uint8)
    label[:, :18] = 1
    small = np.array([[1, 0.8, 0, 0]] * 4, np.float32)
    (judged,) = judge(small[None], clip("a", [(np.zeros((40, 40, 3), np.uint8), label)]))
    # 0.5 lies at 15 + 10 * 0.3 / 0.8 = 18.75 pixels, so pixel 18, centre 18.5, is the one too many.
    assert judged.iou == pytest.approx(18 / 19)


def test_per_image_means_and_names_in_order():
    made = dataset(clip("a", [scene(0), scene(20)]), clip("b", [scene(40)]))
    frames, sequences = prepare(made, (32, 32))
    masks = predict(red, frames, sequences)
    masks[1] = 0
    result = score(masks, made)
    assert [name for name, *_ in result.per_image] == ["a/0", "a/1", "b/0"]
    assert result.per_image[1][1:] == (0, 0)
    assert result.iou == pytest.approx(np.mean([value for _, value, _ in result.per_image]))
    assert result.iou_ci[0] <= result.iou <= result.iou_ci[1]
    assert result.images == 3


def test_stills_have_no_time_and_clips_do():
    still = score(np.zeros((1, 8, 8), np.float32), dataset(clip("a", [scene(0)])))
    assert still.dtssd is still.dtssd_ci is None
    labels = [scene(left)[1] for left in (0, 0, 3)]
    made = dataset(clip("a", [scene(left) for left in (0, 0, 3)]))
    exact = score(np.stack(labels).astype(np.float32), made)
    assert (exact.iou, exact.boundary_f, exact.dtssd) == (1, 1, 0)
    frozen = score(np.stack([labels[0]] * 3).astype(np.float32), made)
    step = 100 * np.sqrt(6 * 20 / (40 * 60))
    assert frozen.dtssd == pytest.approx((0 + step) / 2)


def test_a_late_mask_is_less_steady_than_a_wrong_but_steady_one():
    run = [scene(left) for left in range(0, 40, 4)]
    truth = np.stack([label for _, label in run]).astype(np.float32)
    late = score(np.concatenate([truth[:1], truth[:-1]]), dataset(clip("a", run)))
    assert late.dtssd is not None
    assert late.dtssd > 10


def test_neighbouring_frames_are_drawn_together():
    generator = np.random.default_rng(0)
    values = np.repeat(generator.uniform(0.7, 1, 12), 15)
    frames = [Judged(str(i), float(v), float(v)) for i, v in enumerate(values)]
    as_clip, as_stills = summarise([frames]), summarise([[frame] for frame in frames])
    assert as_clip.iou == pytest.approx(as_stills.iou)
    width = as_clip.iou_ci[1] - as_clip.iou_ci[0]
    assert width > 2 * (as_stills.iou_ci[1] - as_stills.iou_ci[0])


def test_frames_of_two_clips_are_not_drawn_together():
    clips = [[Judged(f"{name}/{i}", iou, iou) for i in range(15)] for name, iou in (("a", 0.6), ("b", 0.9))]
    assert summarise(clips).iou_ci == pytest.approx((0.6, 0.9))


def test_evaluating_clip_by_clip_is_the_protocol():
    made = dataset(clip("a", [scene(left) for left in (0, 5, 9)]), clip("b", [scene(33)]))

    def hazy(frame, prev):
        return 0.6 * red(frame, prev) + 0.3 * prev

    frames, sequences = prepare(made, (32, 32))
    assert evaluate(hazy, (32, 32), made) == score(predict(hazy, frames, sequences), made)
    assert evaluate(hazy, (32, 32), made, prev="empty") == score(predict(hazy, frames, sequences, "empty"), made)
    assert evaluate(hazy, (32, 32), made) != evaluate(hazy, (32, 32), made, prev="empty")


def test_the_report_is_plain_json():
    made = dataset(clip("a", [scene(0)]))
    made = Dataset(made.name, made.description, made.clips, ["images/x.jpg: has no mask x.png"])
    told = json.loads(json.dumps(report(evaluate(constant(0), (32, 32), made), made, "recurrent")))
    assert told["iou"] == 0
    assert told["iou_ci"] == [0, 0]
    assert told["dtssd"] is None
    assert told["images"] == 1
    assert told["problems"] == ["images/x.jpg: has no mask x.png"]


def test_a_label_with_a_hole_is_not_judged_there():
    picture, label = scene(20)
    label[:, 30:] = 255
    made = dataset(clip("a", [(picture, label)]))
    exact, spilled = np.zeros((2, 1, 40, 60), np.float32)
    exact[0, 10:30, 20:30] = spilled[0, 10:30, 20:30] = 1
    spilled[0, :, 30:] = 1
    assert score(exact, made).iou == score(spilled, made).iou == 1


def test_a_label_is_read_without_its_picture_where_that_is_cheaper():
    def never(index):
        raise AssertionError("the picture was read to judge a mask")

    _, label = scene(0)
    made = dataset(Clip("a", ("a",), never, lambda i: label))
    assert score(label[None].astype(np.float32), made).iou == 1


def test_smoothing_leaves_the_sure_alone_and_leans_the_unsure_back():
    mask = np.array([0.0, 1.0, 0.5], np.float32).reshape(1, 1, 3, 1)
    before = np.array([1.0, 0.0, 1.0], np.float32).reshape(1, 1, 3, 1)
    assert smooth(mask, before, 0.9).ravel() == pytest.approx([0, 1, 0.5 + 0.5 * 0.9], abs=1e-4)


def test_the_segmenter_keeps_its_state_until_it_is_reset():
    def counting(frame, prev):
        return prev + np.float32(0.25)

    segmenter = Segmenter(counting, (32, 64))
    picture = np.zeros((48, 36, 3), np.uint8)
    assert segmenter.segment(picture).shape == (48, 36)
    assert segmenter.segment(picture)[0, 0] == 0.5
    segmenter.reset()
    assert segmenter.segment(picture)[0, 0] == 0.25


def test_inputs_are_what_the_contract_says():
    frame = to_input(np.array([[[255, 0, 51]]], np.uint8))
    assert frame.shape == (1, 1, 1, 3)
    assert frame.dtype == np.float32
    assert frame.ravel() == pytest.approx([1, 0, 0.2])
    assert no_mask((2, 3)).shape == (1, 2, 3, 1)


def parts(frame, prev):
    """A network of labels: hair where it is red, clothes where green, background where blue."""
    given = np.zeros((*frame.shape[:3], 9), np.float32)
    for channel, label in ((0, 1), (1, 7), (2, 0)):
        given[..., label] = frame.argmax(-1) == channel
    return given


def labelled(*truths: np.ndarray) -> Dataset:
    """Stills of squares of 8 pixels whose colours are the truth's."""
    colours = {1: RED, 7: GREEN, 0: BLUE}

    def still(name: str, truth: np.ndarray) -> Clip:
        picture = np.array([[colours[label] for label in row] for row in truth], np.uint8)
        picture, codes = (np.repeat(np.repeat(one, 8, axis=0), 8, axis=1).astype(np.uint8) for one in (picture, truth))
        return Clip(name, (name,), lambda _: (picture, (codes > 0).astype(np.uint8)), read_truth=lambda _: codes)

    return dataset(*(still(str(i), truth) for i, truth in enumerate(truths)))


def test_a_network_of_labels_is_judged_by_the_person_and_by_each_label():
    made = labelled(np.array([[1, 7], [0, 0]]), np.array([[7, 0], [7, 0]]))
    found = evaluate_all(parts, (16, 16), made, has=LABELS)
    assert found.person == evaluate(lambda f, p: 1 - parts(f, p)[..., :1], (16, 16), made)
    assert found.person.iou == 1
    assert found.labels.mean == 1
    assert set(found.labels.labels) == {"background", "hair", "clothes"}
    frames, sequences = prepare(made, (16, 16))
    masks, shares = predict_labels(parts, frames, sequences)
    assert score_labels(shares, made, LABELS) == found.labels
    assert score(masks, made) == found.person


def test_the_state_of_a_network_of_labels_is_the_persons_mask():
    seen = []

    def watching(frame, prev):
        seen.append(prev.copy())
        return parts(frame, prev)

    frame = np.full((2, 16, 16, 3), RED, np.uint8)
    predict_labels(watching, frame, [2])
    assert [one.shape for one in seen] == [(1, 16, 16, 1)] * 2
    assert [float(one.mean()) for one in seen] == [0, 1]
    predict_labels(watching, frame, [2], prev="empty")
    assert float(seen[-1].mean()) == 0


def test_data_of_the_person_alone_give_no_label_a_figure():
    made = dataset(clip("a", [scene(0)]))
    found = evaluate_all(parts, (16, 16), made, has=LABELS)
    assert found.labels is None
    assert "labels" not in report(found, made, "recurrent")


def test_data_of_hair_alone_give_the_person_no_figure():
    truth = np.array([[1, 11]]).repeat(16, axis=0).repeat(8, axis=1).astype(np.uint8)
    picture = np.where(truth[..., None] == 1, np.uint8(RED), np.uint8(BLUE))
    hair = Clip("a", ("a",), lambda _: (picture, truth), read_truth=lambda _: truth, tells_person=False)
    made = dataset(hair)
    found = evaluate_all(parts, (16, 16), made, has=LABELS)
    assert found.person is None
    assert found.labels.labels["hair"].iou == 1
    told = json.loads(json.dumps(report(found, made, "recurrent")))
    assert told["iou"] is None
    assert told["images"] == 1
    assert lines(found, made)[0] == "The data do not tell where the person is."
    assert unjudgeable(made, LABELS) is None
    assert unjudgeable(made, ()) == "the masks tell hair from the rest, and not where the person is"


def test_the_lines_name_each_label_and_what_it_is_taken_for():
    made = labelled(np.array([[1, 7], [0, 0]]))
    said = lines(evaluate_all(lambda f, p: parts(f[..., [1, 0, 2]], p), (16, 16), made, has=LABELS), made)
    assert "mean IOU of 2 labels: 0.00 % (0.00 to 0.00)" in said
    assert "  hair         0.00 % (0.00 to 0.00), 1 picture; found 0 %, 100 % clothes" in said
    assert any("background 100.00 %" in line and "not in the mean; found 100 %" in line for line in said)
