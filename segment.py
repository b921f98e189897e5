"""A network on a real video: another background, a blur, another colour of hair or clothes, or the person cut out."""

from __future__ import annotations

if __name__ == "__main__":
    from cli import interpreter

    interpreter.ensure()

import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.ending import INTERRUPTED, NOT_MEASURED, WRONG_USAGE, carry_out, fail
from cli.options import finite, here, parse_resolution, parse_runtime, parsed
from cli.told import with_answers

if TYPE_CHECKING:
    from converters.inspection.told import Told
    from models.segmenter import Segmenter
    from models.variant import Resolution
    from video.ahead import Stopwatch
    from video.apply import Effect, Effects
    from video.parts import Tint
    from video.read import Source
    from video.recolour import Colour
    from video.write import Sink

DEFAULT, DEFAULT_OF_LABELS = "live", "live-parts"

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def say(line: str) -> None:
    """A line on stderr."""
    print(line, file=sys.stderr)


@app.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@with_answers
def segment(
    told: Told,
    video: Annotated[
        str | None,
        typer.Argument(metavar="VIDEO", help="A video, a photo, a folder of photos, or a camera: camera, camera:1."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="PATH", help="Its suffix says the kind: mp4, mov, mkv, webm; png, jpg."),
    ] = None,
    background: Annotated[
        str | None, typer.Option(metavar="PICTURE|VIDEO|COLOUR", help="Put this behind the person.")
    ] = None,
    blur: Annotated[bool, typer.Option("--blur", help="Put the background out of focus.")] = False,
    recolor: Annotated[
        str | None, typer.Option(metavar="COLOUR", help="Give the background this hue and its own light.")
    ] = None,
    cutout: Annotated[
        bool,
        typer.Option(
            "--cutout",
            help="The person alone, with alpha: .mov (ProRes 4444), .webm (VP9), a folder (PNG); for photos .png.",
        ),
    ] = False,
    hair: Annotated[str | None, typer.Option(metavar="COLOUR", help="Give hair this hue and its own light.")] = None,
    lips: Annotated[str | None, typer.Option(metavar="COLOUR", help="The same for lips.")] = None,
    clothes: Annotated[str | None, typer.Option(metavar="COLOUR", help="The same for clothes.")] = None,
    labelled: Annotated[
        Literal["overlay"] | None,
        typer.Option("--labels", help="Draw the network's labels over the picture, with a legend."),
    ] = None,
    people: Annotated[
        Literal["all", "main"],
        typer.Option(help="Keep everybody, or the person in front alone, who is followed through the video."),
    ] = "all",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="A model's file, a checkpoint, or a name: a variant's or one of references.toml, as mediapipe-selfie.",
            show_default=f"{DEFAULT}; {DEFAULT_OF_LABELS} for hair, lips, clothes and labels",
        ),
    ] = None,
    runtime: Annotated[
        Any, parsed(parse_runtime, "R", "For a variant: pytorch, onnx, tflite, openvino, coreml.")
    ] = "tflite",
    size: Annotated[Any, parsed(parse_resolution, "HxW", "Input of the network.", "the model's own")] = None,
    smoothing: Annotated[
        float, typer.Option(min=0, max=1, callback=finite, help="How much an unsure mask leans on the one before.")
    ] = 0.0,
    feedback: Annotated[bool, typer.Option(help="Give the network its previous mask.")] = True,
    refine: Annotated[bool, typer.Option(help="Bring the mask to the picture's own edges.")] = True,
    threads: Annotated[
        int, typer.Option(min=1, callback=here, metavar="N", help="Processors that the network may use.")
    ] = 1,
    live: Annotated[
        bool, typer.Option("--live", help="No VIDEO: a page that does it with a phone's or this machine's own camera.")
    ] = False,
) -> None:
    """Cut people out of a video and change what is behind them; sound, times and orientation are kept."""
    from devices.open_model import described
    from video.ahead import Stopwatch
    from video.apply import Effects
    from video.backdrop import PICTURES
    from video.photos import OTHER_PHOTOS, WITH_ALPHA, photos_of
    from video.photos import check as check_photos
    from video.read import open_source
    from video.segmenter import Segmenter
    from video.write import check, open_sink

    chosen = [background is not None, blur, recolor is not None, cutout]
    of_labels = any([hair, lips, clothes, labelled])
    if live:
        if any([video, out, *chosen, of_labels, people == "main"]):
            fail("--live goes with --model and --size alone: the rest is chosen on its page.", WRONG_USAGE)
        show_live(model or DEFAULT, size)
        return
    model = model or (DEFAULT_OF_LABELS if of_labels else DEFAULT)
    if video is None or out is None:
        fail("say which VIDEO, and with --out where to; or --live, for a page.", WRONG_USAGE)
    photos = bool(photos_of(Path(video)))
    if not photos and (Path(video).is_dir() or Path(video).suffix.lower() in OTHER_PHOTOS):
        what = "holds no photo" if Path(video).is_dir() else "is no photo that is read here"
        fail(f"{video}: {what}; a photo is one of {', '.join(PICTURES)}.", WRONG_USAGE)
    # What people try first: segment.py photo.jpg -o out.png.
    if photos and not any([*chosen, of_labels]) and out.suffix.lower() in ("", *WITH_ALPHA):
        cutout = chosen[3] = True
    if chosen.count(True) > 1 or not any([*chosen, of_labels]):
        beside = "" if any(chosen) else ", or of --hair, --lips, --clothes and --labels"
        fail(f"say one of --background, --blur, --recolor and --cutout{beside}.", WRONG_USAGE)
    if labelled and cutout:
        fail("--labels is drawn over the whole picture: leave out --cutout.", WRONG_USAGE)
    tints = tinting(hair=hair, lips=lips, clothes=clothes)
    if photos:
        check_photos(Path(video), out, cutout)
    else:
        check(out, cutout)
    for given, what in ((video, "photo" if photos else "video"), (background, "background")):
        if given and out.exists() and Path(given).exists() and out.samefile(given):
            fail(f"{out}: is the {what} itself; give another place to write to.", WRONG_USAGE)

    def load() -> Segmenter:
        loaded = Segmenter(model, runtime, size, threads, smoothing, feedback, say, told, people)
        say(f"Network: {described(model, loaded.session)}")
        if of_labels and not loaded.gives_labels:
            fail(
                f"{model} gives a mask and no labels: --hair, --lips, --clothes and --labels need a network that gives "
                f"them, such as {DEFAULT_OF_LABELS}.",
                WRONG_USAGE,
            )
        return loaded

    def effects_for(size: tuple[int, int]) -> Effects:
        behind = choose(size, background, blur, recolor) if any(chosen) else None
        return Effects(behind, tints, labelled == "overlay", refine)

    if photos:
        segment_photos(Path(video), out, load(), effects_for)
        return
    source = open_source(video)
    effects = effects_for(source.size)
    segmenter = load()
    watch = Stopwatch()
    sink = open_sink(out, source, cutout)
    for sentence in (*source.left_out, *sink.left_out):
        say(sentence)
    complete = interrupted = False
    try:
        process(source, segmenter, effects, sink, watch)
        complete = True
    except KeyboardInterrupt:  # As every recording of a camera ends.
        interrupted, complete = True, source.camera
    finally:
        sink.close(complete)
        source.close()
        if not complete and sink.place != out.resolve():
            say(f"{out}: is as it was; {sink.place} holds what was done.")
    if interrupted:
        say(f"Interrupted; {sink.place if sink.place != out.resolve() else out} holds what was done.")
    elif source.cut_short:
        whole = f" of {source.frames}" if source.frames > source.read else ""
        print(f"{video}: damaged or cut short; {source.read} frames{whole} could be read.", file=sys.stderr)
    if watch.times["encode"]:
        report(out, watch)
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def segment_photos(
    given: Path, out: Path, segmenter: Segmenter, effects_for: Callable[[tuple[int, int]], Effects]
) -> None:
    """Every photo made and written; those that cannot be read are named, and the command then fails."""
    from evaluation.pictures import Unusable
    from video.photos import photos_of, segment_all

    made = list(segment_all(given, out, segmenter, effects_for))
    for photo, done in zip(photos_of(given), made, strict=True):
        if isinstance(done, Unusable):
            print(f"{photo}: {done}; it is left out.", file=sys.stderr)
    written = [done for done in made if isinstance(done, Path)]
    print(f"{out}: {len(written)} of {len(made)} photos")
    if len(written) < len(made):
        raise typer.Exit(WRONG_USAGE)


