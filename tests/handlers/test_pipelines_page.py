"""The actions of docs/howto/pipelines.md can be copied into a file, and start work in other systems once."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests

from webhooks.registry import registry
from webhooks.rules import parse
from webhooks.testing import HandlerKit, make_event

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "pipelines.md").read_text(encoding="utf-8")
NAMES = ("airflow", "dbt", "github")


class Systems(ThreadingHTTPServer):
    """The three systems: they record the requests, and respond with `statuses` in turn, then with 201."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.requests: list[tuple[str, str, Any]] = []
        self.statuses: list[int] = []


class Receiver(BaseHTTPRequestHandler):
    """Takes one request."""

    server: Systems

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def systems(monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    """Load the actions of the page and start the systems that they use."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    module = ModuleType("own_handlers.pipelines")
    monkeypatch.setitem(sys.modules, "own_handlers", ModuleType("own_handlers"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with Systems() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{made.server_port}"
        values = {"AIRFLOW_URL": url, "DBT_URL": f"{url}/api/v2/accounts/1", "GITHUB_API_URL": url}
        tokens = {f"{name.upper()}_TOKEN": "token-of-the-test" for name in NAMES}
        for name, value in {**values, **tokens, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        try:
            exec(compile(code, "docs/howto/pipelines.md", "exec"), module.__dict__)
            yield made
        finally:
            registry.remove(module.__name__)
            made.shutdown()
            thread.join()


def test_each_system_is_started_once(systems: Systems, tmp_path: Path) -> None:
    """The request has the system's form; one that is repeated starts nothing twice; a refusal says why."""
    event = make_event("DatasourceRefreshSucceeded", resource_name="Orders")
    params: dict[str, dict[str, Any]] = {
        "airflow": {"dag": "x"},
        "dbt": {"job": 7},
        "github": {"workflow": "a/b/c.yml"},
    }
    with HandlerKit(tmp_path) as kit:
        for name in ("dbt", "github"):
            systems.statuses = [503]
            other = make_event("DatasourceRefreshSucceeded", resource_name=name)
            states = [kit.run(name, other, params=params[name]).state, kit.run_again().state, kit.run_again().state]
            assert states == ["retry", "done", "done"]
        systems.statuses = [201, 409]
        result = kit.run("airflow", event, params=params["airflow"])
        assert (result.state, result.reason, kit.run_again().state) == ("done", "DAG x started", "done")
        systems.statuses = [422]
        refused = kit.run("dbt", make_event("WorkbookCreated"), params=params["dbt"])
        assert (refused.state, "responded 422" in refused.reason) == ("dead", True)
    paths = [(path, authorization.split()[0]) for path, authorization, _ in systems.requests]
    dbt, github = (
        ("/api/v2/accounts/1/jobs/7/run/", "Token"),
        ("/repos/a/b/actions/workflows/c.yml/dispatches", "Bearer"),
    )
    assert paths == [dbt, dbt, github, github, *[("/api/v2/dags/x/dagRuns", "Bearer")] * 2, dbt]
    bodies = [body for _, _, body in systems.requests]
    assert bodies[0] == {"cause": "Tableau: DatasourceRefreshSucceeded dbt"}
    assert bodies[2]["inputs"]["event"] == "DatasourceRefreshSucceeded"
    assert bodies[4]["dag_run_id"] == bodies[5]["dag_run_id"]
    assert bodies[4]["conf"]["resource_name"] == "Orders"


def test_work_that_may_have_been_started_is_not_started_again(
    systems: Systems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a lost response only Airflow, which recognizes the run, gets the request again."""

    def lose(*_: object, **__: object) -> None:
        raise requests.ReadTimeout

    with HandlerKit(tmp_path) as kit:
        systems.statuses = [504]
        assert kit.run("dbt", make_event("WorkbookCreated"), params={"job": 7}).state == "dead"
        monkeypatch.setattr(requests, "post", lose)
        assert kit.run("dbt", make_event("WorkbookUpdated"), params={"job": 7}).state == "dead"
        assert kit.run("airflow", make_event("WorkbookDeleted"), params={"dag": "x"}).state == "retry"


@pytest.mark.usefixtures("systems")
def test_rules_of_the_page_are_valid() -> None:
    """The rules can be copied unchanged."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    parsed = parse(text, registry.actions)
    assert [action.action for rule in parsed.rules for action in rule.actions] == list(NAMES)
    assert parsed.warnings == ()
