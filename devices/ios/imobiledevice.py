"""libimobiledevice's library as a command, run in a process of its own: what its tools before 1.4 leave out.

    python -m devices.ios.imobiledevice UDID apps
    python -m devices.ios.imobiledevice UDID push BUNDLE FOLDER REMOTE
    python -m devices.ios.imobiledevice UDID put BUNDLE FILE REMOTE
    python -m devices.ios.imobiledevice UDID pull BUNDLE REMOTE FILE

The library (LGPL-2.1, Debian's libimobiledevice6, Homebrew's libimobiledevice) is loaded when this runs, by ctypes.
`apps` prints one identifier a line; the others print nothing. A fault is one line on stderr: its kind, a colon, words.
"""

from __future__ import annotations

import ctypes
import plistlib
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_uint32, c_uint64, c_void_p
from ctypes.util import find_library
from pathlib import Path
from typing import Any

USBMUX = 2
"""IDEVICE_LOOKUP_USBMUX"""
READ, WRITE = 1, 3
"""AFC_FOPEN_RDONLY, AFC_FOPEN_WRONLY: the latter creates and empties the file."""
NOT_FOUND, FULL = 8, 18
"""AFC_E_OBJECT_NOT_FOUND, AFC_E_NO_SPACE_LEFT"""
CHUNK = 1 << 20
LABEL = b"segmentation-bench"
NAMES = ("imobiledevice-1.0", "imobiledevice")
FOLDERS = ("/opt/homebrew/lib", "/usr/local/lib")


class Fault(Exception):
    """Its kind (missing, full, refused, gone) and words."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(f"{kind}: {words}")


def shared_library() -> str | None:
    """The library's name or path for the loader; None when it is not installed."""
    for name in NAMES:
        if found := find_library(name):
            return found
        for folder in FOLDERS:
            if (path := Path(folder) / f"lib{name}.dylib").exists():
                return str(path)
    return None


class Device:
    """An iPhone that usbmuxd knows. Needs the library; Fault for whatever fails."""

    def __init__(self, udid: str) -> None:
        name = shared_library()
        if name is None:
            raise Fault("refused", "the library libimobiledevice is not installed")
        self.lib = ctypes.CDLL(name)
        # The plist functions come with the library that libimobiledevice itself has loaded.
        self.plists = self.lib if hasattr(self.lib, "plist_to_xml") else ctypes.CDLL(find_library("plist-2.0") or "")
        self.handle = c_void_p()
        if self.lib.idevice_new_with_options(byref(self.handle), c_char_p(udid.encode()), c_int(USBMUX)):
            raise Fault("gone", f"no iPhone {udid} is attached")

    def apps(self) -> list[str]:
        """The identifiers of the apps that were installed by people."""
        client, answer = c_void_p(), c_void_p()
        code = self.lib.instproxy_client_start_service(self.handle, byref(client), c_char_p(LABEL))
        if code:
            raise Fault("gone", f"the list of apps could not be opened ({code}): is the phone unlocked and trusting?")
        options = c_void_p()
        asked = plistlib.dumps({"ApplicationType": "User"})
        self.plists.plist_from_xml(c_char_p(asked), c_uint32(len(asked)), byref(options))
        code = self.lib.instproxy_browse(client, options, byref(answer))
        if code:
            raise Fault("gone", f"the list of apps was cut short ({code})")
        return [app["CFBundleIdentifier"] for app in self._plist(answer)]

    def documents(self, bundle: str) -> Documents:
        """The Documents folder of one app."""
        arrest = c_void_p()
        code = self.lib.house_arrest_client_start_service(self.handle, byref(arrest), c_char_p(LABEL))
        if code:
            raise Fault("gone", f"the app's files could not be opened ({code}): is the phone unlocked and trusting?")
        self.lib.house_arrest_send_command(arrest, c_char_p(b"VendDocuments"), c_char_p(bundle.encode()))
        answer = c_void_p()
        if code := self.lib.house_arrest_get_result(arrest, byref(answer)):
            raise Fault("gone", f"the phone did not open the app's files ({code})")
        if error := self._plist(answer).get("Error"):
            raise Fault("refused", f"the phone does not open the files of {bundle}: {error}")
        client = c_void_p()
        if code := self.lib.afc_client_new_from_house_arrest_client(arrest, byref(client)):
            raise Fault("gone", f"the app's files could not be read ({code})")
        return Documents(self.lib, client)

    def _plist(self, plist: c_void_p) -> Any:
        text, length = c_char_p(), c_uint32()
        self.plists.plist_to_xml(plist, byref(text), byref(length))
        return plistlib.loads(ctypes.string_at(text, length.value))


