"""The command: which network to use on which device, in which format and at which precision, with the evidence."""

from __future__ import annotations

if __name__ == "__main__":
    from cli import interpreter

    interpreter.ensure()

import sys
import traceback
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from cli.ending import INTERRUPTED, NOT_MEASURED, ROOT, WRONG_USAGE, carry_out, fail, ours
from cli.files import Files, describe_all
from cli.history import STORE, history
from cli.importing import import_rows
from cli.inputs import absent, asked_for, attached, read_footage, read_people, trained
from cli.merging import merge_rows
from cli.options import (
    NO_LABELS,
    CheckpointsOption,
    DataOption,
    JsonOption,
    ResolutionOption,
    finite,
    here,
    misplaced,
    option,
    or_before,
    parse_cluster,
    parse_format,
    parse_formats,
    parse_labels,
    parse_precision,
    parse_precisions,
    parse_references,
    parse_shard,
    parse_share,
    parse_unit,
    parse_variant,
    parse_variants,
    parsed,
)
from cli.printing import print_json, print_rich, print_table
from cli.told import with_answers
from cli.web import app as web_app

if TYPE_CHECKING:
    from converters.inspection.told import Told


SecondsOption = Annotated[
    float, typer.Option(min=1, max=3600, callback=finite, metavar="S", help="Of measuring, for one configuration.")
]


class Previous(StrEnum):
    empty = "empty"
    recurrent = "recurrent"


class Clock(StrEnum):
    decides = "decides"
    advises = "advises"


