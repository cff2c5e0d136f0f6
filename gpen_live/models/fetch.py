"""Download and verification of weights, and what is installed.

A download grows in NAME.part, goes on where it stopped, and takes its own name only once it is proven whole. The proof is the
digest in the registry; where none is known, the file's length, checksums, names and shapes have to do, and its digest is then
remembered (trust on first use), so that a file that changes later is noticed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urljoin, urlsplit

import gpen_live
from gpen_live.errors import GpenLiveError, WeightsError
from gpen_live.models import loading
from gpen_live.models.registry import MODELS, ModelSpec, expected_path, get, locate, models_folder
from gpen_live.system.atomic import replace_file, sweep

if TYPE_CHECKING:
    import requests

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole file (an estimate, if the server doesn't tell)."""

DIGESTS: Final = "digests.json"
"""In the models folder: file's name -> SHA-256 of what was fetched."""

_CHUNK: Final = 1 << 16
_TIMEOUT_S: Final = (10, 30)  # to connect, between two packets
_REDIRECTS: Final = 5


class FetchCancelledError(GpenLiveError):
    """The user cancelled; what has arrived is kept, so that the next attempt goes on from there."""


@dataclass(frozen=True)
class ModelState:
    """A model and where its file is.

    Args:
        path: where the file is, or would be.
        bytes: its length; None if it is missing.
    """

    spec: ModelSpec
    place: Literal["shipped", "downloaded", "missing"]
    path: Path
    bytes: int | None


@dataclass(frozen=True)
class Verification:
    """What verifying an installed file found; `error` is None if all is well."""

    spec: ModelSpec
    path: Path
    error: WeightsError | None


def list_models() -> list[ModelState]:
    """Every model of the registry, in its order, with the state of its file."""
    return [_state(spec) for spec in MODELS.values()]


def verify() -> list[Verification]:
    """Check every installed file against its digest, and its parameters' names, shapes and values.

    Models that were never downloaded are left out; a shipped file that is missing is an error.
    """
    return [
        Verification(state.spec, state.path, _fault(state))
        for state in list_models()
        if state.spec.shipped or state.bytes is not None
    ]


