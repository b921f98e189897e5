"""A loopback usbmuxd with an iPhone behind it, for the real clients. For tests alone.

It speaks what they need: usbmuxd's plists, lockdownd without TLS, installation_proxy, house_arrest with AFC, and a
debugserver that starts the app. The phone's app is a Python object; its Documents are a folder.

Protocols: usbmuxd-proto.h of libusbmuxd; lockdown.c, installation_proxy.c, house_arrest.c, afc.h, debugserver.c of
libimobiledevice.
"""

from __future__ import annotations

import plistlib
import shutil
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

UDID = "0123456789abcdef0123456789abcdef01234567"
BUNDLE = "org.example.test.SegmentationHarness"
LOCKDOWN = 62078
SERVICES = ("com.apple.mobile.installation_proxy", "com.apple.mobile.house_arrest", "com.apple.debugserver")

AFC = struct.Struct("<8s4Q")
MAGIC = b"CFA6LPAA"
STATUS, DATA, OPENED = 1, 2, 14
OK, NOT_FOUND, FULL = 0, 8, 18

Gone = (OSError, EOFError, struct.error)


class App(Protocol):
    def launch(self) -> None: ...


class Faults:
    """What goes wrong; all off to begin with."""

    room: int | None = None
    """Bytes that can still be written before the disk is full."""
    vanish_on: str | None = None
    """The phone is gone as soon as a path that ends so is opened."""
    back_after = 0
    """How many times it is then listed as absent before it is back."""
    stuck = False
    """Files are opened and never answered."""
    locked = False
    """Apps are not started."""
    lockdown_error: str | None = None
    """What lockdownd answers instead of a session."""


class Usbmuxd:
    """Listens on a port of this machine until `close`; `documents` is the app's folder."""

    def __init__(self, documents: Path, app: App, product: str = "iPhone9,1", system: str = "15.8.2") -> None:
        self.documents, self.app, self.faults = documents, app, Faults()
        documents.mkdir(parents=True)
        self.values: dict[str, Any] = {
            "DeviceName": "Test iPhone",
            "DeviceClass": "iPhone",
            "ProductType": product,
            "ProductVersion": system,
            "BuildVersion": "19H384",
            "UniqueDeviceID": UDID,
            "UniqueChipID": 1,
            "CPUArchitecture": "arm64",
            "WiFiAddress": "00:00:00:00:00:00",
        }
        self.apps = {
            BUNDLE: {"Path": "/private/var/containers/Bundle/Application/0/Harness.app", "Container": "/private/var/c"},
            "com.example.other": {"Path": "/private/var/containers/Bundle/Application/1/Other.app"},
        }
        self.attached = True
        self.services: dict[int, str] = {}
        self.started: list[str] = []
        self.sockets: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.vanish()

    def vanish(self) -> None:
        self.attached = False
        for peer in self.sockets:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                self.sockets.append(peer)
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with suppress(*Gone), peer:
            while True:
                length, _, _, tag = struct.unpack("<4I", exactly(peer, 16))
                asked = plistlib.loads(exactly(peer, length - 16))

                def answer(values: dict[str, Any], tag: int = tag) -> None:
                    text = plistlib.dumps(values)
                    peer.sendall(struct.pack("<4I", 16 + len(text), 1, 8, tag) + text)

                kind = asked["MessageType"]
                if kind == "ListDevices":
                    answer({"DeviceList": self._devices()})
                elif kind == "ReadBUID":
                    answer({"BUID": "00000000-0000-0000-0000-000000000000"})
                elif kind == "ReadPairRecord":
                    record = {"HostID": "1", "SystemBUID": "1", "WiFiMACAddress": "00:00:00:00:00:00"}
                    answer({"PairRecordData": plistlib.dumps(record)})
                elif kind == "Listen":
                    answer({"MessageType": "Result", "Number": 0})
                    for device in self._devices():
                        answer(device, 0)
                elif kind == "Connect":
                    answer({"MessageType": "Result", "Number": 0 if self.attached else 2})
                    if self.attached:
                        self._service(peer, socket.ntohs(asked["PortNumber"]))
                    return
                else:
                    answer({"MessageType": "Result", "Number": 0})

    def _devices(self) -> list[dict[str, Any]]:
        if not self.attached and self.faults.back_after:
            self.faults.back_after -= 1
            self.attached = self.faults.back_after == 0
        properties = {
            "ConnectionType": "USB",
            "ConnectionSpeed": 480000000,
            "DeviceID": 1,
            "LocationID": 1,
            "ProductID": 4776,
            "SerialNumber": UDID,
        }
        return [{"DeviceID": 1, "MessageType": "Attached", "Properties": properties}] if self.attached else []

    def _service(self, peer: socket.socket, port: int) -> None:
        if port == LOCKDOWN:
            self._lockdownd(peer)
            return
        name = self.services[port]
        self.started.append(name)
        serve = dict(zip(SERVICES, (self._installation_proxy, self._house_arrest, self._debugserver), strict=True))
        serve[name](peer)

    def _lockdownd(self, peer: socket.socket) -> None:
        while True:
            asked = receive(peer)
            answer: dict[str, Any] = {"Request": asked["Request"]}
            if asked["Request"] == "QueryType":
                answer["Type"] = "com.apple.mobile.lockdown"
            elif asked["Request"] == "GetValue":
                known = self.values if not asked.get("Domain") else {}
                key = asked.get("Key")
                answer |= {"Value": known} if key is None else {"Key": key, "Value": known.get(key, "")}
            elif asked["Request"] == "StartSession":
                if self.faults.lockdown_error:
                    answer["Error"] = self.faults.lockdown_error
                else:
                    answer |= {"SessionID": "1", "EnableSessionSSL": False}
            elif asked["Request"] == "StartService":
                name = asked["Service"]
                if name not in SERVICES:
                    answer["Error"] = "InvalidService"
                else:
                    port = 50000 + len(self.services)
                    self.services[port] = name
                    answer |= {"Service": name, "Port": port}
            send(peer, answer)

    def _installation_proxy(self, peer: socket.socket) -> None:
        while True:
            asked = receive(peer)
            apps = {name: {"CFBundleIdentifier": name, **values} for name, values in self.apps.items()}
            if asked["Command"] == "Browse":
                listed = {"CurrentAmount": len(apps), "CurrentIndex": 0, "Total": len(apps)}
                send(peer, {"Status": "BrowsingApplications", "CurrentList": list(apps.values()), **listed})
                send(peer, {"Status": "Complete"})
            else:
                send(peer, {"Status": "Complete", "LookupResult": apps})

    def _house_arrest(self, peer: socket.socket) -> None:
        asked = receive(peer)
        if asked["Identifier"] not in self.apps:
            send(peer, {"Error": "ApplicationLookupFailed"})
            return
        send(peer, {"Status": "Complete"})
        Afc(self, peer).serve()

    def _debugserver(self, peer: socket.socket) -> None:
        """gdb's remote protocol, as far as starting an app goes."""
        acknowledge = True
        while True:
            while exactly(peer, 1) != b"$":
                pass
            command = bytearray()
            while (byte := exactly(peer, 1)) != b"#":
                command += byte
            exactly(peer, 2)
            if acknowledge:
                peer.sendall(b"+")
            if command == b"c":
                self.app.launch()
                continue  # Answered when the app ends, which it does not.
            if command == b"qLaunchSuccess" and self.faults.locked:
                reply = b"ELocked"
            elif command.startswith(b"QStartNoAck"):
                reply, acknowledge = b"OK", False
            else:
                reply = b"OK"
            peer.sendall(b"$" + reply + b"#%02x" % (sum(reply) % 256))


