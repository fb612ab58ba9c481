"""Test the nginx and Caddy examples with a real server: what is forwarded, refused and logged."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.deploy.tools import ROOT, run, tool
from tests.support.server import TOKEN, Server, free_port, wait_for
from webhooks.cli.trigger.sample import sample
from webhooks.gunicorn.reception import REQUEST_SECONDS, TIMED_OUT

NAME = "hooks.example.org"
EVENT = json.dumps(sample("WorkbookCreated") | {"created_at": "2026-01-31T09:30:00Z"}).encode()


@dataclass(frozen=True)
class Proxy:
    """A proxy that listens on `port`, without TLS on `plain_port`, and writes its logs to `folder`."""

    port: int
    folder: Path
    plain_port: int = 0

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body of its response over https; its self-signed certificate is not verified."""
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=10)
        connection.sock = self.connect()
        try:
            connection.request(method, path, body or None, {"Host": NAME, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def connect(self) -> ssl.SSLSocket:
        """Return a connection with TLS; Caddy chooses the site by the name in the handshake."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return ssl._create_unverified_context().wrap_socket(plain, server_hostname=NAME)

    def ask_plainly(self, request: str, host: str) -> bytes:
        """Return its whole response without TLS, as bytes."""
        with socket.create_connection(("127.0.0.1", self.plain_port), timeout=10) as connection:
            connection.sendall(f"{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return connection.makefile("rb").read()

    def logs(self) -> str:
        """Return everything it has logged."""
        return "\n".join(file.read_text(encoding="utf-8") for file in sorted(self.folder.glob("*.log")))


@contextmanager
def started(command: list[str], port: int, folder: Path, environment: dict[str, str]) -> Iterator[Proxy]:
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            wait_for(lambda: process.poll() is not None or _listens(port), what="the proxy to listen")
            assert process.poll() is None, (folder / "output.log").read_text(encoding="utf-8")
            yield Proxy(port, folder)
        finally:
            process.terminate()
            process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Proxy]:
    """Run nginx with our file, with ports, paths and certificate replaced for the test."""
    port, plain = free_port(), free_port()
    certificate(folder)
    text = (ROOT / "deploy" / "nginx" / "tableau-webhooks.conf").read_text(encoding="utf-8")
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        f"/etc/letsencrypt/live/{NAME}": str(folder),
        "/var/log/nginx": str(folder),
    }.items():
        assert old in text
        text = text.replace(old, new)
    text = re.sub(r"(?m)^.*listen \[::\].*\n", "", text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder / 'pid'};\nerror_log {folder / 'error.log'};\nevents {{}}\n"
        f"http {{\n{places}{text}}}\n",
        encoding="utf-8",
    )
    command = [tool("nginx"), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    checked = run(*command, "-t")
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    with started(command, port, folder, dict(os.environ)) as proxy:
        yield replace(proxy, plain_port=plain)


@contextmanager
def caddy(folder: Path, upstream: int) -> Iterator[Proxy]:
    """Run Caddy with our file and a certificate from its internal issuer."""
    port, plain = free_port(), free_port()
    text = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    mine = f"\n{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {plain}\n\thttps_port {port}"
    for old, new in {
        "\n{": mine,
        f"{NAME} {{": f"{NAME} {{\n\tbind 127.0.0.1\n\ttls internal",
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        "/var/log/caddy": str(folder),
        "read_body 20s": "read_body 1s",
        "http://, https:// {": "http://, https:// {\n\tbind 127.0.0.1",
    }.items():
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [tool("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with started(command, port, folder, {**os.environ, **home}) as proxy:
        wait_for(lambda: certified(proxy), what="Caddy's certificate")
        yield replace(proxy, plain_port=plain)


def certified(proxy: Proxy) -> bool:
    try:
        return proxy.ask("GET", "/webhook/nothing")[0] > 0
    except (ssl.SSLError, OSError):
        return False


def certificate(folder: Path) -> None:
    """Write a self-signed certificate and its key where nginx expects them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]), datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "fullchain.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))


Start = Callable[[Path, int], contextmanager]  # type: ignore[type-arg]
both = pytest.mark.parametrize("proxy", [nginx, caddy])


