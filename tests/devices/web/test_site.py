"""What the site gives, to whom, and what it takes."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.contract import Config, Counts, Job, MeasurementFailed, Result
from devices.fleet import JobEnded
from devices.web import answer, packages
from devices.web.app import Site
from devices.web.runner import Browsers
from devices.web.scheduler import Scheduler
from devices.web.serve import Places, serving
from tests.conftest import need

SIDE = 32
MASKS = np.full((2, SIDE, SIDE), 0.25, np.float32)
ANSWER: dict[str, Any] = {
    "evidence": "measured",
    "model_ns": [1000, 2000, 3000],
    "pipeline_ns": [],
    "load_ns": 5,
    "first_ns": 6,
    "warm_up": {"iterations": 1, "seconds": 0.1, "converged": False},
    "placement": {"requested": "cpu", "runtime": "LiteRT.js"},
    "environment": {"facts": {"timer_resolution_ns": 5}},
    "end": "done",
}


class Page:
    """A page's side of the conversation, by hand."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes, dict[str, str]]:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read(), dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), dict(error.headers)

    def begin(self) -> str:
        """Join and take the first configuration; the path of that configuration."""
        told = json.loads(self.ask("POST", "join", {"facts": {"user_agent": "test"}})[1])
        assert json.loads(self.ask("POST", f"phones/{told['phone']}/next")[1])["index"] == 0
        return f"phones/{told['phone']}/cells/0"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "model.tflite").write_bytes(b"the model")
    (tmp_path / "frames.u8").write_bytes(bytes(2 * SIDE * SIDE * 3))
    counts = Counts(1, 0.1, samples=3, seconds=0.1)
    config = Config("shallow", "tflite", resolution=(SIDE, SIDE), device="web")
    job = Job(config, tmp_path / "model.tflite", tmp_path / "frames.u8", (2,), counts)
    return Site([job], Scheduler([60.0]))


@pytest.fixture
def places(site: Site) -> Iterator[Places]:
    with serving(site) as places:
        yield places


@pytest.fixture
def page(places: Places) -> Page:
    return Page(places.local)


def outcome(site: Site) -> Result | MeasurementFailed:
    while not isinstance(event := site.scheduler.told.get(timeout=10), JobEnded):
        pass
    return event.outcome


def test_a_whole_answer_becomes_a_result(site: Site, page: Page) -> None:
    path = page.begin()
    assert page.ask("PUT", f"{path}/masks", MASKS.tobytes())[0] == 204
    assert page.ask("PUT", f"{path}/result", ANSWER)[0] == 204
    result = outcome(site)
    assert isinstance(result, Result)
    assert np.array_equal(result.masks, MASKS)
    assert result.model_ns == (1000, 2000, 3000)
    assert result.environment.facts["user_agent"] == "test"
    assert json.loads(page.ask("POST", f"{path.partition('/cells')[0]}/next")[1]) == {"end": True}


def test_the_site_stays_until_the_page_has_heard_that_this_was_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing of npm's is asked for here.
    monkeypatch.setattr(packages, "install", lambda: None)
    said: list[str] = []
    events: list[Any] = []
    run = Browsers(usb=False, say=said.append).run_all(site.asked)
    running = threading.Thread(target=lambda: events.extend(run), daemon=True)
    running.start()
    wait_until(lambda: bool(said) and said[-1].startswith("On this machine open"))
    page = Page(said[-1].split()[-1])
    path = page.begin()
    assert page.ask("PUT", f"{path}/failure", {"reason": "no"})[0] == 204
    wait_until(lambda: len(events) == 3)
    time.sleep(0.3)
    assert json.loads(page.ask("POST", f"{path.partition('/cells')[0]}/next")[1]) == {"end": True}
    running.join(10)
    assert not running.is_alive()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "plan",
        "page/main.js",
        "models/0",
        f"models/{'9' * 5000}",
        "frames/0",
        "packages/x.js",
        "join",
        "phones/x/next",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_without_the_token_there_is_nothing(places: Places, path: str, method: str) -> None:
    root = f"http://localhost:{places.port}/"
    for stranger in (root, f"{root}{'x' * 16}/", f"{root}%C3%A9/"):
        assert Page(stranger).ask(method, path)[0] == 404
    for bare in ("x" * 16, "%ff", "plan"):
        assert Page(root).ask(method, bare)[0] == 404, "and no redirection to an address with a slash"


