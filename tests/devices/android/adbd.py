"""A loopback adbd: speaks adb's wire protocol, so that the real adb client pushes, runs and pulls. For tests alone.

The phone is a folder: paths under /data go there. A shell command runs in this machine's shell, with `phone/bin` first
on its PATH (the phone's own commands, played by scripts) and AArch64 programs handed to qemu. What it does not have:
authentication, TLS, a terminal.

Protocol: packages/modules/adb's protocol.txt and SYNC.TXT, shell_protocol.h and file_sync_protocol.h in AOSP.
"""

from __future__ import annotations

import itertools
import os
import queue
import re
import signal
import socket
import stat
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

VERSION, MAX_DATA = 0x01000001, 256 * 1024
MODERN = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir,sendrecv_v2"
"""Features of a phone of today; one without any is an old phone, which speaks shell v1 and sync v1."""

IDENTITY = "ro.product.name=walleye;ro.product.model=Pixel 2;ro.product.device=walleye"

STDOUT, STDERR, EXIT = 1, 2, 3

Gone = (OSError, EOFError, struct.error)


class Faults:
    """What goes wrong with the phone; all off to begin with, switched by the tests."""

    vanish_on: str | None = None
    """The connection ends when a command that holds this text begins."""
    stays_away = False
    """After vanishing, nothing is accepted any more."""
    cut_on: str | None = None
    """A command that holds this text ends at once, once, in silence; the phone stays."""
    stuck_on: str | None = None
    """A command that holds this text never ends."""
    room: int | None = None
    """Bytes that can still be pushed before the disk is full."""
    after: Callable[[Path], None] | None = None
    """Called with the phone's /data/local/tmp after every command: spoils what was written."""


class Adbd:
    """Listens on a port of this machine until `close`. `root` is the phone's file system, `bin` its commands."""

    def __init__(
        self, root: Path, features: str = MODERN, qemu: tuple[str, ...] = ("qemu-aarch64", "-cpu", "cortex-a57")
    ):
        self.root, self.features, self.qemu, self.faults = root, features, qemu, Faults()
        (root / "data" / "local" / "tmp").mkdir(parents=True)
        (root / "bin").mkdir()
        self.commands: list[str] = []
        self.reversed_port = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.serial = f"127.0.0.1:{self.port}"
        self.connections: list[Connection] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()

    def path(self, remote: str) -> Path:
        return self.root / remote.lstrip("/")

    def command(self, name: str, output: str, argument: str = "") -> None:
        """Make the phone's command `name` print `output`, when its first argument is `argument` if one is given."""
        (self.root / "bin" / f"{name}.{argument}").write_text(output)
        script = self.root / "bin" / name
        script.write_text(f"#!/bin/sh\ncat '{script}'.$1 2>/dev/null || cat '{script}.'\n")
        script.chmod(0o755)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                connection = Connection(self, peer)
                self.connections.append(connection)
                threading.Thread(target=connection.serve, daemon=True).start()


class Connection:
    """One adb server that is connected: packets in and out, streams by number."""

    def __init__(self, phone: Adbd, peer: socket.socket) -> None:
        self.phone, self.peer = phone, peer
        self.streams: dict[int, Stream] = {}
        self.numbers = itertools.count(1)
        self.writing = threading.Lock()
        self.processes: list[subprocess.Popen[bytes]] = []
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(OSError):
            self.peer.shutdown(socket.SHUT_RDWR)
        self.peer.close()
        for stream in list(self.streams.values()):
            stream.incoming.put(None)
            stream.ready.release()

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        number = int.from_bytes(command, "little")
        header = struct.pack("<6I", number, first, second, len(data), sum(data) & 0xFFFFFFFF, number ^ 0xFFFFFFFF)
        with self.writing:
            self.peer.sendall(header + data)

    def receive(self) -> tuple[bytes, int, int, bytes]:
        number, first, second, length, _, _ = struct.unpack("<6I", self.exactly(24))
        return number.to_bytes(4, "little"), first, second, self.exactly(length)

    def exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self.peer.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def serve(self) -> None:
        with suppress(*Gone):
            while True:
                self.handle(*self.receive())
        self.close()

    def handle(self, command: bytes, first: int, second: int, data: bytes) -> None:
        if command == b"CNXN":
            self.send(b"CNXN", VERSION, MAX_DATA, f"device::{IDENTITY};features={self.phone.features}".encode())
        elif command == b"OPEN":
            stream = Stream(self, next(self.numbers), first)
            self.streams[stream.here] = stream
            service = data.rstrip(b"\0").decode()
            threading.Thread(target=stream.run, args=(service,), daemon=True).start()
        elif (known := self.streams.get(second)) is not None:
            if command == b"WRTE":
                known.incoming.put(data)
            elif command == b"OKAY":
                known.there = first
                known.ready.release()
            elif command == b"CLSE":
                known.incoming.put(None)
                known.ready.release()

    def open(self, service: str) -> Stream:
        """A stream that the phone opens towards the host, as a reversed port does."""
        stream = Stream(self, next(self.numbers), 0)
        self.streams[stream.here] = stream
        self.send(b"OPEN", stream.here, 0, service.encode() + b"\0")
        stream.ready.acquire()
        return stream


