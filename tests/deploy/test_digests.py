"""Test `make digests` against a registry on this machine, over HTTP and with its tokens."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy import digests
from notifiers.transport import Timeouts
from tests.deploy.tools import ROOT
from tests.notifiers.raw_server import raw_server, read_head

MANIFEST = b'{"schemaVersion": 2, "manifests": []}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
PATHS = ["/v2/library/postgres/manifests/17-alpine", "/v2/library/python/manifests/3.12-slim"]


@dataclass
class Registry:
    """The responses of a registry: `named` is the digest in its header, `missing` an image that it does not have."""

    url: str = ""
    named: str = DIGEST
    realm: str = ""
    missing: str = ""
    paths: list[str] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Registry]:
    """Serve manifests to clients with a token, and tokens for the scope that the registry names."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            repository = self.path.split("/manifests/")[0].removeprefix("/v2/")
            if self.path.startswith("/token?"):
                assert "service=registry" in self.path
                self.reply(200, json.dumps({"token": "anonymous"}).encode())
            elif self.headers["Authorization"] != "Bearer anonymous":
                realm = registry.realm or f"{registry.url}/token"
                scope = f"repository:{repository}:pull"
                value = f'Bearer realm="{realm}",service="registry",scope="{scope}"'
                self.reply(401, b"{}", ("WWW-Authenticate", value))
            elif registry.missing and registry.missing in self.path:
                self.reply(404, b"{}")
            else:
                assert "image.index" in self.headers["Accept"]
                registry.paths.append(self.path)
                self.reply(200, MANIFEST, ("Docker-Content-Digest", registry.named))

        def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (("Content-Length", str(len(body))), *headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield registry
        server.shutdown()
        thread.join()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with copies of the shipped files."""
    for name in digests.FILES:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def texts(folder: Path) -> str:
    return "".join((folder / name).read_text(encoding="utf-8") for name in digests.FILES)


def test_each_image_gets_its_digest(registry: Registry, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All images but the one that is built here get their digest, and a second run changes nothing."""
    assert digests.main(["--registry", registry.url], folder) == 0
    text = texts(folder)
    assert text.count(f"FROM python:3.12-slim@{DIGEST}") == 2
    assert f"image: postgres:17-alpine@{DIGEST}\n" in text
    assert "image: tableau-webhooks\n" in text
    assert sorted(registry.paths) == PATHS
    assert f"postgres:17-alpine@{DIGEST}" in capsys.readouterr().out
    assert digests.main(["--registry", registry.url], folder) == 0
    assert texts(folder) == text


def test_a_digest_is_replaced_by_a_newer_one(registry: Registry, folder: Path) -> None:
    file = folder / "compose.yaml"
    old = f"postgres:17-alpine@sha256:{'0' * 64}"
    file.write_text(file.read_text().replace("postgres:17-alpine", old))
    assert digests.main(["--registry", registry.url], folder) == 0
    assert old not in file.read_text()
    assert DIGEST in file.read_text()


WRONG = {
    "does not have the digest": {"named": f"sha256:{'1' * 64}"},
    "postgres:17-alpine: .* responded 404": {"missing": "postgres"},
    "names no place for a token": {"realm": "file:///etc/passwd"},
}


@pytest.mark.parametrize("reason", WRONG)
def test_nothing_is_written_without_all_digests(registry: Registry, folder: Path, reason: str) -> None:
    """A registry that has not all images, or whose manifest is another one, changes neither file."""
    before = texts(folder)
    for name, value in WRONG[reason].items():
        setattr(registry, name, value)
    assert digests.main(["--registry", registry.url], folder) == 1
    assert texts(folder) == before
    with pytest.raises(digests.Unresolved, match=reason):
        digests.digest("postgres:17-alpine", registry.url)


def test_slow_registry_ends_in_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends a byte now and then ends at the deadline, and changes nothing."""
    monkeypatch.setattr(digests, "TIMEOUTS", Timeouts(total=0.3))

    def drip(connection: object) -> None:
        read_head(connection)  # type: ignore[arg-type]
        while True:
            connection.sendall(b"H")  # type: ignore[attr-defined]
            time.sleep(0.02)

    before, started = texts(folder), time.monotonic()
    with raw_server(drip) as server:
        assert digests.main(["--registry", f"http://127.0.0.1:{server.port}"], folder) == 1
    assert time.monotonic() - started < 60
    assert texts(folder) == before


@pytest.mark.parametrize(
    ("image", "registry", "path"),
    [
        ("python:3.12", "https://hub.example/", "https://hub.example/v2/library/python/manifests/3.12"),
        ("grafana/loki:3", "https://hub.example", "https://hub.example/v2/grafana/loki/manifests/3"),
        ("registry.example:5000/a/b:1", "", "https://registry.example:5000/v2/a/b/manifests/1"),
    ],
)
def test_names_lead_to_their_registry(image: str, registry: str, path: str) -> None:
    """A name with a host names its registry; a single word is in the library of official images."""
    assert digests.address(image, registry)[1] == path


def test_name_without_a_registry_needs_its_address() -> None:
    """No registry is asked that neither the name nor the command gives."""
    with pytest.raises(digests.Unresolved, match="give its address with --registry"):
        digests.address("python:3.12")
