"""The examples of docs/api.md, sent to a real server: each answer has what the page shows."""

from __future__ import annotations

import csv
import io
import json
import shlex
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.dashboard.conftest import fail
from tests.docs.pages import ROOT, blocks
from webhooks.api.blueprint import PREFIX
from webhooks.api.operations import OPERATIONS
from webhooks.inbox import Inbox

# Where the page's server listens.
DOCUMENTED = "http://127.0.0.1:8000"


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Serve the application over HTTP."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def examples() -> list[tuple[str, str]]:
    """Return the commands of the page with the answers below them."""
    shown = "".join(block.text for block in blocks() if block.page.name == "api.md" and block.language == "console")
    parts = [part.partition("\n") for part in shown.split("$ ") if part]
    return [(command, answer) for command, _, answer in parts]


def send(command: str, address: str) -> requests.Response:
    """Send the request that a curl command describes."""
    words = iter(shlex.split(command)[1:])
    method, url, data, headers = "", "", None, dict[str, str]()
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = next(words)
        elif word != "-s":
            url = word.replace(DOCUMENTED, address)
    return requests.request(method or ("POST" if data else "GET"), url, data=data, headers=headers, timeout=60)


def require_shape(shown: Any, found: Any, place: str) -> None:
    """Fail if the answer lacks something that the page shows, or has another type for it."""
    assert type(found) is type(shown), (place, shown, found)
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in found, (place, name, sorted(found))
            require_shape(value, found[name], f"{place}.{name}")
    elif isinstance(shown, list) and shown:
        assert found, place
        require_shape(shown[0], found[0], f"{place}[0]")


def test_examples_are_answered_as_shown(address: str, app: Flask) -> None:
    """In the order of the page, with its words where they are not made up."""
    fail(app.extensions["webhooks"].inbox, project="Finance")
    found = examples()
    assert len(found) == 6
    for command, shown in found:
        answer = send(command, address)
        if shown.startswith("{"):
            expected = json.loads(shown)
            require_shape(expected, answer.json(), command)
            for name in ("state", "detail", "title", "jsonrpc"):
                assert answer.json().get(name) == expected.get(name), command
        else:
            assert set(shown.strip().split(",")) <= set(answer.text.splitlines()[0].split(",")), command
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8").count("curl ") == len(found)


def test_each_list_is_json_and_csv(client: FlaskClient, inbox: Inbox) -> None:
    """By the extension and by Accept, with the same rows and fields."""
    fail(inbox)
    lists = [operation for operation in OPERATIONS if operation.is_list]
    assert len(lists) >= 6
    for operation in lists:
        path = PREFIX + operation.path
        items = client.get(path, headers={"Accept": "application/json"}).json["items"]
        tables = [client.get(f"{path}.csv"), client.get(path, headers={"Accept": "text/csv"})]
        for table in tables:
            assert table.content_type == "text/csv; charset=utf-8", path
            rows = list(csv.DictReader(io.StringIO(table.text)))
            assert len(rows) == len(items), path
            assert [list(row) for row in rows] == [list(item) for item in items], path
