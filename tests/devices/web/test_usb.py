"""Android phones on a cable, by the real adb client against a phone on the loopback."""

from __future__ import annotations

import re
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from devices.web import usb


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def site():
    server = HTTPServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_is_opened_on_a_phone_and_reaches_this_machine(make_phone, site) -> None:
    phone = make_phone()
    phone.command("am", "Starting: Intent { act=android.intent.action.VIEW }\n")
    (said,) = usb.open_page(site.server_port, "token/")
    assert said == f"The page was opened on {phone.serial}: press its button."
    with urllib.request.urlopen(f"http://127.0.0.1:{phone.reversed_port}/token/", timeout=30) as response:
        assert response.read() == b"/token/"


def test_a_phone_without_a_browser_gets_its_address_told(make_phone, site) -> None:
    phone = make_phone()
    phone.command("am", "Starting: Intent\nError: Activity not started, unable to resolve Intent\n")
    (said,) = usb.open_page(site.server_port, "token/")
    assert re.search(rf"Open http://localhost:{phone.reversed_port}/token/ on .* by hand: Error: Activity not", said)


def test_without_phones_nothing_is_said(adb_server) -> None:
    assert usb.open_page(1, "") == []
