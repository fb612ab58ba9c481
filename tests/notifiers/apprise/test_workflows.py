"""Power Automate workflows: the signature arrives as it was copied, whatever characters it has."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from notifiers import AppriseConfig, Message, NotifierError
from notifiers.apprise import AppriseNotifier
from notifiers.apprise.workflows import separate_signature
from tests.support import certificates


@dataclass
class Flow:
    """A server in the place of Power Automate, and the addresses that were requested."""

    place: str
    requested: list[str]
    status: int = 202


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    """Serve HTTPS as Power Automate does."""
    files = certificates.issue(tmp_path)
    made = Flow("", [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.requested.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.root))
    made.place = f"localhost:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


NEW = "https://{}/powerautomate/automations/direct/workflows/0a1b2c/triggers/manual/paths/invoke"
OLD = "https://{}/workflows/0a1b2c/triggers/manual/paths/invoke"
QUERY = "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig="
FORMS = [f"{NEW}{QUERY}", f"{OLD}{QUERY}", "workflows://{}/0a1b2c/", "workflows://{}/0a1b2c?sig="]
# As copied, and as it has to arrive.
SIGNATURES = [
    ("KODuebWbDGYFr0z0eu-6Rj8aUKz7108W3wrNJZxFE5A", "KODuebWbDGYFr0z0eu-6Rj8aUKz7108W3wrNJZxFE5A"),
    ("KODuebWbDGYFr0z0eu,6Rj8", "KODuebWbDGYFr0z0eu,6Rj8"),
    ("KODuebWbDGYFr0z0eu%3D", "KODuebWbDGYFr0z0eu="),
    ("KODuebWbDGYFr0z0eu=", "KODuebWbDGYFr0z0eu="),
    ("KODuebWb%2FDGY%2B0z0.eu~", "KODuebWb/DGY+0z0.eu~"),
    ("KODuebWbDGYFr0z0+eu", "KODuebWbDGYFr0z0+eu"),
    ("KODuebWbDGYFr0z0eu%253D", "KODuebWbDGYFr0z0eu%3D"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("copied", "arrives"), SIGNATURES)
def test_signature_arrives_as_it_was_copied(flow: Flow, form: str, copied: str, arrives: str) -> None:
    """It is percent-encoded once in each form of the address."""
    notifier = AppriseNotifier(AppriseConfig(urls=f"ops={form.format(flow.place)}{copied}, json://localhost"))
    notifier.send(Message("Refresh failed"), "ops")
    (path,) = flow.requested
    assert dict(parse_qsl(urlsplit(path).query))["sig"] == arrives
    assert "/workflows/0a1b2c/triggers/manual/paths/invoke?" in path
    assert path.startswith("/powerautomate/automations/direct/") == ("powerautomate" in form)


@pytest.mark.parametrize("copied", [copied for copied, _ in SIGNATURES])
def test_signature_is_masked_in_every_form(flow: Flow, copied: str) -> None:
    """The error of a refused message names no part of it, and the secrets have it as copied and as it is sent."""
    flow.status = 401
    config = AppriseConfig(urls=FORMS[0].format(flow.place) + copied)
    with pytest.raises(NotifierError) as caught:
        AppriseNotifier(config).send(Message("x"), None)
    assert "KODuebWb" not in str(caught.value)
    assert copied in config.secrets()
    assert separate_signature(config.urls)[1] in ["", *config.secrets()]


@pytest.mark.parametrize("url", ["json://x/workflows/a/b,c", "mailto://a:b@x.org?sig=a,b", "https://x/y?sig=a,b"])
def test_other_addresses_are_unchanged(url: str) -> None:
    """Only a workflow has such a signature."""
    assert separate_signature(url) == (url, "")