def group(kind: type[TyperGroup] = TyperGroup) -> typer.Typer:
    return typer.Typer(
        cls=kind,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


app, gate_app = group(Files), group()


@app.callback()
@with_answers
def bench(
    ctx: typer.Context,
    told: Told,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="FILE", help="A model of yours; bench.py FILE is the same. See --models."),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="TOML", help="Models of yours: a table each, with the path in `file`."
        ),
    ] = None,
    device: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="See `bench.py devices`. Several, separated by commas or given again, are measured at once.",
            show_default="desktop",
        ),
    ] = ["desktop"],  # noqa: B006 - typer copies it
    variants: Annotated[
        Any,
        parsed(
            parse_variants,
            "GLOB",
            "Names or globs, separated by commas; * means the twelve of the reference set, none is none.",
            "the default choice, see --all; beside a FILE live",
        ),
    ] = None,
    formats: Annotated[
        Any, parsed(parse_formats, "F,F", "Of pytorch (the baseline), onnx, tflite, openvino, coreml.", "all")
    ] = None,
    precisions: Annotated[Any, parsed(parse_precisions, "P,P", "Of fp32, fp16, int8.", "fp32")] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="The twelve of the reference set in every format. Without it, and without --variants, --formats and"
            " --precisions: live, live-fast and live-best in fp32 and int8, the twelve in one format, four of them in"
            " every other.",
        ),
    ] = False,
    untrained: Annotated[
        str | None,
        typer.Option(
            metavar="GLOB|TOML",
            help="Only the speed of variants without training, or of one that a TOML file describes.",
        ),
    ] = None,
    references: Annotated[
        Any,
        parsed(
            parse_references,
            "GLOB",
            "Reference models of references.toml to measure beside ours; none is none.",
            "all on the desktop, else none; beside a FILE mediapipe-selfie",
        ),
    ] = None,
    former_references: Annotated[Any, typer.Option("--peers", parser=option(parse_references), hidden=True)] = None,
    resolution: ResolutionOption = None,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", help="For a phone that is not here: a prediction from ARM instructions, no measurement."
        ),
    ] = False,
    unit: Annotated[Any, parsed(parse_unit, "U", "What computes: cpu, gpu or npu.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Processors that a configuration may use.")] = 1,
    data: DataOption = None,
    frames: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Judge only so many.", show_default="all; arm64-emulator: 4"),
    ] = None,
    checkpoints: CheckpointsOption = None,
    out: Annotated[Path, typer.Option(file_okay=False, metavar="DIR", help="Where the rows and the page go.")] = Path(
        "results"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer samples, for a look.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="1024 samples and a minute for each configuration, for a decision.")
    ] = False,
    sustained: Annotated[
        float,
        typer.Option(
            min=0,
            max=120,
            callback=finite,
            metavar="MINUTES",
            help="Then load each configuration for so long, at least 2: FPS in bins of ten seconds, and energy where"
            " the host has a counter. On desktop, Android's cpu and web.",
            show_default="none",
        ),
    ] = 0.0,
    repeat: Annotated[
        int,
        typer.Option(
            min=1,
            max=30,
            metavar="N",
            help="Measure each configuration in so many fresh processes: the page shows the spread between them."
            " On desktop and Android.",
        ),
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of the order of the configurations.", show_default="drawn and recorded"),
    ] = None,
    shard: Annotated[Any, parsed(parse_shard, "I/N", "Only the I-th of N shares of the configurations.")] = "1/1",
    cluster: Annotated[
        Any,
        parsed(
            parse_cluster,
            "ADDRESS",
            "Convert and measure on the hosts of a Ray cluster: auto, or HOST:PORT of its head. docs/fleet.md.",
            "this host alone",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and about how long it takes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the speed and the accuracy of every variant in every format on a device, and make a page of it.

    `bench.py FILE...` measures models of yours beside live and MediaPipe's. This happens when no command is named. What
    was measured before is not measured again: a run that was interrupted goes on when the same command is given once
    more.
    """
    if ctx.invoked_subcommand:
        if words := misplaced(ctx):
            fail(words, WRONG_USAGE)
        return
    from cli.measuring import here as measured_here
    from cli.measuring import measure, show
    from cli.planning import Asked, counts, planned
    from cli.untrained import untrained as drawn

    lengths = counts(quick, full, sustained, repeat)
    if cluster and shard != (1, 1):
        fail("--cluster shares the configurations out itself; leave --shard out.", WRONG_USAGE)
    found = asked_for(device, estimate)
    footage = None if dry_run and not data else read_people(data)
    yours = describe_all(files or (), models, told, resolution, footage if data else None)
    for words in yours.problems:
        print(f"bench.py: {words}", file=sys.stderr)
    if (files or models) and not yours.models:
        fail("none of the models named can be measured.", WRONG_USAGE)
    hosts = None
    if cluster and not dry_run:
        from cli import cluster as clusters

        hosts = clusters.join(cluster)
        there: Sequence[Any] = clusters.present(hosts, found)
    else:
        there = [] if dry_run else attached(found)
    weights = trained(checkpoints)
    if untrained is not None:
        if variants:
            fail("--untrained names the variants itself; leave --variants out.", WRONG_USAGE)
        weights = drawn(untrained)
        variants = ",".join(weights)
    asked = Asked(
        variants,
        formats or None,
        precisions or None,
        everything,
        former_references if references is None else references,
        tuple(yours.models),
        resolution,
        unit,
        threads,
        lengths,
        shard,
    )
    plan = planned(asked, there or found, weights)
    for words in plan.left_out:
        print(f"bench.py: {words}", file=sys.stderr)
    if dry_run:
        show(plan.plans, as_json)
        for words in absent(found):
            print(f"bench.py: {words}", file=sys.stderr)
    else:
        assert footage is not None
        source = clusters.on(hosts, footage, data, frames) if hosts else measured_here(footage, frames)
        measure(list(zip(plan.plans, there, strict=True)), source, out, seed, as_json)
    if yours.problems:
        raise typer.Exit(WRONG_USAGE)


@app.command("variants")
def list_variants(
    ctx: typer.Context,
    resolution: ResolutionOption = None,
    count: Annotated[
        bool, typer.Option("--count", help="Count the ARM instructions that were not counted yet: minutes.")
    ] = False,
    variants: Annotated[Any, parsed(parse_variants, "GLOB", "Which ones.", "all")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the networks: parameters, multiply-accumulates and ARM instructions of a frame, and whether there is a
    checkpoint.

    ARM instructions are of the untrained network, a percent off in int8, and shown where they were counted before.
    """
    from cli.counting import count_missing, missing
    from devices import instructions
    from models.cost import macs, parameters
    from models.variant import VARIANTS, get, match
    from profiling.arm import COLUMNS, cached_variant

    size = or_before(ctx, "resolution", resolution)
    shipped = trained(or_before(ctx, "checkpoints", None))
    asked = or_before(ctx, "variants", variants)
    networks = {name: get(name) for name in (match(asked) if asked else VARIANTS)}
    sizes = {name: size or variant.resolution for name, variant in networks.items()}
    unavailable = instructions.available()
    if count and not unavailable:
        count_missing(networks, sizes)
    listed: list[dict[str, Any]] = [
        {
            "variant": name,
            "parameters": parameters(variant),
            "macs": macs(variant, sizes[name]),
            "resolution": list(sizes[name]),
            "checkpoint": name in shipped,
            "arm_instructions": {
                column: cached_variant(variant, sizes[name], *counted) for column, counted in COLUMNS.items()
            },
        }
        for name, variant in networks.items()
    ]
    if or_before(ctx, "as_json", as_json):
        print_json(listed)
    else:
        print_table(
            [
                "variant",
                "parameters",
                "input",
                "MACs",
                *(f"M ARM instr.\n{name.replace('_', ' ')}" for name in COLUMNS),
                "checkpoint",
            ],
            [
                [
                    n["variant"],
                    f"{n['parameters']:,}",
                    "x".join(map(str, n["resolution"])),
                    f"{n['macs'] / 1e6:,.1f} M",
                    *(f"{found / 1e6:.2f}" if found else "-" for found in n["arm_instructions"].values()),
                    "yes" if n["checkpoint"] else "not yet",
                ]
                for n in listed
            ],
        )
    if unavailable:
        print(unavailable, file=sys.stderr)
    elif not count and (number := missing(networks, sizes)):
        print(f"{number} counts of ARM instructions are missing; --count makes them.", file=sys.stderr)
    if count and unavailable:
        raise typer.Exit(NOT_MEASURED)


@app.command()
def convert(
    ctx: typer.Context,
    variant: Annotated[Any, typer.Argument(parser=option(parse_variant), metavar="VARIANT")],
    format: Annotated[Any, parsed(parse_format, "F", "onnx, tflite, openvino, coreml")],
    out: Annotated[Path, typer.Option(metavar="PATH", help="The file to write, with its format's suffix.")],
    precision: Annotated[Any, parsed(parse_precision, "P", "fp32, fp16 or int8.")] = "fp32",
    resolution: ResolutionOption = None,
    checkpoints: CheckpointsOption = None,
) -> None:
    """Write one artifact, compared with its checkpoint."""
    from converters.artifact import Spec
    from converters.build import convert_one
    from models.variant import get
    from reports.live import Live
    from reports.wording import loss

    weights = trained(or_before(ctx, "checkpoints", checkpoints)).get(variant)
    if not weights:
        fail(f"{variant} has no checkpoint yet; train.py makes one.", NOT_MEASURED)
    size = or_before(ctx, "resolution", resolution) or get(variant).resolution
    with Live() as live:
        live.stage("convert", 1)
        artifact = convert_one(Spec(variant, weights.path, weights.sha256, format, precision, size), out, live.convert)
    said = f"{artifact.path}: {artifact.bytes / 1e6:.2f} MB"
    if parity := artifact.parity:
        said += (
            f"; over {parity.frames} frames at most {parity.max_difference:.2g} from its checkpoint,"
            f" {loss(parity.iou_loss_points)}"
        )
        if parity.processor:
            said += f", on {parity.processor.label}"
    print(said)


@app.command()
@with_answers
def evaluate(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model's file, a checkpoint, a variant's name, or that of a model in references.toml.",
        ),
    ],
    told: Told,
    data: DataOption = None,
    prev: Annotated[
        Previous, typer.Option(help="Whether a clip's frames get the mask of the one before. Stills never do.")
    ] = Previous.recurrent,
    class_labels: Annotated[
        Any,
        typer.Option(
            "--labels",
            parser=option(parse_labels),
            metavar="FILE|MAP",
            help="What the classes of DIR are: a JSON or TOML file, or shirt=clothes,3=hair,*=background. none judges"
            " the person alone.",
            show_default="by their names",
        ),
    ] = None,
    resolution: ResolutionOption = None,
    threads: Annotated[int, typer.Option(min=1, callback=here, metavar="N", help="Processors it may use.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Judge one model: IOU, boundary F and, for clips, dtSSD, with 95 % intervals.

    A model with labels is judged by these too, where DIR tells them: mean IOU, each label's, and what it is taken for.
    """
    from devices.open_model import open_model
    from evaluation import evaluate as judging
    from models.bounds import check_memory
    from reports.live import Live

    footage = read_footage(
        or_before(ctx, "data", data),
        None if class_labels == NO_LABELS else class_labels,
        own_ids=class_labels is None,
    )
    size = or_before(ctx, "resolution", resolution)
    step, size = open_model(
        model, resolution=size, threads=threads, say=partial(print, file=sys.stderr), told=told, dataset=footage
    )
    has = () if class_labels == NO_LABELS else step.labels
    if reason := judging.unjudgeable(footage, has):
        fail(f"{data}: {reason}.", WRONG_USAGE)
    check_memory(max(map(len, footage.clips)), size)
    with Live() as live:
        live.stage("judge", footage.frames)
        found = judging.evaluate_all(
            step, size, footage, prev.value, on_frame=live.done, resize_mode=step.resize_mode, has=has
        )
    if or_before(ctx, "as_json", as_json):
        print_json(judging.report(found, footage, prev.value))
        return
    for line in judging.lines(found, footage):
        print(line)


@app.command()
@with_answers
def describe(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="FILE", help="A .tflite, .onnx or OpenVINO .xml.")],
    told: Told,
    data: DataOption = None,
    resolution: ResolutionOption = None,
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="TOML", help="Where to write it.", show_default="FILE.toml"),
    ] = None,
) -> None:
    """Write a description of your model to FILE.toml; every command then reads it.

    Where the graph does not say how to use the model, the command tries it on pictures of people. What they do not
    show either, it asks for.
    """
    from devices.open_model import inspected
    from models.description import beside, text
    from models.files import check_outputs, refuse_special
    from reports import whole

    refuse_special(model)
    if not model.exists():
        fail(f"{model}: there is no such file.", WRONG_USAGE)
    place = out or beside(model)
    check_outputs([place], [model])
    footage = read_footage(folder) if (folder := or_before(ctx, "data", data)) else None
    size = or_before(ctx, "resolution", resolution)
    made = inspected(model, told, size, footage, partial(print, file=sys.stderr), anew=True)
    whole.write(place, text(made))
    print(place)


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(exists=True, metavar="DIR...")],
    out: Annotated[Path, typer.Option(dir_okay=False, metavar="PAGE", help="The page to write.")] = Path("report.html"),
    csv: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FILE", help="The figures too, a line for each configuration."),
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Print the speed of each network on each phone, measured and contributed.")
    ] = False,
) -> None:
    """Make one page of the rows of one run or many, on one device or many."""
    from gate.section import page
    from models.files import check_outputs

    check_outputs([out, csv], [*folders, *(folder / "rows.jsonl" for folder in folders)])
    for words in page(folders, out):
        print(words, file=sys.stderr)
    print(out)
    if csv:
        from reports import whole
        from reports.dataframe import dataframe
        from reports.page import gather

        whole.write(csv, dataframe(gather(folders)[0]).to_csv(index=False))
        print(csv)
    if matrix:
        from reports.matrix import matrices, show
        from reports.page import gather

        print_rich(show(matrices(gather(folders)[0])))


@gate_app.callback()
def gate(
    ctx: typer.Context,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="REF", help="A git ref, a folder of --save, or the folder of an earlier run."),
    ] = None,
    max_slowdown: Annotated[Any, parsed(parse_share, "P", "Tolerated, such as 3%.", "gate.toml's")] = None,
    configurations: Annotated[
        Path,
        typer.Option(
            "--configurations",
            dir_okay=False,
            metavar="FILE",
            help="Which configurations and model files are compared, and their tolerances.",
            show_default="gate.toml",
        ),
    ] = ROOT / "gate.toml",
    cells: Annotated[Path | None, typer.Option("--cells", dir_okay=False, hidden=True)] = None,
    save: Annotated[
        Path | None, typer.Option(file_okay=False, metavar="DIR", help="Only save this checkout's artifacts there.")
    ] = None,
    baseline_artifact: Annotated[Path | None, typer.Option(metavar="A", help="Compare this file ...")] = None,
    candidate_artifact: Annotated[Path | None, typer.Option(metavar="B", help="... with this one.")] = None,
    runtime: Annotated[
        str | None, typer.Option(metavar="R", help="What runs the two: litert, onnxruntime, openvino.")
    ] = None,
    self_test: Annotated[bool, typer.Option("--self-test", hidden=True)] = False,
    real: Annotated[int, typer.Option(min=0, hidden=True)] = 0,
    minutes: Annotated[float | None, typer.Option(min=0, callback=finite, hidden=True)] = None,
    noisy_neighbour: Annotated[bool, typer.Option("--noisy-neighbour", hidden=True)] = False,
    seconds: SecondsOption = 60.0,
    clock: Annotated[
        Clock,
        typer.Option(
            help="Whether an inconclusive time decides, or advises where ARM instructions were compared: for shared "
            "machines. A regression on the clock always fails."
        ),
    ] = Clock.decides,
    allow_removed: Annotated[
        bool,
        typer.Option(
            "--allow-removed",
            help="Let this checkout's gate.toml declare less than the baseline's, or tolerate more.",
        ),
    ] = False,
    history: Annotated[
        Path,
        typer.Option(dir_okay=False, metavar="FILE", help="The store of bench.py history: its last runs are drawn."),
    ] = STORE,
    data: DataOption = None,
    checkpoints: CheckpointsOption = None,
    out: Annotated[
        Path, typer.Option(file_okay=False, metavar="DIR", help="Where gate.json, gate.md, gate.xml and the page go.")
    ] = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Test whether this checkout is slower, larger or less accurate than a baseline.

    Exits with 0 for a pass, 1 for a regression, 2 when inconclusive, 3 when something could not be measured, 64 for
    wrong usage.
    """
    if ctx.invoked_subcommand:
        if words := misplaced(ctx):
            fail(words, WRONG_USAGE)
        return
    if save and (baseline or baseline_artifact or candidate_artifact):
        fail("--save compares nothing; leave the baseline out.", WRONG_USAGE)
    if self_test:  # as it was called before it was a command of its own
        self_test_gate(ctx, real, minutes, noisy_neighbour, seconds, checkpoints, out)
    from gate import command

    asked = command.Asked(
        baseline,
        baseline_artifact,
        candidate_artifact,
        runtime,
        cells or configurations,
        max_slowdown,
        seconds,
        clock is Clock.advises,
        allow_removed,
        history,
    )

    def run() -> int:
        weights = trained(or_before(ctx, "checkpoints", checkpoints))
        if save:
            return command.save(asked, weights, save)
        dataset = read_people(or_before(ctx, "data", data))
        return command.gate(asked, weights, dataset, out, or_before(ctx, "as_json", as_json))

    end_gate(run)


@gate_app.command("self-test")
def self_test_gate(
    ctx: typer.Context,
    real: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Calibrate, then run N gates here, with a slow-down in one of every 5."),
    ] = 0,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            metavar="M",
            help="With --real: start no gate after M minutes; the same command resumes.",
        ),
    ] = None,
    noisy_neighbour: Annotated[
        bool, typer.Option("--noisy-neighbour", help="With --real: beside a process with an intermittent load.")
    ] = False,
    seconds: SecondsOption = 60.0,
    checkpoints: CheckpointsOption = None,
    out: Annotated[
        Path, typer.Option(file_okay=False, metavar="DIR", help="Where the gates of --real are recorded.")
    ] = Path("results"),
) -> None:
    """Test the gate itself: on simulated machines, or with --real on this one.

    Exits with 0 when its error rates meet their targets, 1 when they do not, 3 when something could not be measured.
    """
    from gate import command

    folder = or_before(ctx, "checkpoints", checkpoints)
    end_gate(lambda: command.self_test(trained(folder), out, real, noisy_neighbour, seconds, minutes))


