"""Downloads, against a server on this machine: whole, resumed, cancelled, refused, and never half a file under its own name."""

from __future__ import annotations

import errno
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import filelock
import pytest

from gpen_live.errors import UsageError, WeightsError
from gpen_live.messages import message
from gpen_live.models import fetch, loading, registry
from gpen_live.models.fetch import DIGESTS, FetchCancelledError
from gpen_live.models.registry import ModelSpec
from gpen_live.system.folders import HOME_VARIABLE
from tests.messages.says import says

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HTTP = frozenset({"http"})


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"v1"'
    ranges: bool = True
    announces_length: bool = True
    breaks_off_at: int | None = None
    status: int = 200
    location: str | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    port: int = 0


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        b = self.behaviour
        b.requests.append(dict(self.headers))
        if b.status != 200:
            self.send_response(b.status)
            if b.location:
                self.send_header("Location", b.location)
            self.end_headers()
            return
        start = 0
        wanted = self.headers.get("Range")
        if wanted and b.ranges and self.headers.get("If-Range") in (None, b.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(b.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(b.content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(b.content) - 1}/{len(b.content)}")
        else:
            self.send_response(200)
        if b.announces_length:
            self.send_header("Content-Length", str(len(b.content) - start))
        if b.etag:
            self.send_header("ETag", b.etag)
        self.end_headers()
        self.wfile.write(b.content[start : b.breaks_off_at])

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Behaviour]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    behaviour = Behaviour()
    handler = type("ThisHandler", (Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        behaviour.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield behaviour
        http.shutdown()
        thread.join()


@pytest.fixture
def spec(server: Behaviour) -> ModelSpec:
    """A model with a known digest."""
    return replace(
        registry.get("gpen-256"),
        url=f"http://127.0.0.1:{server.port}/weights.pth",
        bytes=len(CONTENT),
        sha256=DIGEST,
        filename="w.pth",
    )


def unknown(spec: ModelSpec) -> ModelSpec:
    """The same model without a digest and an exact length."""
    return replace(spec, bytes=None, sha256=None, parameters=len(CONTENT) // 4)


def passes(_spec: ModelSpec, _path: Path) -> None:
    """In place of the check of names and shapes: finds nothing wrong."""


def get(spec: ModelSpec, folder: Path, **options: object) -> Path:
    return fetch._fetch(spec, folder, schemes=HTTP, **({"check": passes} | options))  # type: ignore[arg-type]


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_fresh_download(spec: ModelSpec, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = get(spec, tmp_path / "models", progress=lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "models" / "w.pth"
    assert path.read_bytes() == CONTENT
    assert visible(path.parent) == {"w.pth", DIGESTS}
    assert json.loads((path.parent / DIGESTS).read_text()) == {"w.pth": DIGEST}
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert len(seen) > 5


def test_what_is_here_and_whole_is_not_fetched_again(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    get(spec, tmp_path)
    get(spec, tmp_path)
    assert len(server.requests) == 1


def test_what_is_here_but_damaged_is_fetched_again(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"damaged")
    assert get(spec, tmp_path).read_bytes() == CONTENT


def test_a_broken_download_goes_on_where_it_stopped(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.breaks_off_at = 300_000
    with pytest.raises(WeightsError, check=says("fetch.broke_off", host="127.0.0.1")):
        get(spec, tmp_path)
    arrived = (tmp_path / "w.pth.part").stat().st_size
    assert 0 < arrived <= 300_000
    assert not (tmp_path / "w.pth").exists()
    server.breaks_off_at = None
    seen: list[int] = []
    assert get(spec, tmp_path, progress=lambda done, _total: seen.append(done)).read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={arrived}-"
    assert seen[0] == arrived
    assert visible(tmp_path) == {"w.pth", DIGESTS}


def test_a_server_that_ignores_ranges_starts_anew(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.breaks_off_at = 300_000
    with pytest.raises(WeightsError):
        get(spec, tmp_path)
    server.breaks_off_at, server.ranges = None, False
    assert get(spec, tmp_path).read_bytes() == CONTENT


def test_another_version_on_the_server_starts_anew(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.content, server.breaks_off_at = bytes(len(CONTENT)), 300_000
    with pytest.raises(WeightsError):
        get(spec, tmp_path)
    server.content, server.breaks_off_at, server.etag = CONTENT, None, '"v2"'
    assert get(spec, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_mark_of_its_version_a_download_starts_anew(
    etag: str | None, spec: ModelSpec, server: Behaviour, tmp_path: Path
) -> None:
    server.etag, server.breaks_off_at = etag, 300_000
    with pytest.raises(WeightsError):
        get(spec, tmp_path)
    server.breaks_off_at = None
    assert get(spec, tmp_path).read_bytes() == CONTENT
    assert "Range" not in server.requests[-1]


def test_a_download_that_had_all_arrived(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "w.pth.part").write_bytes(CONTENT)
    (tmp_path / "w.pth.part.json").write_text(json.dumps({"url": spec.url, "validator": server.etag}))
    assert get(spec, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_more_than_there_is_starts_anew(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "w.pth.part").write_bytes(CONTENT + b"more")
    (tmp_path / "w.pth.part.json").write_text(json.dumps({"url": spec.url, "validator": server.etag}))
    assert get(spec, tmp_path).read_bytes() == CONTENT


def test_cancelled_and_taken_up_again(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    event = threading.Event()

    def cancel_early(done: int, _total: int) -> None:
        if done > 100_000:
            event.set()

    with pytest.raises(FetchCancelledError, check=says("fetch.cancelled", title="GPEN-256")):
        get(spec, tmp_path, progress=cancel_early, cancelled=event.is_set)
    assert not (tmp_path / "w.pth").exists()
    assert get(spec, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1]["Range"].startswith("bytes=1")


def test_wrong_digest(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.content = bytes(len(CONTENT))
    with pytest.raises(WeightsError, check=says("fetch.wrong_file", title="GPEN-256")):
        get(spec, tmp_path)
    assert not {"w.pth", "w.pth.part", DIGESTS} & visible(tmp_path)


@pytest.mark.parametrize("length", [10, len(CONTENT) - 1, len(CONTENT) + 1])
def test_an_announced_length_that_is_wrong(length: int, spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.content = bytes(length)
    with pytest.raises(WeightsError, check=says("fetch.length", megabytes=length / 1e6, expected=len(CONTENT) / 1e6)):
        get(spec, tmp_path)
    assert visible(tmp_path) == set()


def test_endless_content(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.content, server.announces_length = bytes(4 * len(CONTENT)), False
    with pytest.raises(WeightsError, check=says("fetch.length", title="GPEN-256")):
        get(spec, tmp_path)
    assert not {"w.pth", "w.pth.part"} & visible(tmp_path)


def test_truncated_content_of_unannounced_length(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.announces_length, server.breaks_off_at = False, 300_000
    with pytest.raises(WeightsError, check=says("fetch.broke_off")):
        get(spec, tmp_path)
    assert not (tmp_path / "w.pth").exists()


def test_unannounced_length(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.announces_length = False
    assert get(spec, tmp_path).read_bytes() == CONTENT


def test_without_a_known_digest_the_content_is_checked(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, check=says("fetch.wrong_network", title="GPEN-256")) as caught:
        get(unknown(spec), tmp_path, check=loading.check)
    assert str(tmp_path / "w.pth.part") in caught.value.what
    assert not {"w.pth", "w.pth.part", DIGESTS} & visible(tmp_path)


def test_trust_on_first_use(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    path = get(unknown(spec), tmp_path)
    assert json.loads((tmp_path / DIGESTS).read_text()) == {"w.pth": DIGEST}
    path.unlink()
    server.content = bytes(len(CONTENT))
    with pytest.raises(WeightsError, check=says("fetch.new_version", file="w.pth", digests=tmp_path / DIGESTS)):
        get(unknown(spec), tmp_path)
    assert not {"w.pth", "w.pth.part"} & visible(tmp_path)


def test_a_file_put_there_by_hand_is_checked_and_kept(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"by hand")
    assert get(unknown(spec), tmp_path).read_bytes() == b"by hand"
    assert not server.requests
    assert json.loads((tmp_path / DIGESTS).read_text()) == {"w.pth": hashlib.sha256(b"by hand").hexdigest()}


@pytest.mark.parametrize(
    ("status", "key"), [(404, "fetch.gone"), (410, "fetch.gone"), (503, "fetch.refused"), (403, "fetch.refused")]
)
def test_refusals_of_the_server(status: int, key: str, spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.status = status
    with pytest.raises(WeightsError, check=says(key, title="GPEN-256")):
        get(spec, tmp_path)
    assert visible(tmp_path) == set()


def test_redirects_are_followed(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    other = Behaviour(status=302, location=spec.url)
    handler = type("Redirecting", (Handler,), {"behaviour": other})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        moved = replace(spec, url=f"http://127.0.0.1:{http.server_port}/old")
        assert get(moved, tmp_path).read_bytes() == CONTENT
        http.shutdown()
        thread.join()
    assert len(other.requests) == len(server.requests) == 1


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/w.pth", "file:///etc/passwd", "https://127.0.0.1/w.pth"])
def test_redirects_to_other_schemes_are_refused(location: str, spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.status, server.location = 302, location
    with pytest.raises(WeightsError, check=says("fetch.not_encrypted", url=location)):
        get(spec, tmp_path)


def test_redirects_in_circles(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    server.status, server.location = 302, "/again"
    with pytest.raises(WeightsError, check=says("fetch.circles")):
        get(spec, tmp_path)


def test_only_https(spec: ModelSpec, server: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setitem(registry.MODELS, spec.name, spec)
    with pytest.raises(WeightsError, check=says("fetch.not_encrypted", url=spec.url)):
        fetch.fetch(spec.name)
    assert not server.requests


def test_a_server_without_tls_behind_an_https_address(spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    tls = replace(spec, url=f"https://127.0.0.1:{server.port}/w.pth")
    with pytest.raises(WeightsError, check=says("fetch.unproven_host", host="127.0.0.1")):
        fetch._fetch(tls, tmp_path, check=passes)


def test_no_network(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, check=says("fetch.unreachable", host="127.0.0.1")):
        get(replace(spec, url="http://127.0.0.1:1/w.pth"), tmp_path)


def test_a_disk_without_room(spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage(free=1000))
    with pytest.raises(WeightsError, check=says("fetch.room", free=0.001, needed=len(CONTENT) / 1e6)):
        get(spec, tmp_path)


@dataclass
class _Usage:
    free: int


def test_a_disk_that_fills_up(spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WeightsError, check=says("fetch.disk_full", folder=tmp_path)):
        get(spec, tmp_path)
    assert not (tmp_path / "w.pth").exists()


def test_a_folder_that_is_a_file(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(WeightsError, check=says("fetch.folder", folder=tmp_path / "models")):
        get(spec, tmp_path / "models")


@pytest.mark.parametrize("name", ["w.pth", "w.pth.part", "w.pth.part.json", "w.pth.lock", DIGESTS])
def test_symbolic_links_are_not_followed(name: str, spec: ModelSpec, server: Behaviour, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / name).symlink_to(outside)
    with pytest.raises(WeightsError, check=says("fetch.folder" if name == "w.pth.lock" else "fetch.symlink")):
        get(spec, folder)
    assert outside.read_text() == "precious"
    assert not server.requests


def test_one_download_at_a_time(spec: ModelSpec, tmp_path: Path) -> None:
    with filelock.FileLock(tmp_path / "w.pth.lock"), pytest.raises(WeightsError, check=says("fetch.locked", file="w.pth")):
        get(spec, tmp_path)


def test_a_damaged_list_of_digests(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / DIGESTS).write_text("{")
    with pytest.raises(WeightsError, check=says("fetch.digests", path=tmp_path / DIGESTS)):
        get(unknown(spec), tmp_path)


def test_unknown_name() -> None:
    with pytest.raises(UsageError, check=says("models.unknown", name="gpen")):
        fetch.fetch("gpen")


@pytest.fixture
def installed(spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One download in a registry of its own."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr(registry, "shipped_folder", lambda: tmp_path / "shipped")
    models = {"lite-256": registry.get("lite-256"), "gpen-256": unknown(spec), "gpen-512": registry.get("gpen-512")}
    monkeypatch.setattr(fetch, "MODELS", models)
    monkeypatch.setattr(loading, "check", passes)
    return get(unknown(spec), tmp_path / "models")


def test_list_models(installed: Path) -> None:
    states = {state.spec.name: (state.place, state.bytes) for state in fetch.list_models()}
    assert states == {"lite-256": ("missing", None), "gpen-256": ("downloaded", len(CONTENT)), "gpen-512": ("missing", None)}
    shipped = registry.expected_path(registry.get("lite-256"))
    shipped.parent.mkdir()
    shipped.write_bytes(b"1234")
    assert fetch.list_models()[0].place == "shipped"
    assert fetch.list_models()[0].bytes == 4
    assert fetch.list_models()[1].path == installed


def test_verify(installed: Path) -> None:
    lite, gpen = fetch.verify()
    assert lite.error is not None
    assert "comes with GPEN Live, is missing" in str(lite.error)
    assert gpen.error is None
    content = bytearray(installed.read_bytes())
    content[5] ^= 1
    installed.write_bytes(content)
    error = fetch.verify()[1].error
    assert error is not None
    assert error.message == message("fetch.changed", path=installed, name="gpen-256")


def test_verify_reports_what_the_checks_find(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_spec: ModelSpec, path: Path) -> None:
        raise WeightsError("wrong", path=path)

    monkeypatch.setattr(loading, "check", fails)
    error = fetch.verify()[1].error
    assert error is not None
    assert error.message == message("wrong", path=installed)