class Stream:
    """One service, as a thread: `read` and `write` are its side of the pipe."""

    def __init__(self, connection: Connection, here: int, there: int) -> None:
        self.connection, self.phone, self.here, self.there = connection, connection.phone, here, there
        self.incoming: queue.Queue[bytes | None] = queue.Queue()
        self.ready = threading.Semaphore(0)
        self.rest = bytearray()

    def run(self, service: str) -> None:
        with suppress(*Gone):
            self.connection.send(b"OKAY", self.here, self.there)
            if service == "sync:":
                Sync(self).serve()
            elif service.startswith("shell"):
                self.shell(service)
            elif service.startswith("reverse:forward:"):
                self.reverse(*service.removeprefix("reverse:forward:").split(";"))
            self.connection.send(b"CLSE", self.here, self.there)
        self.connection.streams.pop(self.here, None)

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), MAX_DATA):
            self.connection.send(b"WRTE", self.here, self.there, data[start : start + MAX_DATA])
            self.ready.acquire()

    def chunk(self) -> bytes:
        data = self.incoming.get()
        if data is None:
            raise EOFError
        self.connection.send(b"OKAY", self.here, self.there)
        return data

    def read(self, count: int) -> bytes:
        while len(self.rest) < count:
            self.rest += self.chunk()
        data, self.rest = bytes(self.rest[:count]), self.rest[count:]
        return data

    def shell(self, service: str) -> None:
        kind, _, command = service.partition(":")
        self.phone.commands.append(command)
        faults = self.phone.faults
        if faults.vanish_on and faults.vanish_on in command:
            faults.vanish_on = None
            if faults.stays_away:
                self.phone.close()
            self.connection.close()
            return
        if faults.cut_on and faults.cut_on in command:
            faults.cut_on = None
            return
        if faults.stuck_on and faults.stuck_on in command:
            while True:
                self.chunk()
        process = self.start(command)
        version_2 = ",v2" in kind

        def pump(pipe: int, number: int) -> None:
            with suppress(*Gone):
                while data := os.read(pipe, 4096):
                    self.write(struct.pack("<BI", number, len(data)) + data if version_2 else data)

        assert process.stdout
        assert process.stderr
        errors = threading.Thread(target=pump, args=(process.stderr.fileno(), STDERR), daemon=True)
        if version_2:
            errors.start()
        pump(process.stdout.fileno(), STDOUT)
        code = process.wait()
        if version_2:
            errors.join()
        process.stdout.close()
        process.stderr.close()
        if faults.after:
            faults.after(self.phone.path("/data/local/tmp"))
        if version_2:
            self.write(struct.pack("<BIB", EXIT, 1, code & 0xFF))

    def start(self, command: str) -> subprocess.Popen[bytes]:
        # Only what stands where a path begins, so that a file's own name is never rewritten.
        local = re.sub(r"(?<![\w/.])/data/", f"{self.phone.root}/data/", command)
        local = local.replace("./ld-linux-aarch64.so.1", f"{' '.join(self.phone.qemu)} ./ld-linux-aarch64.so.1")
        process = subprocess.Popen(
            ["/bin/sh", "-c", local],
            cwd=self.phone.root,
            env=os.environ | {"PATH": f"{self.phone.root}/bin:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.connection.processes.append(process)
        return process

    def reverse(self, device: str, host: str) -> None:
        """A port of the phone that leads to a port of the host, until the connection ends."""
        listener = socket.create_server(("127.0.0.1", int(device.removeprefix("tcp:"))))
        self.phone.reversed_port = listener.getsockname()[1]

        def accept() -> None:
            with suppress(*Gone):
                while True:
                    peer, _ = listener.accept()
                    stream = self.connection.open(host)
                    threading.Thread(target=stream.join, args=(peer,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        # The phone tells the port that it bound only when the choice was left to it.
        port = str(self.phone.reversed_port).encode() if device == "tcp:0" else b""
        self.write(b"OKAY" + (b"%04x" % len(port) + port if port else b""))

    def join(self, peer: socket.socket) -> None:
        """Carry bytes between a socket of the phone's and the host, both ways."""

        def outwards() -> None:
            with suppress(*Gone):
                while data := peer.recv(4096):
                    self.write(data)
                self.connection.send(b"CLSE", self.here, self.there)

        threading.Thread(target=outwards, daemon=True).start()
        with suppress(*Gone):
            while True:
                peer.sendall(self.chunk())
        # Closing alone tells the other end nothing while `outwards` still waits to receive.
        with suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)
        peer.close()


class Sync:
    """The file service: stat, list, send and receive, versions 1 and 2."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.phone = stream, stream.phone

    def serve(self) -> None:
        while True:
            request, length = struct.unpack("<4sI", self.stream.read(8))
            if request == b"QUIT":
                return
            text = self.stream.read(length).decode()
            answers: dict[bytes, Callable[[str], None]] = {
                b"STAT": self.stat_1,
                b"STA2": self.stat_2,
                b"LST2": self.stat_2,
                b"LIST": self.list_1,
                b"SEND": self.send_1,
                b"SND2": self.send_2,
                b"RECV": self.receive,
                b"RCV2": self.receive_2,
            }
            answers[request](text)

    def stat_1(self, remote: str) -> None:
        try:
            found = self.phone.path(remote).stat()
            answer = struct.pack("<3I", found.st_mode, found.st_size, int(found.st_mtime))
        except OSError:
            answer = struct.pack("<3I", 0, 0, 0)
        self.stream.write(b"STAT" + answer)

    def stat_2(self, remote: str) -> None:
        try:
            s = self.phone.path(remote).stat()
            times = (int(s.st_atime), int(s.st_mtime), int(s.st_ctime))
            fields: tuple[int, ...] = (
                0,
                s.st_dev,
                s.st_ino,
                s.st_mode,
                s.st_nlink,
                s.st_uid,
                s.st_gid,
                s.st_size,
                *times,
            )
        except OSError as error:
            fields = (error.errno or 2, *[0] * 10)
        self.stream.write(b"STA2" + struct.pack("<IQQIIIIQqqq", *fields))

    def list_1(self, remote: str) -> None:
        for path in sorted(self.phone.path(remote).iterdir()):
            s, name = path.stat(), path.name.encode()
            self.stream.write(b"DENT" + struct.pack("<4I", s.st_mode, s.st_size, int(s.st_mtime), len(name)) + name)
        self.stream.write(b"DONE" + bytes(16))

    def send_1(self, text: str) -> None:
        remote, _, mode = text.rpartition(",")
        self.save(remote, int(mode))

    def send_2(self, remote: str) -> None:
        _, mode, flags = struct.unpack("<4sII", self.stream.read(12))
        assert flags == 0, "no compression was announced"
        self.save(remote, mode)

    def save(self, remote: str, mode: int) -> None:
        path = self.phone.path(remote)
        fault = "" if path.parent.is_dir() else f"couldn't create file: {remote}: No such file or directory"
        faults = self.phone.faults
        content = bytearray()
        for piece in self.pieces():
            if faults.room is not None:
                faults.room -= len(piece)
            content += piece
        if faults.room is not None and faults.room < 0:
            fault = "couldn't write: No space left on device"
        if fault:
            self.stream.write(b"FAIL" + struct.pack("<I", len(fault)) + fault.encode())
            return
        path.write_bytes(content)
        path.chmod(stat.S_IMODE(mode) | 0o600)
        self.stream.write(b"OKAY" + bytes(4))

    def pieces(self) -> Iterator[bytes]:
        while True:
            kind, length = struct.unpack("<4sI", self.stream.read(8))
            if kind == b"DONE":
                return
            yield self.stream.read(length)

    def receive_2(self, remote: str) -> None:
        _, flags = struct.unpack("<4sI", self.stream.read(8))
        assert flags == 0, "no compression was announced"
        self.receive(remote)

    def receive(self, remote: str) -> None:
        try:
            content = self.phone.path(remote).read_bytes()
        except OSError as error:
            fault = f"open failed: {error.strerror}".encode()
            self.stream.write(b"FAIL" + struct.pack("<I", len(fault)) + fault)
            return
        for start in range(0, len(content), 65536):
            piece = content[start : start + 65536]
            self.stream.write(b"DATA" + struct.pack("<I", len(piece)) + piece)
        self.stream.write(b"DONE" + bytes(4))
