"""The user's benchmark_model: its output understood, its command line, and a whole configuration through adb.

The tool itself is in no package. In the last tests a script plays it, with the flags of the real one and the real
LiteRT of this machine behind them; so the masks are right only if frames, names, files and the mask fed back are.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from devices.android import benchmark_model
from devices.android.adb import Adb
from devices.android.benchmark_model import Port, command, parse, script
from devices.android.home import HOME, Limits
from devices.android.runner import AndroidPhone
from devices.contract import Job, MeasurementFailed
from tests.conftest import shebang
from tests.devices.android.adbd import Adbd
from tests.devices.android.conftest import TRANSCRIPTS, transcript
from tests.devices.shallow import configured


def test_a_launch_wholly_on_the_gpu() -> None:
    launch = parse(transcript("benchmark_model.gpu"), "GPU")
    assert launch.last_ns == 7_066_000, "the last timed inference, not the warm-up's"
    assert launch.init_ns == 412_905_000
    assert launch.first_ns == 18_734_000
    assert launch.placement == {"actual": "GPU", "partial": False}


def test_a_graph_cut_in_pieces_is_named() -> None:
    launch = parse(transcript("benchmark_model.nnapi-partial"), "NNAPI")
    assert launch.last_ns == 15_100_000, "the tool writes large numbers with an exponent"
    assert launch.placement == {"actual": "NNAPI and CPU", "partial": True, "partitions": 3}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("fell-back", "GPU delegate took nothing"), ("failed", "did not finish: ERROR: Benchmarking failed")],
)
def test_a_launch_that_proves_nothing_is_refused(name: str, reason: str) -> None:
    with pytest.raises(MeasurementFailed, match=reason):
        parse(transcript(f"benchmark_model.{name}"), "GPU")


def test_another_delegate_than_the_one_asked_for_is_refused() -> None:
    with pytest.raises(MeasurementFailed, match="NNAPI delegate took nothing"):
        parse(transcript("benchmark_model.gpu"), "NNAPI")


def test_the_command_line() -> None:
    inputs = [(Port("serving_default_frame:0", (1, 64, 32, 3)), "frame"), (Port("prev", (1, 64, 32, 1)), "prev")]
    said = command("/data/benchmark_model", "m.tflite", inputs, "output", "npu", 2)
    flags = said.split()
    assert flags[0] == "/data/benchmark_model"
    assert "--input_layer=serving_default_frame:0,prev" in flags
    assert "--input_layer_shape=1,64,32,3:1,64,32,1" in flags
    assert "--input_layer_value_files=serving_default_frame::0:frame,prev:prev" in flags
    assert "--output_filepath=output" in flags
    assert "--num_threads=2" in flags
    assert "--use_nnapi=true" in flags
    assert not any(flag.startswith("--use_gpu") for flag in flags)


def test_the_script_feeds_the_mask_back_inside_a_sequence(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("E")
    for i in range(4):
        (tmp_path / f"frame.{i:05d}").write_text(str(i))
    (tmp_path / "launch.sh").write_text(script("sh -c 'cat prev frame >output; echo ran'", 4, {0, 2}))
    done = subprocess.run(["sh", str(tmp_path / "launch.sh")], capture_output=True, text=True, timeout=30, check=False)
    assert (tmp_path / "masks").read_text() == "E0E01E2E23"
    assert benchmark_model.ENDED in done.stdout
    assert (tmp_path / "log.00003").read_text() == "ran\n"


def test_the_script_stops_where_a_launch_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("E")
    for i in range(3):
        (tmp_path / f"frame.{i:05d}").write_text(str(i))
    (tmp_path / "launch.sh").write_text(script("sh -c 'grep -q 0 frame && cp frame output'", 3, {0}))
    done = subprocess.run(["sh", str(tmp_path / "launch.sh")], capture_output=True, text=True, timeout=30, check=False)
    assert benchmark_model.ENDED not in done.stdout
    assert not (tmp_path / "log.00002").exists()


def test_an_eight_bit_input_is_encoded_as_its_scale_says() -> None:
    port = Port("frame", (1, 1, 3, 1), scale=1 / 255, zero_point=-128)
    values = np.array([0.0, 0.6, 1.0], np.float32)
    assert list(np.frombuffer(port.encode(values), np.int8)) == [-128, 25, 127]
    assert np.allclose(port.decode(port.encode(values)), values, atol=0.5 / 255)


PLAYED = """{shebang}
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

flags = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
interpreter = Interpreter(model_path=flags["graph"], num_threads=1)
interpreter.allocate_tensors()
inputs = {{details["name"]: details for details in interpreter.get_input_details()}}
assert flags["input_layer"].split(",") == list(inputs)
shapes = [[int(side) for side in shape.split(",")] for shape in flags["input_layer_shape"].split(":")]
assert shapes == [list(details["shape"]) for details in inputs.values()]
for item in flags["input_layer_value_files"].split(","):
    name, file = item.replace("::", "\\0").split(":")
    details = inputs[name.replace("\\0", ":")]
    interpreter.set_tensor(details["index"], np.fromfile(file, details["dtype"]).reshape(details["shape"]))