def show_live(model: str, size: Resolution | None) -> None:
    """Serve the page of the camera until Ctrl-C."""
    from devices.open_model import find_model, open_model
    from devices.web import packages

    def only_tflite(path: Path) -> None:
        if path.suffix != ".tflite":
            fail(f"{path}: the page runs TFLite alone; name a .tflite file or a variant.", WRONG_USAGE)

    if Path(model).exists():
        only_tflite(Path(model))
    if reason := packages.available():
        fail(f"no page can be served: {reason}", NOT_MEASURED)
    from devices.web.live import show

    path = find_model(model, "tflite", resolution=size, say=say)
    only_tflite(path)
    open_model(path, resolution=size)
    try:
        show(path, Path(model).stem)
    except packages.NoPackages as failure:
        fail(f"no page can be served: {failure}", NOT_MEASURED)


def choose(size: tuple[int, int], background: str | None, blur: bool, recolor: str | None) -> Effect:
    """The effect asked for, on pictures of `size` (height, width); the cut-out where none of the three is."""
    from video.apply import blurring, cutting_out, recolouring, replacing
    from video.backdrop import open_backdrop

    if background is not None:
        return replacing(open_backdrop(background, size))
    if blur:
        return blurring()
    if recolor is None:
        return cutting_out
    return recolouring(colour_of(recolor))