def test_a_websocket_is_no_way_around_the_token(places: Places) -> None:
    request = urllib.request.Request(f"http://localhost:{places.port}/plan")
    for name, value in {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }.items():
        request.add_header(name, value)
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(request, timeout=30)
    assert told.value.code == 404
    told.value.close()


@pytest.mark.parametrize(
    "path",
    [
        "page/../app.py",
        "page/%2e%2e%2fapp.py",
        "packages/.installed",
        "packages/../package.json",
        "packages/@litertjs/core/package.json",
        "packages/@litertjs/core/wasm/..%2f..%2f..%2f..%2fpage/main.js",
        "models/1",
        "frames/7",
        "frames/0x0",
        f"models/{'9' * 5000}",
        "job.json",
    ],
)
def test_nothing_else_is_served(page: Page, path: str) -> None:
    assert page.ask("GET", path)[0] == 404


def test_what_is_served_isolates_the_page(page: Page) -> None:
    for path in ("", "page/worker.js", "models/0", "frames/0", "plan", "nothing"):
        headers = page.ask("GET", path)[2]
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert page.ask("GET", "models/0")[1] == b"the model"
    assert len(page.ask("GET", "frames/0")[1]) == 2 * SIDE * SIDE * 3


def test_uploads_have_a_limit(site: Site, page: Page) -> None:
    path = page.begin()
    assert page.ask("PUT", f"{path}/masks", MASKS.tobytes() + b"x")[0] == 413
    assert page.ask("PUT", f"{path}/result", b" " * (answer.RESULT_BYTES + 1))[0] == 413
    assert "the answer is too long" in str(outcome(site)), "its configuration has ended"
    assert page.ask("POST", "join", b" " * (answer.FACTS_BYTES + 1))[0] == 413


def changed(**fields: Any) -> dict[str, Any]:
    return {**{key: value for key, value in ANSWER.items() if key != "end"}, **fields, "end": "done"}


@pytest.mark.parametrize(
    ("masks", "sent", "reason"),
    [
        (None, ANSWER, "left no masks"),
        (MASKS[:1], ANSWER, "holds 4096 bytes"),
        (MASKS * np.float32(np.nan), ANSWER, "NaN"),
        (MASKS * 9, ANSWER, r"outside \[0, 1\]"),
        (MASKS, {**ANSWER, "end": "almost"}, "no end marker"),
        (MASKS, b"{", "not whole"),
        (MASKS, changed(evidence="estimated"), "does not say that it was measured"),
        (MASKS, changed(model_ns=[1, 2]), "2 samples where 3"),
        (MASKS, changed(model_ns=[1.5, 2, 3]), "not whole nanoseconds"),
        (MASKS, changed(model_ns=[1, -2, 3]), "not whole nanoseconds"),
        (MASKS, changed(model_ns=[0, 0, 3]), "clock is too coarse"),
        (MASKS, changed(model_ns=[1, 2, 0]), "clock is too coarse"),
        (MASKS, changed(model_ns=[1, 2, True]), "not whole nanoseconds"),
        (MASKS, changed(model_ns=[1, 2, float("nan")]), "not whole nanoseconds"),
        (MASKS, changed(model_ns=[1, 2, float("inf")]), "not whole nanoseconds"),
        (MASKS, changed(model_ns=[1, 2, 10**20]), "not whole nanoseconds"),
        (MASKS, changed(model_ns=[1, 2, [3]]), "not whole nanoseconds"),
        (MASKS, changed(model_ns="123"), "no list of samples"),
        (MASKS, changed(model_ns={"0": 1}), "no list of samples"),
        (MASKS, changed(model_ns=None), "no list of samples"),
        (MASKS, changed(model_ns=7), "no list of samples"),
        (MASKS, changed(pipeline_ns=7), "no list of samples"),
        (MASKS, changed(pipeline_ns=[-1]), "not whole nanoseconds"),
        (MASKS, changed(model_ns=[1] * (answer.MOST_SAMPLES + 1)), "200000 are the most"),
        (MASKS, changed(model_ns=[10**12] * 3), r"add up to 3000\.0 s, and it came 0\.\d s after the page began"),
        (MASKS, changed(load_ns=9 * 10**12), "add up to 9000"),
        (MASKS, changed(load_ns=None), "load_ns is not whole nanoseconds"),
        (MASKS, changed(load_ns="soon"), "not whole nanoseconds"),
        (MASKS, changed(evidence=["measured"]), "does not say that it was measured"),
        (MASKS, changed(environment=[]), "environment holds more"),
        (MASKS, changed(environment={"facts": {}, "hazards": 5}), "environment holds more"),
        (MASKS, changed(environment={"facts": 5}), "no short list"),
        (MASKS, changed(environment={"facts": {"level": float("inf")}}), "not finite"),
        (MASKS, changed(environment={"facts": {"level": 10**300}}), "too large"),
        (MASKS, changed(placement={"ops": "many", "delegated": 3}), "not whole numbers"),
        (MASKS, changed(placement=None), "no short list"),
        (MASKS, changed(warm_up=[1]), "no short list"),
        (MASKS, b"[" * 200_000, "nested too deeply"),
        (MASKS, b'{"a":' * 100_000, "nested too deeply"),
        (MASKS, b"[]", "no end marker"),
        (MASKS, b"null", "no end marker"),
        (MASKS, b"\xff\xfe", "not whole"),
        (MASKS, changed(retries=3), "no page sends: retries"),
        (MASKS, changed(placement={"runtime": "x" * 500}), "more than 400 characters"),
        (MASKS, changed(placement={"runtime": "\x1b[2J"}), "plain text"),
        (MASKS, changed(placement={"a": [1]}), "plain text"),
        (MASKS, changed(environment={"facts": {str(i): i for i in range(99)}}), "no short list"),
    ],
)
def test_a_bad_answer_costs_its_configuration_and_says_why(
    site: Site, page: Page, masks: np.ndarray | None, sent: Any, reason: str
) -> None:
    path = page.begin()
    if masks is not None:
        assert page.ask("PUT", f"{path}/masks", masks.astype(np.float32).tobytes())[0] == 204
    assert page.ask("PUT", f"{path}/result", sent)[0] == 422
    failure = outcome(site)
    assert isinstance(failure, MeasurementFailed)
    with pytest.raises(MeasurementFailed, match=reason):
        raise failure