class Afc:
    """One AFC connection to the app's container; the client sees /Documents."""

    def __init__(self, phone: Usbmuxd, peer: socket.socket) -> None:
        self.phone, self.peer = phone, peer
        self.files: dict[int, Any] = {}

    def serve(self) -> None:
        while True:
            _, whole, this, number, operation = AFC.unpack(exactly(self.peer, AFC.size))
            head, rest = exactly(self.peer, this - AFC.size), exactly(self.peer, whole - this)
            try:
                reply, data = self.handle(operation, head, rest)
            except FileNotFoundError:
                reply, data = STATUS, struct.pack("<Q", NOT_FOUND)
            # Read data follows the packet's own part, everything else is in it.
            own = AFC.size + (0 if operation == 0x0F and reply == DATA else len(data))
            self.peer.sendall(AFC.pack(MAGIC, AFC.size + len(data), own, number, reply) + data)

    def path(self, name: bytes) -> Path:
        return self.phone.documents.parent / name.split(b"\0")[0].decode().lstrip("/")

    def handle(self, operation: int, head: bytes, rest: bytes) -> tuple[int, bytes]:
        done = STATUS, struct.pack("<Q", OK)
        faults = self.phone.faults
        match operation:
            case 0x03:
                names = [".", "..", *sorted(path.name for path in self.path(head + rest).iterdir())]
                return DATA, b"".join(name.encode() + b"\0" for name in names)
            case 0x08 | 0x22:
                path = self.path(head)
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            case 0x09:
                self.path(head).mkdir(parents=True, exist_ok=True)
            case 0x0A:
                found = self.path(head).stat()
                kind = "S_IFDIR" if self.path(head).is_dir() else "S_IFREG"
                facts = {"st_size": found.st_size, "st_blocks": 8, "st_nlink": 1, "st_ifmt": kind}
                times = {"st_mtime": found.st_mtime_ns, "st_birthtime": found.st_mtime_ns}
                pairs = {**facts, **times}.items()
                return DATA, b"".join(f"{key}\0{value}\0".encode() for key, value in pairs)
            case 0x0D:
                name = head[8:].split(b"\0")[0]
                if faults.vanish_on and name.endswith(faults.vanish_on.encode()):
                    faults.vanish_on = None
                    self.phone.vanish()
                    raise EOFError
                if faults.stuck:
                    exactly(self.peer, 1)
                handle = len(self.files) + 1
                self.files[handle] = self.path(name).open("rb" if head[0] == 1 else "wb")
                return OPENED, struct.pack("<Q", handle)
            case 0x0F:
                handle, count = struct.unpack("<QQ", head)
                return DATA, self.files[handle].read(count)
            case 0x10:
                if faults.room is not None:
                    faults.room -= len(rest)
                    if faults.room < 0:
                        return STATUS, struct.pack("<Q", FULL)
                self.files[struct.unpack("<Q", head[:8])[0]].write(rest)
            case 0x14:
                self.files[struct.unpack("<Q", head[:8])[0]].close()
            case _:
                raise AssertionError(f"AFC operation {operation} is not spoken here")
        return done


def exactly(peer: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = peer.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def receive(peer: socket.socket) -> dict[str, Any]:
    (length,) = struct.unpack(">I", exactly(peer, 4))
    return plistlib.loads(exactly(peer, length))


def send(peer: socket.socket, values: dict[str, Any]) -> None:
    text = plistlib.dumps(values)
    peer.sendall(struct.pack(">I", len(text)) + text)
