"""Servers that answer anything at all: the whole file comes, or a sentence; nothing is left that passes for a model."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpen_live.errors import WeightsError
from gpen_live.models import fetch, registry
from gpen_live.models.fetch import DIGESTS
from gpen_live.models.registry import ModelSpec
from tests.models.test_fetch import CONTENT, HTTP, passes

SMALL = CONTENT[:3000]
SIZED = st.sampled_from(["3000", "2999", "3001", "0", "-1", "9" * 5000, "3e3", "٣٠٠٠", "", "3000, 3000"])
RANGE = st.sampled_from(
    ["bytes 0-2999/3000", "bytes 10-2999/3000", "bytes */3000", "bytes 9-1/2", f"bytes {'9' * 5000}-1/2", "x"]
)
PLACE = st.sampled_from(
    [
        "/",
        "//",
        "http://[",
        "http://[::1",
        "http://",
        "https://x/",
        "http://\x01/",
        "http://127.0.0.1:99999/",
        "?" * 70_000,
        "ü",
        "http:///a",
    ]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Length": SIZED,
        "Content-Range": RANGE,
        "Location": PLACE,
        "ETag": st.sampled_from(['"a"', 'W/"a"', "", "x" * 1000]),
        "Transfer-Encoding": st.sampled_from(["chunked", "gzip", "identity"]),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "none"]),
        "Last-Modified": st.sampled_from(["yesterday", "Thu, 01 Jan 1970 00:00:00 GMT"]),
    },
)
LINES = st.sampled_from(
    ["HTTP/1.1 200 OK", "HTTP/1.1 206 Partial", "HTTP/1.1 302 Found", "HTTP/1.1 416 No", "HTTP/1.1 999 ?", "HTTP/9 x", ""]
)
BODIES = st.sampled_from([b"", SMALL, SMALL[:100], SMALL + b"more", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", bytes(20_000)])


class Server:
    """Gives every connection the same bytes and hangs up."""

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                with connection:
                    connection.settimeout(5)
                    connection.recv(65536)
                    self.serve(connection)
            except OSError:
                continue

    def serve(self, connection: socket.socket) -> None:
        connection.sendall(self.answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def answer_to(hostile: Server, folder: Path, answer: bytes, *, known: bool) -> None:
    """Fetches from a server that answers so, with a part of an earlier attempt lying there, and looks at what is left."""
    hostile.answer = answer
    spec: ModelSpec = replace(
        registry.get("gpen-256"),
        url=f"http://127.0.0.1:{hostile.port}/w.pth",
        filename="w.pth",
        bytes=len(SMALL) if known else None,
        sha256=hashlib.sha256(SMALL).hexdigest() if known else None,
        parameters=len(SMALL) // 4,
    )
    path = None
    with suppress(WeightsError):
        path = fetch._fetch(spec, folder, schemes=HTTP, check=passes)
    if path is not None:
        assert path.read_bytes() == SMALL or not known
        path.unlink()
    assert {each.name for each in folder.iterdir()} <= {"w.pth.part", "w.pth.part.json", "w.pth.lock", DIGESTS}
    (folder / DIGESTS).unlink(missing_ok=True)


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=LINES, headers=HEADERS, body=BODIES, known=st.booleans())
def test_any_answer(
    hostile: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    headers: dict[str, str],
    body: bytes,
    known: bool,
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    head = "\r\n".join([line, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
    answer_to(hostile, tmp_path, head.encode() + body, known=known)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.binary(max_size=200))
def test_any_bytes(hostile: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    answer_to(hostile, tmp_path, answer, known=True)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "{}", "[]", "null", '{"w.pth": 5}', '{"w.pth": ["x"]}', "\ud800", '{"url": 1}']
)
@pytest.mark.parametrize("name", [DIGESTS, "w.pth.part.json"])
def test_notes_of_ours_that_were_tampered_with(
    hostile: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / name).write_text(content, encoding="utf-8", errors="surrogatepass")
    (tmp_path / "w.pth.part").write_bytes(b"something")
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(SMALL)}\r\n\r\n".encode() + SMALL
    answer_to(hostile, tmp_path, answer, known=True)


def test_a_redirect_with_an_endless_body_is_not_read(hostile: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sent: list[int] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/\r\n\r\n")
        for _ in range(1000):
            connection.sendall(bytes(2**16))
            sent.append(2**16)

    monkeypatch.setattr(hostile, "serve", serve)
    answer_to(hostile, tmp_path, b"", known=True)
    assert sum(sent) < 2**24, "what lies in buffers, and no more"