def tinting(**colours: str | None) -> tuple[Tint, ...]:
    """The parts to be given a colour, each by its label's name."""
    from video.parts import Tint
    from video.recolour import tones

    return tuple(Tint(label, tones(colour_of(colour))) for label, colour in colours.items() if colour is not None)


def colour_of(text: str) -> Colour:
    from video.backdrop import parse_colour

    if not (colour := parse_colour(text)):
        fail(f"{text!r} is no colour, such as teal or #204060.", WRONG_USAGE)
    return colour


def process(source: Source, segmenter: Segmenter, effects: Effects, sink: Sink, watch: Stopwatch) -> None:
    """Everything through the stages, each in a thread of its own: Ctrl-C comes here and breaks off no writing."""
    import cv2

    from video.ahead import pipeline
    from video.apply import seen_in
    from video.bar import bar
    from video.read import Frame

    def masked(items: Iterator[Any]) -> Generator[Any, None, None]:
        for item in items:
            if isinstance(item, Frame):
                with watch("resize"):
                    small = segmenter.prepare(item.picture)
                with watch("network"):
                    seen = seen_in(segmenter, small, source.size, effects.of_labels)
                yield item, seen
            else:
                yield item

    def refined(items: Iterator[Any]) -> Generator[Any, None, None]:
        for item in items:
            if isinstance(item, tuple):
                frame, seen = item
                with watch("refine"):
                    alphas = effects.alphas(seen, frame.picture)
                yield frame, seen, alphas
            else:
                yield item

    def composed(items: Iterator[Any]) -> Generator[Any, None, None]:
        for item in items:
            if isinstance(item, tuple):
                frame, seen, alphas = item
                with watch("composite"):
                    made = effects(frame.picture, seen, alphas, float(frame.pts * source.time_base))
                yield made, frame.pts
            else:
                yield item

    def written(items: Iterator[Any]) -> Generator[int, None, None]:
        for item in items:
            if isinstance(item, tuple):
                with watch("encode"):
                    sink.write(*item)
                yield 1
            else:
                sink.packet(item)

    total = source.frames or round((source.seconds or 0) * source.rate) or None
    decoded = watch.timed("decode", source.items())
    # The stages are threads enough; more of OpenCV's own only wait for each other.
    cv2.setNumThreads(1)
    with bar() as progress, pipeline(decoded, masked, refined, composed, written) as done:
        task = progress.add_task(source.name, total=total)
        for frames in done:
            progress.advance(task, frames)


def report(out: Path, watch: Stopwatch) -> None:
    """The frames a second end to end, and what each stage took of a frame."""
    from rich.console import Console
    from rich.table import Table

    frames = watch.times["encode"]
    rate, alone = frames / watch.elapsed, frames / watch.seconds["network"]
    # Not the table's title, which would be broken into lines of its width.
    print(f"{out}: {frames} frames, {rate:.1f} FPS; the network alone {alone:.0f}")
    table = Table("stage", "ms a frame", "share")
    whole = sum(watch.seconds.values())
    for stage in ("decode", "resize", "network", "refine", "composite", "encode"):
        took = watch.seconds[stage]
        table.add_row(stage, f"{1000 * took / frames:.2f}", f"{100 * took / whole:.0f} %")
    Console(highlight=False).print(table)


def main() -> None:
    carry_out(app, "segment.py")


if __name__ == "__main__":
    main()