class Documents:
    """Files of one app over AFC; paths are relative to its Documents."""

    def __init__(self, lib: ctypes.CDLL, client: c_void_p) -> None:
        self.lib, self.client = lib, client
        for name in ("afc_file_read", "afc_file_write"):
            getattr(lib, name).argtypes = [c_void_p, c_uint64, c_char_p, c_uint32, POINTER(c_uint32)]
        for name in ("afc_make_directory", "afc_remove_path_and_contents"):
            getattr(lib, name).argtypes = [c_void_p, c_char_p]
        lib.afc_file_open.argtypes = [c_void_p, c_char_p, c_int, POINTER(c_uint64)]
        lib.afc_file_close.argtypes = [c_void_p, c_uint64]

    def push(self, folder: Path, remote: str) -> None:
        """Replace the folder `remote` by what `folder` holds."""
        code = self.lib.afc_remove_path_and_contents(self.client, _path(remote))
        if code not in (0, NOT_FOUND):
            raise _fault(code, remote)
        self._make(remote)
        for path in sorted(folder.rglob("*")):
            there = f"{remote}/{path.relative_to(folder).as_posix()}"
            if path.is_dir():
                self._make(there)
            else:
                self.put(path, there)

    def put(self, local: Path, remote: str) -> None:
        handle, count = self._open(remote, WRITE), c_uint32()
        with local.open("rb") as file:
            while chunk := file.read(CHUNK):
                _check(self.lib.afc_file_write(self.client, handle, chunk, len(chunk), byref(count)), remote)
                if count.value != len(chunk):
                    raise Fault("full", f"{remote} took {count.value} of {len(chunk)} bytes")
        _check(self.lib.afc_file_close(self.client, handle), remote)

    def pull(self, remote: str, local: Path) -> None:
        handle = self._open(remote, READ)
        buffer, count = ctypes.create_string_buffer(CHUNK), c_uint32()
        with local.open("wb") as file:
            while True:
                _check(self.lib.afc_file_read(self.client, handle, buffer, CHUNK, byref(count)), remote)
                if not count.value:
                    break
                file.write(buffer.raw[: count.value])
        _check(self.lib.afc_file_close(self.client, handle), remote)

    def _make(self, remote: str) -> None:
        _check(self.lib.afc_make_directory(self.client, _path(remote)), remote)

    def _open(self, remote: str, mode: int) -> c_uint64:
        handle = c_uint64()
        _check(self.lib.afc_file_open(self.client, _path(remote), mode, byref(handle)), remote)
        return handle


def _path(remote: str) -> bytes:
    return f"/Documents/{remote}".encode()


def _check(code: int, what: str) -> None:
    if code:
        raise _fault(code, what)


def _fault(code: int, what: str) -> Fault:
    kinds: dict[int, tuple[str, str]] = {NOT_FOUND: ("missing", "is not there"), FULL: ("full", "does not fit")}
    kind, words = kinds.get(code, ("gone", f"failed with AFC's error {code}"))
    return Fault(kind, f"{what} {words}")


def main(arguments: list[str]) -> int:
    udid, verb, *rest = arguments
    try:
        match verb, *rest:
            case ["apps"]:
                print("\n".join(Device(udid).apps()))
            case "push", bundle, folder, remote:
                Device(udid).documents(bundle).push(Path(folder), remote)
            case "put", bundle, file, remote:
                Device(udid).documents(bundle).put(Path(file), remote)
            case "pull", bundle, remote, file:
                Device(udid).documents(bundle).pull(remote, Path(file))
            case _:
                raise Fault("refused", f"there is no command {verb} with {len(rest)} arguments")
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