def test_caddyfile_is_valid_and_formatted() -> None:
    """The Caddyfile is formatted as by `caddy fmt`."""
    file = ROOT / "deploy" / "caddy" / "Caddyfile"
    assert run(tool("caddy"), "fmt", file).stdout == file.read_text(encoding="utf-8")


@both
def test_event_is_forwarded_and_its_token_is_not_logged(proxy: Start, server: Server, tmp_path: Path) -> None:
    """The log has a line for each request, never the token, whether it is in the path or in the query."""
    (tmp_path / "proxy").mkdir()
    with proxy(tmp_path / "proxy", int(server.url.rpartition(":")[2])) as running:
        assert running.ask("POST", f"/webhook/{TOKEN}", EVENT)[0] == 200
        assert json.loads(running.ask("POST", f"/webhook?token={TOKEN}", EVENT)[1])["status"] == "duplicate"
        assert running.ask("POST", "/webhook/wrong", EVENT)[0] == 401
        assert running.ask("GET", "/healthz")[0] == 200
        assert running.ask("POST", f"/webhook/{TOKEN}", b"x" * 70_000)[0] == 413
        wait_for(lambda: running.logs().count("/webhook/***") >= 4, what="the log")
    assert TOKEN not in running.logs()


@both
def test_token_is_not_logged_when_the_server_is_unavailable(proxy: Start, tmp_path: Path) -> None:
    """The token is not logged when the upstream is unavailable."""
    with proxy(tmp_path, free_port()) as running:
        assert running.ask("POST", f"/webhook/{TOKEN}?token={TOKEN}", EVENT)[0] == 502
        wait_for(lambda: "502" in running.logs(), what="the log")
    assert TOKEN not in running.logs()


# Addresses that contain the token, as a mistyped webhook or someone who tries them writes them; some are served.
VARIANTS = {
    "capital": ("/Webhook/{token}", {}),
    "two slashes": ("//webhook/{token}", {}),
    "slashes inside": ("/webhook//{token}", {}),
    "escaped letter": ("/%77ebhook/{token}", {}),
    "escaped slash": ("/webhook%2F{token}", {}),
    "escaped slash before": ("/%2Fwebhook/{token}", {}),
    "dots": ("/x/../webhook/{token}", {}),
    "dot": ("/./webhook/{token}", {}),
    "plural": ("/webhooks/{token}", {}),
    "query": ("/webhook?token={token}", {}),
    "query of a capital": ("/WEBHOOK?token={token}", {}),
    "fragment": ("/webhook#{token}", {}),
    "parameter": ("/webhook;{token}", {}),
    "Referer": ("/favicon.ico", {"Referer": "https://" + NAME + "/webhook/{token}"}),
}


@both
@pytest.mark.parametrize("available", [True, False], ids=["available", "unavailable"])
def test_variants_of_the_address_are_not_logged(proxy: Start, available: bool, tmp_path: Path) -> None:
    """The token is masked however the path is written, and the Referer is left out."""
    with echo() as (port, _), proxy(tmp_path, port if available else free_port()) as running:
        for path, headers in VARIANTS.values():
            given = {name: value.format(token=TOKEN) for name, value in headers.items()}
            status, _ = running.ask("POST", path.format(token=TOKEN), EVENT, given)
            assert status in ({200, 400} if available else {400, 502}), path
        assert running.ask("POST", "/last")[0] == (200 if available else 502)
        wait_for(lambda: "/last" in running.logs(), what="the log")
    assert "/webhook/***" in running.logs()
    assert TOKEN not in running.logs()
    assert "/favicon.ico" in running.logs()


def test_caddy_ends_a_body_that_never_does(tmp_path: Path) -> None:
    """A client that sends a byte now and then is refused at the deadline for the whole body, here a second."""
    with echo() as (port, _), caddy(tmp_path, port) as running:
        began = time.monotonic()
        with running.connect() as connection, suppress(OSError):
            connection.sendall(f"POST /webhook/x HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 5000\r\n\r\n".encode())
            connection.settimeout(0.1)
            ended = False
            while not ended and time.monotonic() - began < 60:
                connection.sendall(b"x")
                with suppress(TimeoutError):
                    ended = connection.recv(1000) is not None
        assert time.monotonic() - began < 50


