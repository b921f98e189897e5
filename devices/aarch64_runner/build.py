"""Builds what runs on an AArch64 device: `python -m devices.aarch64_runner.build`, or `make runner`.

A kit is one folder complete in itself: the runner, LiteRT's library from its pinned wheel, and glibc's loader and
libraries, so that a phone, whose own C library is another one, runs it as it is (14 MB):

    ./ld-linux-aarch64.so.1 --library-path . ./runner JOBFOLDER

The compiler is ziglang's, a wheel. glibc comes from the system's cross packages where they are installed, from the
folder that AARCH64_SYSROOT names, or from Debian's packages, fetched and unpacked without being installed.

There is no x86-64 kit: the x86-64 wheels of ai-edge-litert, 1.4.0 included, do not export TensorFlow Lite's C API.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.extras import missing
from converters.fetching import say_fetching

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build" / "runner"

LIBRARY = "libLiteRtRuntimeCApi.so"
LOADER = "ld-linux-aarch64.so.1"
GLIBC = (
    LOADER,
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libpthread.so.0",
    "libgcc_s.so.1",
    "libstdc++.so.6",
)
LOAD = (f"./{LOADER}", "--library-path", ".")
RUN = (*LOAD, "./runner")
"""What starts the runner from inside its kit; a job folder is added."""
COUNT = (*LOAD, "./count")
"""The same for what runs any model to be counted; the model and a number of frames are added."""
PROGRAMS = ("runner", "count")

SYSROOTS = ("/usr/aarch64-linux-gnu/lib", "/usr/aarch64-linux-gnu/lib64")
PACKAGES = ("libc6-arm64-cross", "libgcc-s1-arm64-cross", "libstdc++6-arm64-cross")
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")
STEP_SECONDS = 600.0


class CannotBuild(Exception):
    """The runner cannot be made here; its text is the reason and what to do, in a sentence."""


@dataclass(frozen=True)
class Kit:
    """A built runner with all it needs, ready to be pushed."""

    folder: Path

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    @property
    def sha256(self) -> str:
        """The kit's content: what is pushed once to a device and not again."""
        return _hash([*self.files])


def _folder() -> Path:
    sources = [HERE / f"{name}.c" for name in PROGRAMS]
    return BUILD / f"aarch64-{_hash([*sources, *(HERE / name for name in ('litert.h', 'frame_mark.h', 'litert.txt'))])}"


def built() -> bool:
    """Whether the kit is there, so that `build` takes no time."""
    return _folder().exists()


def build() -> Kit:
    """The AArch64 kit, built when its sources or its library changed. CannotBuild says what is missing."""
    folder = _folder()
    if not folder.exists():
        _check_compiler()
        with tempfile.TemporaryDirectory(dir=_made(BUILD)) as temporary:
            kit = _made(Path(temporary) / "kit")
            _add_litert(kit, Path(temporary))
            _add_glibc(kit, Path(temporary))
            target = ("-target", "aarch64-linux-gnu.2.30", "-Wl,--allow-shlib-undefined")
            for name in PROGRAMS:
                _compile(f"{name}.c", kit / name, *target, f"-L{kit}", "-lLiteRtRuntimeCApi", "-lm")
            _settle(kit, folder)
    return Kit(folder)


def build_plugin(qemu: str) -> Path:
    """The instruction counter, a plugin for the emulator `qemu` on this machine. CannotBuild says what is missing."""
    version = plugin_version(_said([qemu, "--version"]))
    sources = [HERE / name for name in ("insn_count.c", "frame_mark.h")]
    folder = BUILD / f"plugin{version}-{_hash(sources)}"
    if not folder.exists():
        _check_compiler()
        with tempfile.TemporaryDirectory(dir=_made(BUILD)) as temporary:
            made = _made(Path(temporary) / "plugin")
            shared = ("-shared", "-fPIC", "-fvisibility=hidden", f"-DPLUGIN_VERSION={version}")
            _compile("insn_count.c", made / "insn_count.so", *shared)
            _settle(made, folder)
    return folder / "insn_count.so"


def plugin_version(said: str) -> int:
    """The plugin interface to claim to a qemu whose `--version` says this; qemu 9 refuses the first. Run on 7.2."""
    found = re.search(r"version (\d+)", said)
    if not found:
        raise CannotBuild(f"this does not look like qemu: it calls itself {said[:80]!r}")
    return 1 if int(found[1]) < 9 else 2


def _add_litert(kit: Path, temporary: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    wheel = ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_17_aarch64", "--require-hashes"]
    say_fetching("LiteRT for AArch64, whose ARM instructions are counted or which a phone runs,", "pip")
    _said([*pip, *wheel, "--dest", str(temporary), "--requirement", str(HERE / "litert.txt")])
    (path,) = temporary.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        (kit / LIBRARY).write_bytes(archive.read(f"ai_edge_litert/{LIBRARY}"))


def _add_glibc(kit: Path, temporary: Path) -> None:
    named = os.environ.get("AARCH64_SYSROOT")
    roots = [Path(root) for root in ([named] if named else SYSROOTS)]
    root = next((root for root in roots if all((root / name).exists() for name in GLIBC)), None)
    if root is None and named:
        raise CannotBuild(f"AARCH64_SYSROOT={named} does not hold all of {', '.join(GLIBC)}")
    root = root or _unpack_debian(temporary)
    for name in GLIBC:
        shutil.copyfile(root / name, kit / name)
    (kit / LOADER).chmod(0o755)


def _unpack_debian(temporary: Path) -> Path:
    """The cross packages' libraries, fetched into `temporary` and not installed: no root is needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise CannotBuild(
            "glibc for AArch64 is missing: install your system's cross libraries"
            f" (Debian: {' '.join(PACKAGES)}) or point AARCH64_SYSROOT at a folder that holds them"
        )
    say_fetching("glibc for AArch64", "apt-get")
    _said(["apt-get", "download", "--quiet", *PACKAGES], cwd=temporary)
    for package in temporary.glob("*.deb"):
        _said(["dpkg-deb", "--extract", str(package), str(temporary / "root")])
    return temporary / "root" / SYSROOTS[0].lstrip("/")


def _check_compiler() -> None:
    if reason := missing("ziglang"):
        raise CannotBuild(f"the compiler is missing: {reason}")


def _compile(source: str, out: Path, *flags: str) -> None:
    # Flags that name libraries come after the source that needs them.
    # Zig would keep its cache in the user's home.
    caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(BUILD / "zig"))
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, str(HERE / source), *flags, "-o", str(out)]
    _said(command, env=os.environ | caches)


def _said(command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What `command` printed; CannotBuild with its last words when it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(f"{Path(command[0]).name} could not be run: {error}") from None
    if done.returncode:
        words = done.stderr.strip() or done.stdout.strip() or "nothing"
        raise CannotBuild(f"{' '.join(command[:4])} failed and said: {words[-1000:]}")
    return done.stdout


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _settle(made: Path, folder: Path) -> None:
    """Move a finished folder to its place in one step; another process may have been as quick."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def main() -> None:
    try:
        print(build().folder)
        if qemu := shutil.which("qemu-aarch64"):
            print(build_plugin(qemu))
        else:
            print("The emulator's instruction counter was not built: qemu-aarch64 is not installed.")
        print(
            "There is no x86-64 runner: LiteRT's x86-64 wheels do not export the C API. The desktop uses their Python."
        )
    except CannotBuild as reason:
        sys.exit(f"The runner was not built: {reason}.")


if __name__ == "__main__":
    main()