def load(*bins: tuple[float, Any, Any]) -> list[dict[str, Any]]:
    return [{"start": start, "frames": frames, "busy": busy} for start, frames, busy in bins]


WHOLE = load((0, 900, 9.0), (10.01, 900, 9.0))


@pytest.mark.parametrize(
    ("sent", "minutes", "reason"),
    [
        (WHOLE, 0.3, None),
        ([], 0.0, None),
        ([], 0.3, "no bins of load as 0.3 minutes give them"),
        (WHOLE, 0.0, "no bins of load"),
        ("bins", 0.3, "no bins of load"),
        (WHOLE[:1], 0.3, "ends before 0.3 minutes"),
        ([*WHOLE, *load((20.1, 900, 9.0))], 0.3, "times that cannot be"),  # begun after the end
        (load((0, 900, 9.0), (5.0, 900, 9.0)), 0.3, "times that cannot be"),
        (load((0, 0, 9.0), (10.01, 900, 9.0)), 0.3, "times that cannot be"),
        (load((0, 9.5, 9.0), (10.01, 900, 9.0)), 0.3, "times that cannot be"),
        (load((0, 900, float("nan")), (10.01, 900, 9.0)), 0.3, "times that cannot be"),
        (load((0, 900, True), (10.01, 900, 9.0)), 0.3, "not its start"),
        ([WHOLE[0] | {"clock": 1}, WHOLE[1]], 0.3, "not its start"),
        ([5], 0.3, "not its start"),
    ],
)
def test_bins_of_load_are_believed_as_far_as_they_can_be(
    site: Site, sent: Any, minutes: float, reason: str | None
) -> None:
    (job,) = site.asked
    job = replace(job, counts=replace(job.counts, sustained=minutes))
    values = {**ANSWER, "sustained": sent}
    if reason is None:
        answer.check(values, job, 25.0)
        if sent:
            with pytest.raises(MeasurementFailed, match=r"add up to 18\.0 s"):
                answer.check(values, job, 10.0)
        return
    with pytest.raises(MeasurementFailed, match=reason):
        answer.check(values, job, 25.0)


