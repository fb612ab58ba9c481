"""A running simulator, a receiver of webhooks, and the vendors' own clients for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import slack_sdk
import tableauserverclient
import twilio.rest

from simulator import Running, running

JSON = {"Accept": "application/json"}


@dataclass
class Receiver:
    """A receiver of webhooks that responds with the given statuses, and then always with the last one."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    on_request: Callable[[], object] = lambda: None
    stop: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            receiver.requests.append((self.path, dict(self.headers), body))
            receiver.on_request()
            receiver.stop.wait(receiver.pause)
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            try:
                self.send_response(status)
                for name, value in ({"Content-Length": "2"} | receiver.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")
            except OSError:
                # The sender has timed out.
                pass

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a server that receives webhooks."""
    made = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}/webhook/s3cret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def simulator() -> Iterator[Running]:
    """Run a simulator that hardly waits."""
    with running() as started:
        yield started


@dataclass
class Rest:
    """A client of Tableau's REST API in JSON by `requests` alone."""

    simulator: Running
    http: requests.Session
    site: str = ""

    def sign_in(self, credentials: dict[str, Any] | None = None, content_url: str | None = None) -> requests.Response:
        config = self.simulator.world.config
        pat = {"personalAccessTokenName": config.pat_name, "personalAccessTokenSecret": config.pat_secret}
        site = {"contentUrl": config.content_url if content_url is None else content_url}
        body = {"credentials": (credentials or pat) | {"site": site}}
        response = self.http.post(f"{self.simulator.url}/api/3.27/auth/signin", json=body, timeout=10)
        if response.ok:
            signed = response.json()["credentials"]
            self.http.headers["X-Tableau-Auth"], self.site = signed["token"], signed["site"]["id"]
        return response

    def call(self, method: str, path: str, version: str = "3.27", **options: Any) -> requests.Response:
        url = f"{self.simulator.url}/api/{version}/sites/{self.site}/{path}"
        return self.http.request(method, url, timeout=10, **options)

    def get(self, path: str, **options: Any) -> Any:
        response = self.call("GET", path, **options)
        assert response.ok, response.text
        return response.json()


@pytest.fixture
def rest(simulator: Running) -> Iterator[Rest]:
    """Return a client that is signed in with the personal access token."""
    with requests.Session() as http:
        http.headers.update(JSON)
        client = Rest(simulator, http)
        client.sign_in()
        yield client


@pytest.fixture
def tsc(simulator: Running) -> Iterator[tableauserverclient.Server]:
    """Return Tableau's own client, signed in with the personal access token."""
    config = simulator.world.config
    auth = tableauserverclient.PersonalAccessTokenAuth(config.pat_name, config.pat_secret, site_id=config.content_url)
    with tableauserverclient.Server(simulator.url, use_server_version=True) as server:
        server.auth.sign_in(auth)
        yield server


@pytest.fixture
def slack(simulator: Running) -> slack_sdk.WebClient:
    """Return Slack's own client."""
    return slack_sdk.WebClient(simulator.world.config.slack_token, base_url=f"{simulator.url}/slack/api/", timeout=10)


@pytest.fixture
def sms(simulator: Running) -> Iterator[twilio.rest.Client]:
    """Return Twilio's own client."""
    config = simulator.world.config
    client = twilio.rest.Client(config.twilio_account_sid, config.twilio_auth_token)
    client.api.base_url = f"{simulator.url}/twilio"
    yield client
    client.http_client.session.close()


@pytest.fixture
def control(simulator: Running) -> Iterator[Any]:
    """Return a client of the simulator's own HTTP API: `control("POST", "events", {...})` returns the JSON."""
    with requests.Session() as http:

        def call(method: str, path: str, body: Any = None, status: int = 200) -> Any:
            response = http.request(method, f"{simulator.url}/simulator/{path}", json=body, timeout=10)
            assert response.status_code == status, response.text
            return response.json()

        yield call