def test_caddy_never_acknowledges_what_was_not_forwarded(tmp_path: Path) -> None:
    """A body that stops gets the server's 408, for which Caddy waits longer; other names get 421, and no redirect."""
    found = re.search(r"read_body (\d+)s", (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(encoding="utf-8"))
    assert found
    assert int(found[1]) > REQUEST_SECONDS
    with socket.create_server(("127.0.0.1", 0)) as server:

        def respond() -> None:
            # As the server does at its deadline.
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(10_000)
                        connection.sendall(TIMED_OUT)

        Thread(target=respond, daemon=True).start()
        with caddy(tmp_path, server.getsockname()[1]) as running:
            refused = running.ask("POST", "/webhook/x", b"{}", {"Host": f"{NAME}."})[0]
            assert (refused, running.ask("POST", "/webhook/x", b"{}", {"Host": "127.0.0.1"})[0]) == (421, 421)
            assert running.ask_plainly("GET /", "evil.example").startswith(b"HTTP/1.1 421 ")
            with running.connect() as connection:
                connection.sendall(f"POST /webhook/x HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 9\r\n\r\n{{".encode())
                assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


@both
@pytest.mark.parametrize("size", [65_537, 65_536, 70_000, 200_000])
def test_body_that_is_too_large_is_not_forwarded(proxy: Start, size: int, tmp_path: Path) -> None:
    """The announced size is enough to refuse it; one of exactly 64 KiB is forwarded."""
    with echo() as (port, received), proxy(tmp_path, port) as running:
        status, _ = running.ask("POST", "/webhook/x", b"x" * size)
    assert (status, len(received)) == ((200, 1) if size == 65_536 else (413, 0))


REDIRECTED = [
    "/%0d%0aSet-Cookie:x",
    "/%0aSet-Cookie:x",
    "/x%0d%0a%0d%0a<script>",
    "//evil.example/",
    "/\\evil.example",
    "/a?b=%0d%0ac",
]


@pytest.mark.parametrize("path", REDIRECTED)
def test_redirect_of_nginx_cannot_be_split(path: str, tmp_path: Path) -> None:
    """The response on port 80 has one Location, on our name, and no header from the path."""
    with nginx(tmp_path, free_port()) as running:
        head, _, body = running.ask_plainly(f"GET {path}", NAME).partition(b"\r\n\r\n")
    status, *headers = head.decode("latin-1").split("\r\n")
    names = [header.partition(":")[0].lower() for header in headers]
    assert status.split()[1] == "301"
    assert f"Location: https://{NAME}{path}" in headers
    assert sorted(names) == ["connection", "content-length", "content-type", "date", "location", "server"]
    assert b"<script>" not in body


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost", f"{NAME}.evil.example", f"evil.{NAME}"])
def test_nginx_answers_no_other_name_without_tls(host: str, tmp_path: Path) -> None:
    """A request for another name is closed without a response, so nothing redirects to that name."""
    with nginx(tmp_path, free_port()) as running:
        assert running.ask_plainly("GET /", host) == b""
        assert host.encode() not in running.ask_plainly("OPTIONS *", host)
        assert running.ask_plainly("GET /", NAME).startswith(b"HTTP/1.1 301 ")


@both
def test_client_address_is_set_by_the_proxy_only(proxy: Start, tmp_path: Path) -> None:
    """Forwarding headers sent by a client are replaced."""
    with echo() as (port, received), proxy(tmp_path, port) as running:
        lies = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example"}
        assert running.ask("POST", "/webhook/x", EVENT, lies)[0] == 200
    headers = {name.lower(): value for name, value in received[-1].items()}
    assert headers["host"] == headers["x-forwarded-host"] == NAME
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "https")


@both
def test_metrics_are_served_to_this_machine(proxy: Start, server: Server, tmp_path: Path) -> None:
    """/metrics is served to this machine; the restriction for others is in the file."""
    (tmp_path / "proxy").mkdir()
    with proxy(tmp_path / "proxy", int(server.url.rpartition(":")[2])) as running:
        status, body = running.ask("GET", "/metrics")
    assert (status, b"tableau_webhooks_inbox_up" in body) == (200, True)


@contextmanager
def echo() -> Iterator[tuple[int, list[dict[str, str]]]]:
    """Run a server that responds with 200 and records the headers of each request."""
    received: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            received.append(dict(self.headers))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port, received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