def end_gate(run: Callable[[], int]) -> NoReturn:
    """Exit with what `run` returns, and with 64 for wrong usage.

    Of a fault Python would end with 1, and 1 says that there is a regression.
    """
    try:
        code = run()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except typer.Exit:
        raise
    except Exception as error:
        mistaken = isinstance(error, ValueError) and ours(error)
        if not (mistaken or isinstance(error, OSError)):
            traceback.print_exc()
        print(f"bench.py: {error}", file=sys.stderr)
        code = WRONG_USAGE if mistaken else NOT_MEASURED
    raise typer.Exit(code)


app.add_typer(gate_app, name="gate")
app.add_typer(web_app, name="web")
app.command("import")(import_rows)
app.command("merge")(merge_rows)
app.command("history")(history)


@app.command("devices")
def list_devices(
    ctx: typer.Context,
    as_json: JsonOption = False,
    ray_resources: Annotated[
        bool, typer.Option("--ray-resources", help="Print the command that joins this host to a Ray cluster.")
    ] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="List the hosts of the Ray cluster that this one joined.")
    ] = False,
) -> None:
    """List what is attached and what it can run, and for the rest what was looked for."""
    if ray_resources or cluster:
        from cli import cluster as clusters

        if ray_resources:
            print(clusters.resources_line())
            return
        hosts = clusters.listed(clusters.join("auto"))
        if or_before(ctx, "as_json", as_json):
            print_json(
                [
                    {"host": h.name, "processor": h.processor, "processors": h.cpus, "devices": sorted(h.devices)}
                    for h in hosts
                ]
            )
        else:
            table = [[h.name, str(h.cpus), h.processor, ", ".join(sorted(h.devices))] for h in hosts]
            print_table(["host", "processors", "", "devices"], table)
        return
    from devices.select import NotAttached, names, select, unnamed

    found = [select(name) for name in (*names(), *unnamed())]
    if or_before(ctx, "as_json", as_json):
        print_json(
            [
                {"device": d.name, "attached": False, "looked_for": d.looked_for, "advice": d.advice}
                if isinstance(d, NotAttached)
                else {
                    "device": d.name,
                    "attached": True,
                    "description": d.description,
                    "formats": list(d.formats),
                    "units": list(d.units),
                }
                for d in found
            ]
        )
        return
    print_table(
        ["device", "", "what it is, or what was looked for"],
        [
            [d.name, "not attached", d.looked_for]
            if isinstance(d, NotAttached)
            else [d.name, "attached", f"{d.description}: {', '.join(d.formats)} on {', '.join(d.units)}"]
            for d in found
        ],
    )
    advised: dict[str, list[str]] = {}
    for d in found:
        if isinstance(d, NotAttached):
            advised.setdefault(d.advice, []).append(d.name)
    for advice, missing in advised.items():
        print(f"\n{', '.join(missing)}: {advice}")


def main() -> None:
    carry_out(app, "bench.py")


if __name__ == "__main__":
    main()