interpreter.invoke()
interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).tofile(flags["output_filepath"])
print(open({log!r}).read())
"""


def play(phone: Adbd, log: str) -> None:
    """Put a benchmark_model on the phone that computes as the real one and says what `log` says."""
    tool = phone.path(f"{HOME}/benchmark_model")
    tool.parent.mkdir(parents=True, exist_ok=True)
    tool.write_text(PLAYED.format(shebang=shebang(), log=str(TRANSCRIPTS / f"benchmark_model.{log}")))


@pytest.fixture
def android(adb: Adb) -> AndroidPhone:
    return AndroidPhone(adb, limits=Limits(nominal=0), attempts=1)


@pytest.mark.parametrize(
    ("unit", "log", "last_ns", "actual"),
    [("gpu", "gpu", 7_066_000, "GPU"), ("npu", "nnapi-partial", 15_100_000, "NNAPI and CPU")],
)
def test_a_configuration_through_benchmark_model(
    android: AndroidPhone,
    phone: Adbd,
    job: Job,
    wanted: np.ndarray,
    unit: str,
    log: str,
    last_ns: int,
    actual: str,
) -> None:
    play(phone, log)
    result = android.run(configured(job, unit=unit))  # type: ignore[arg-type]
    assert np.abs(result.masks - wanted).max() < 1e-5
    assert result.model_ns == (last_ns,) * 3
    assert result.pipeline_ns == ()
    assert result.placement["actual"] == actual
    assert result.placement["requested"] == unit
    assert result.environment.facts["model"] == "Pixel 2"


def test_a_silent_fall_back_to_the_cpu_costs_the_cell(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    play(phone, "fell-back")
    with pytest.raises(MeasurementFailed, match="GPU delegate took nothing"):
        android.run(configured(job, unit="gpu"))


def test_a_tool_that_dies_is_quoted(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    play(phone, "gpu")
    phone.path(f"{HOME}/benchmark_model").write_text("#!/bin/sh\necho STARTING!; echo ERROR: no OpenCL here; exit 1\n")
    with pytest.raises(MeasurementFailed, match=r"did not finish every frame.*ERROR: no OpenCL here"):
        android.run(configured(job, unit="gpu"))


def replace_tool(phone: Adbd, before: str, after: str) -> None:
    """The played tool with one line of it changed."""
    tool = phone.path(f"{HOME}/benchmark_model")
    said = tool.read_text()
    assert before in said
    tool.write_text(said.replace(before, after))


SAYS, WRITES = "print(open(", 'tofile(flags["output_filepath"])'


def test_a_crash_in_the_middle_of_the_frames_is_told_with_its_last_words(
    android: AndroidPhone, phone: Adbd, job: Job
) -> None:
    play(phone, "gpu")
    # The first frame has an empty mask before it, the second has not.
    crash = "if Path('prev').read_bytes().strip(bytes(1)): sys.exit('STARTING! Segmentation fault')"
    replace_tool(phone, "interpreter.invoke()", f"from pathlib import Path\n{crash}\ninterpreter.invoke()")
    with pytest.raises(MeasurementFailed, match=r"did not finish every frame.*Segmentation fault"):
        android.run(configured(job, unit="gpu"))


def test_words_that_are_none_of_the_tools_are_no_time(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    play(phone, "gpu")
    replace_tool(phone, SAYS, "print('STARTING!\\n\\x00\\x7f curr=12 count=\\ncompletely'); (lambda _: _)(open(")
    with pytest.raises(MeasurementFailed, match="benchmark_model did not finish"):
        android.run(configured(job, unit="gpu"))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        # The second frame's alone, whose mask before is not empty: the third begins a sequence.
        (f"{WRITES}\nif Path('prev').read_bytes().strip(bytes(1)): os.truncate('output', 100)", "32868 bytes of masks"),
        ("tobytes(); Path(flags['output_filepath']).write_bytes(b'\\xff' * 16384)", r"outside \[0, 1\]"),
    ],
)
def test_masks_that_are_none_cost_the_cell(
    android: AndroidPhone, phone: Adbd, job: Job, written: str, reason: str
) -> None:
    play(phone, "gpu")
    replace_tool(phone, WRITES, written)
    replace_tool(phone, "import numpy as np", "import os\nfrom pathlib import Path\nimport numpy as np")
    with pytest.raises(MeasurementFailed, match=reason):
        android.run(configured(job, unit="gpu"))


def test_a_tool_that_hangs_is_stopped(adb: Adb, phone: Adbd, job: Job) -> None:
    play(phone, "gpu")
    phone.path(f"{HOME}/benchmark_model").write_text("#!/bin/sh\necho STARTING! loading; sleep 60\n")
    android = AndroidPhone(adb, limits=Limits(nominal=0, run=5), attempts=1)
    with pytest.raises(MeasurementFailed, match=r"did not finish every frame.*STARTING! loading"):
        android.run(configured(job, unit="gpu"))