DEEP = b'{"facts": ' + b"[" * 5000 + b"]" * 5000 + b"}"


@pytest.mark.parametrize(
    "sent",
    [b"{", b"[]", b"5", DEEP, {"facts": 5}, {"facts": {"a": []}}, {"facts": {"x": float("nan")}}, {"facts": None}, {}],
)
def test_a_bad_word_at_the_door_is_422(page: Page, sent: Any) -> None:
    assert page.ask("POST", "join", sent)[0] == 422


@pytest.mark.parametrize("reason", [5, None, [[]], {}, "", "  "])
def test_a_failure_without_a_reason_is_one_all_the_same(site: Site, page: Page, reason: Any) -> None:
    assert page.ask("PUT", f"{page.begin()}/failure", {"reason": reason})[0] == 204
    assert str(outcome(site)) == "the page gave no reason"


def test_after_a_wrong_answer_the_run_goes_on(site: Site, page: Page) -> None:
    site.asked = [*site.asked, site.asked[0]]
    site.scheduler.limits = [60.0, 60.0]
    first = page.begin()
    page.ask("PUT", f"{first}/masks", MASKS.tobytes())
    assert page.ask("PUT", f"{first}/result", changed(pipeline_ns=7))[0] == 422
    phone = first.partition("/cells")[0]
    assert json.loads(page.ask("POST", f"{phone}/next")[1])["index"] == 1
    page.ask("PUT", f"{phone}/cells/1/masks", MASKS.tobytes())
    assert page.ask("PUT", f"{phone}/cells/1/result", ANSWER)[0] == 204
    assert isinstance(outcome(site), MeasurementFailed)
    assert isinstance(outcome(site), Result)


def test_a_phone_that_comes_late_gets_409(page: Page) -> None:
    page.ask("PUT", f"{page.begin()}/failure", {"reason": "no"})
    status, told, _ = page.ask("POST", "join", {"facts": {"user_agent": "late"}})
    assert status == 409
    assert "this run is over" in json.loads(told)["refused"]


def test_a_page_that_never_joined_gets_no_job(page: Page) -> None:
    assert page.ask("POST", "phones/nobody/next")[0] == 409
    assert page.ask("PUT", "phones/nobody/cells/0/masks", b"")[0] == 409


def test_an_answer_comes_once(page: Page) -> None:
    path = page.begin()
    page.ask("PUT", f"{path}/failure", {"reason": "no\x1b memory"})
    assert page.ask("PUT", f"{path}/failure", {"reason": "again"})[0] == 409
    assert json.loads(page.ask("POST", f"{path}/alive")[1]) == {"go_on": False}


def test_a_failure_is_told_in_plain_text(site: Site, page: Page) -> None:
    page.ask("PUT", f"{page.begin()}/failure", {"reason": "no\x1b memory"})
    assert str(outcome(site)) == "no  memory"


def test_the_certificate_is_for_this_machine_and_not_for_years(tmp_path: Path) -> None:
    from cryptography import x509

    from devices.web import address

    chain, key = address.certificate(tmp_path, ["localhost", "192.0.2.7"])
    made = x509.load_pem_x509_certificate(chain.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(n) for n in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days > 0
    assert key.stat().st_mode & 0o077 == 0
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key)


def test_the_https_site_is_the_same_one(places: Places) -> None:
    need(None if places.lan else "this machine has no address but its loopback")
    anything = ssl.create_default_context()
    anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
    for address in places.lan:
        with urllib.request.urlopen(address, timeout=30, context=anything) as response:
            assert b"Start" in response.read()
        with pytest.raises((OSError, http.client.HTTPException)):
            urllib.request.urlopen(address.replace("https:", "http:"), timeout=30)


def test_a_server_that_cannot_start_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from devices.web import address

    def broken(folder: Path, names: Any) -> tuple[Path, Path]:
        (folder / "chain.pem").write_text("no certificate")
        return folder / "chain.pem", folder / "chain.pem"

    monkeypatch.setattr(address, "certificate", broken)
    with pytest.raises(MeasurementFailed, match=r"its server did not start \(.*PEM"), serving(site):
        pass


def test_a_qr_code_is_drawn() -> None:
    from devices.web import address

    picture = address.qr("https://192.0.2.7:40000/0123456789abcdef/")
    assert len(picture.splitlines()) > 10
    assert "▄" in picture