def fetch(name: str, *, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> Path:
    """Download a model's weights, unless they are already here and whole. Over HTTPS only.

    The caller shows the user `licence_text` of the model's `ModelSpec` first.

    Args:
        progress: called from this thread as the file grows.
        cancelled: asked between packets, for example the `is_set` of a `threading.Event`.

    Returns:
        The verified file.

    Raises:
        UsageError: there is no such model.
        WeightsError: no network, nothing at the address, no room, or not the file that was expected; the message says what to do.
        FetchCancelledError: `cancelled` returned True.
    """
    spec = get(name)
    if spec.shipped:
        return locate(spec)
    return _fetch(spec, models_folder(), progress=progress, cancelled=cancelled)


def _state(spec: ModelSpec) -> ModelState:
    path = expected_path(spec)
    if not path.is_file():
        return ModelState(spec, "missing", path, None)
    return ModelState(spec, "shipped" if spec.shipped else "downloaded", path, path.stat().st_size)


def _fault(state: ModelState) -> WeightsError | None:
    """What is wrong with an installed file."""
    spec = state.spec
    try:
        path = locate(spec)
        digest = spec.sha256 or (None if spec.shipped else _remembered(path.parent).get(spec.filename))
        if digest is not None and _sha256(path) != digest:
            if spec.shipped:
                return WeightsError("fetch.changed_shipped", path=path)
            return WeightsError("fetch.changed", path=path, name=spec.name)
        loading.check(spec, path)
    except WeightsError as error:
        return error
    return None


def _fetch(
    spec: ModelSpec,
    folder: Path,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    schemes: frozenset[str] = frozenset({"https"}),
    check: Callable[[ModelSpec, Path], None] = loading.check,
) -> Path:
    """`fetch` into a folder; tests widen `schemes` to talk to a server of their own."""
    target = folder / spec.filename
    part = folder / f"{spec.filename}.part"
    with _disk_trouble(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            for path in (target, part, _note_path(part), folder / DIGESTS):
                if path.is_symlink():
                    raise WeightsError("fetch.symlink", path=path)
            if _is_installed(spec, target, check):
                sweep(folder)  # an earlier attempt may have been killed in its last steps
                _clear(part)
                return target
            _transfer(spec, part, progress or (lambda _done, _total: None), cancelled or (lambda: False), schemes)
            digest = _judge(spec, part, check)
            os.replace(part, target)
            _remember(folder, spec.filename, digest)
            _clear(part)
    return target


def _is_installed(spec: ModelSpec, target: Path, check: Callable[[ModelSpec, Path], None]) -> bool:
    """Whether the file is here and whole. One that the user put here by hand is trusted once it passes all checks."""
    if not target.is_file():
        return False
    expected = spec.sha256 or _remembered(target.parent).get(spec.filename)
    if expected is not None:
        return _sha256(target) == expected
    try:
        check(spec, target)
    except WeightsError:
        return False
    _remember(target.parent, spec.filename, _sha256(target))
    return True


def _judge(spec: ModelSpec, part: Path, check: Callable[[ModelSpec, Path], None]) -> str:
    """The digest of a whole download; one that is not what was expected is deleted."""
    digest = _sha256(part)
    remembered = _remembered(part.parent).get(spec.filename)
    try:
        if spec.sha256 is not None:
            if digest != spec.sha256:
                raise WeightsError("fetch.wrong_file", title=spec.title, page=spec.page)
            return digest
        if remembered is not None and digest != remembered:
            raise WeightsError("fetch.new_version", title=spec.title, file=spec.filename, digests=part.parent / DIGESTS)
        try:
            check(spec, part)
        except WeightsError as error:
            raise WeightsError("fetch.wrong_network", title=spec.title, cause=error.message) from error
    except WeightsError:
        part.unlink()
        raise
    return digest


def _transfer(spec: ModelSpec, part: Path, progress: Progress, cancelled: Callable[[], bool], schemes: frozenset[str]) -> None:
    """Bring all of the file into `part`, going on from what is there."""
    import requests

    assert spec.url is not None
    host = _host(spec.url)
    done, validator = _started(part, spec.url)
    connected = False
    try:
        with _session() as session:
            response = _request(session, spec, schemes, done, validator)
            if done and response.status_code == requests.codes.requested_range_not_satisfiable:
                if response.headers.get("Content-Range") == f"bytes */{done}":
                    return  # all of it had arrived
                response = _request(session, spec, schemes, 0, None)
            if response.status_code != requests.codes.partial_content:
                done = 0
            total = _announced(spec, response, done)
            _check_room(part.parent, (total or spec.about_bytes) - done)
            if not done:
                part.unlink(missing_ok=True)  # before the note: what is there must never go by another version's mark
            _write_note(part, spec.url, response)
            connected = True
            done = _receive(spec, response, part, done, total, progress, cancelled)
    except requests.exceptions.SSLError as error:
        raise WeightsError("fetch.unproven_host", host=host) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise WeightsError("fetch.broke_off" if connected else "fetch.unreachable", host=host) from error
    except requests.exceptions.RequestException as error:
        raise WeightsError("fetch.failed", title=spec.title, host=host, reason=type(error).__name__) from error
    except ValueError as error:  # an address, a length or a range that is none
        raise WeightsError("fetch.nonsense", host=host) from error
    if done < (total or spec.byte_limits[0]):
        raise WeightsError("fetch.broke_off", host=host)


def _session() -> requests.Session:
    """A session that leaves redirects alone: requests reads all of such an answer first, however long it is."""
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            return None

    return Session()


def _request(
    session: requests.Session, spec: ModelSpec, schemes: frozenset[str], start: int, validator: str | None
) -> requests.Response:
    """The answer to a request for the bytes from `start`, after redirects: status 200, 206 or 416."""
    import requests

    headers = {"Accept-Encoding": "identity", "User-Agent": f"gpen-live/{gpen_live.__version__}"}
    if start and validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    url = str(spec.url)
    for _ in range(_REDIRECTS + 1):
        if urlsplit(url).scheme not in schemes:
            raise WeightsError("fetch.not_encrypted", title=spec.title, url=url, page=spec.page)
        # The explicit `auth` keeps passwords of the user's .netrc from being sent along.
        response = session.get(
            url, headers=headers, stream=True, allow_redirects=False, timeout=_TIMEOUT_S, auth=lambda request: request
        )
        if not response.is_redirect:
            break
        url = urljoin(url, response.headers["Location"])
        response.close()
    else:
        raise WeightsError("fetch.circles", title=spec.title, page=spec.page)
    status, codes = response.status_code, requests.codes
    if status in (codes.not_found, codes.gone):
        raise WeightsError("fetch.gone", title=spec.title, url=spec.url, page=spec.page)
    if status not in (codes.ok, codes.partial_content, codes.requested_range_not_satisfiable) or (
        start == 0 and status != codes.ok
    ):
        raise WeightsError("fetch.refused", host=_host(url), title=spec.title, status=status)
    return response


def _announced(spec: ModelSpec, response: requests.Response, done: int) -> int | None:
    """The whole file's length as the server tells it, if it is believable; None if the server doesn't."""
    content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if done and (content_range is None or int(content_range[1]) != done):
        raise WeightsError("fetch.wrong_part", host=_host(response.url), title=spec.title)
    if content_range is not None:
        total = int(content_range[2])
    elif (length := response.headers.get("Content-Length", "")).isdecimal():
        total = int(length)
    else:
        return None
    low, high = spec.byte_limits
    if not low <= total <= high:
        raise _implausible(spec, response, total)
    return total


def _receive(
    spec: ModelSpec,
    response: requests.Response,
    part: Path,
    done: int,
    total: int | None,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> int:
    """Append what arrives; returns the file's length."""
    expected = total or spec.about_bytes
    with open(part, "ab" if done else "wb", opener=_open_without_links) as file:
        progress(done, max(done, expected))
        for chunk in response.iter_content(_CHUNK):
            if cancelled():
                raise FetchCancelledError("fetch.cancelled", title=spec.title)
            done += len(chunk)
            if done > spec.byte_limits[1]:
                file.close()
                part.unlink()
                raise _implausible(spec, response, done)
            file.write(chunk)
            progress(done, max(done, expected))
        file.flush()
        os.fsync(file.fileno())
    return done


def _implausible(spec: ModelSpec, response: requests.Response, length: int) -> WeightsError:
    return WeightsError(
        "fetch.length",
        host=_host(response.url),
        megabytes=length / 1e6,
        title=spec.title,
        expected=spec.about_bytes / 1e6,
        page=spec.page,
    )


def _open_without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o644)


def _started(part: Path, url: str) -> tuple[int, str | None]:
    """How much of a download is there and the server's mark of that very version; nothing, if it can't be gone on with."""
    try:
        note = json.loads(_note_path(part).read_text(encoding="utf-8"))
        if note["url"] == url and isinstance(note["validator"], str):
            return part.stat().st_size, note["validator"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return 0, None


def _write_note(part: Path, url: str, response: requests.Response) -> None:
    """Note what a later attempt needs to go on with the same version of the file (RFC 9110, If-Range: no weak entity tags)."""
    etag = response.headers.get("ETag", "")
    validator = response.headers.get("Last-Modified") if etag.startswith("W/") or not etag else etag
    replace_file(_note_path(part), json.dumps({"url": url, "validator": validator}).encode())


def _clear(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WeightsError("fetch.room", folder=folder, free=free / 1e6, needed=needed / 1e6)


@contextmanager
def _disk_trouble(folder: Path) -> Iterator[None]:
    """Turns errors of the file system into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WeightsError("fetch.disk_full", folder=folder) from error
        raise WeightsError("fetch.folder", folder=folder, reason=error.strerror or error) from error


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keeps two windows or commands from writing one file."""
    import filelock

    try:
        with filelock.FileLock(target.with_name(f"{target.name}.lock"), timeout=0):
            yield
    except filelock.Timeout as error:
        raise WeightsError("fetch.locked", file=target.name) from error


def _remembered(folder: Path) -> dict[str, str]:
    path = folder / DIGESTS
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        digests = None
    if not isinstance(digests, dict):
        raise WeightsError("fetch.digests", path=path)
    return digests


def _remember(folder: Path, filename: str, digest: str) -> None:
    replace_file(folder / DIGESTS, json.dumps(_remembered(folder) | {filename: digest}, indent=2).encode())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
