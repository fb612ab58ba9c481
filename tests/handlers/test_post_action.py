"""The post action against small servers, and its recipes against the interfaces of Airflow, dbt and GitHub."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from notifiers import NotifierError, Notifiers
from notifiers.post import PostConfig
from notifiers.transport import Timeouts
from tests.support.simulated_actions import Simulation
from webhooks import rules
from webhooks.context import call
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.job import Job
from webhooks.messages.request_template import check_url, fill_url
from webhooks.planner import Planner
from webhooks.registry import Registry, registry

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "recipes"
TOKENS = {name: f"token-of-{name}-0123456789" for name in ("airflow", "dbt", "github")}
REFRESHED = "DatasourceRefreshSucceeded"
Answer = tuple[int, dict[str, str], str]


class System(ThreadingHTTPServer):
    """A system that records requests, and responds with `answers` in turn, then as `respond` says."""

    def __init__(self, respond: Callable[[str, Any, Any], int]) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.respond = respond
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.released = threading.Event()
        self.hangs = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(BaseHTTPRequestHandler):
    """Takes one request."""

    server: System

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        if self.server.hangs:
            self.server.released.wait(60)
            return
        respond = self.server.respond
        answers = self.server.answers
        status, headers, text = answers.pop(0) if answers else (respond(self.path, self.headers, body), {}, "")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def system() -> Iterator[System]:
    """Start a system that accepts everything."""
    with System(lambda *_: 200) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.released.set()
        made.shutdown()
        thread.join()


def notifiers(allow: str = "127.0.0.1") -> Notifiers:
    """Return notifiers with the tokens."""
    tokens = ", ".join(f"{name}={value}" for name, value in TOKENS.items())
    return Notifiers(post=PostConfig(allow=allow, tokens=tokens))


def attempt(simulation: Simulation, job: Job, *, allow: str = "127.0.0.1") -> str:
    """Run the job once and return its result."""
    return str(call(registry.handler(job.handler), simulation.context(job, notifiers=notifiers(allow))))


def airflow(seen: list[str]) -> Callable[[str, Any, Any], int]:
    """Return the interface of Airflow 3: a run has an id, and exists once."""

    def respond(path: str, headers: Any, body: Any) -> int:
        if headers["Authorization"] != f"Bearer {TOKENS['airflow']}":
            return 401
        if path != "/api/v2/dags/daily_figures/dagRuns":
            return 404
        if not {"logical_date", "dag_run_id"} <= body.keys() or not isinstance(body.get("conf"), dict):
            return 422
        seen.append(body["dag_run_id"])
        return 409 if seen.count(body["dag_run_id"]) > 1 else 200

    return respond


def dbt(path: str, headers: Any, body: Any) -> int:
    """Respond as dbt's API v2: a run needs a cause."""
    if headers["Authorization"] != f"Token {TOKENS['dbt']}":
        return 401
    if path != "/api/v2/accounts/12345/jobs/4711/run/":
        return 404
    return 200 if body.get("cause") else 400


def github(path: str, headers: Any, body: Any) -> int:
    """Respond as GitHub: a workflow needs a reference, and inputs that are texts."""
    if headers["Authorization"] != f"Bearer {TOKENS['github']}" or not headers["User-Agent"]:
        return 401
    if not re.fullmatch(r"/repos/acme/bi-checks/actions/workflows/check\.yml/dispatches", path):
        return 404
    inputs = body.get("inputs", {})
    return 204 if body.get("ref") == "main" and all(isinstance(one, str) for one in inputs.values()) else 422


CASES: dict[str, tuple[str, str, str, Any, str]] = {
    "airflow": (REFRESHED, "Orders", "conf", {"data_source": "Orders"}, "status 200"),
    "dbt": (REFRESHED, "Orders", "cause", "Tableau: Orders was refreshed at ", "status 200"),
    "github": ("WorkbookUpdated", "Sales", "inputs", {"workbook": "Sales", "event": "WorkbookUpdated"}, "status 204"),
}


@pytest.mark.parametrize("recipe", CASES)
def test_recipe_starts_work(simulation: Simulation, system: System, recipe: str) -> None:
    """The file needs no change but the host; the system takes the request, and a repeated attempt sends none."""
    event_type, name, field, expected, result = CASES[recipe]
    seen: list[str] = []
    system.respond = {"airflow": airflow(seen), "dbt": dbt, "github": github}[recipe]
    text = (RECIPES / f"{recipe}.toml").read_text(encoding="utf-8")
    parsed = rules.parse(re.sub(r"https://[\w.]+", system.url, text), registry.actions)
    assert rules.parse(text, registry.actions).warnings == ()
    simulation.inbox.events.receive(simulation.happen(event_type, name=name))
    simulation.inbox.events.plan(Planner(parsed, Registry()).jobs)
    (job,) = simulation.inbox.jobs.claim("tests", 10, 60)
    assert attempt(simulation, job).endswith(result)
    assert attempt(simulation, job).endswith(result)
    ((_, _, body),) = system.requests
    found = body[field]
    assert found.items() >= expected.items() if isinstance(expected, dict) else found.startswith(expected)
    if recipe == "airflow":
        assert seen == [f"tableau-{job.event.id}"]
        assert body["conf"]["project"]
    assert "secret." in json.dumps(dict(job.params))
    assert TOKENS[recipe] not in json.dumps(dict(job.params))


def test_event_is_sent_by_default_and_counted(simulation: Simulation, system: System) -> None:
    """Without a body, the system gets what Tableau sent; a dry run sends nothing; the limit is that of the rule."""
    action = f'post = {{ url = "{system.url}/hooks", per_day = 1 }}'
    event = simulation.happen("WorkbookUpdated", name="Sales")
    dry = f'post = {{ url = "{system.url}/x/{{name}}", body = {{ of = "{{name}}" }}, dry_run = true }}'
    with pytest.raises(Skip, match=r'dry run: \{"of": "Sales"\} would be posted to http://127.0.0.1:\d+/x/Sales'):
        attempt(simulation, simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), dry))
    job = simulation.job(event, action)
    assert attempt(simulation, job) == "posted to 127.0.0.1, status 200"
    ((path, headers, body),) = system.requests
    assert (path, body) == ("/hooks", dict(event.payload))
    assert headers["Content-Type"] == "application/json"
    simulation.inbox.jobs.finish(job)
    with pytest.raises(Skip, match=r"limit reached: post was done once within 24 hours \(per_day = 1\)"):
        attempt(simulation, simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), action))


def test_values_cannot_lead_elsewhere(simulation: Simulation, system: System) -> None:
    """A name is encoded in the address, and stays one text in the JSON."""
    hostile = 'Q1/admin?x=1&y="}#'
    event = simulation.happen("WorkbookUpdated", name="Sales")
    event = simulation.event(**{**event.payload, "resource_name": hostile})
    action = f'post = {{ url = "{system.url}/a/{{name}}/b", body = {{ a = "{{name}}", b = [1, true, "x"] }} }}'
    attempt(simulation, simulation.job(event, action))
    ((path, _, body),) = system.requests
    assert path == "/a/Q1%2Fadmin%3Fx%3D1%26y%3D%22%7D%23/b"
    assert body == {"a": hostile, "b": [1, True, "x"]}
    event = simulation.event(**{**event.payload, "resource_name": ".."})
    with pytest.raises(Permanent, match=r"/a/\.\./b' has \. or \.\. between slashes"):
        attempt(simulation, simulation.job(event, action))
    assert len(system.requests) == 1


def test_values_keep_the_steps_of_a_path() -> None:
    """A value that is a step upwards, also for a proxy that decodes it, or that leaves a step out, is refused."""
    for url in ("https://h.example/a/{name}/b", "https://h.example/{{ name }}", "https://h.example/a/{name}?b=1"):
        for name in (".", "..", "../../admin", "x/..", "..\\x"):
            with pytest.raises(ValueError, match="between slashes"):
                fill_url(url, {"name": name})
        with pytest.raises(ValueError, match="a value in the path is empty"):
            fill_url(url, {"name": ""})
    with pytest.raises(ValueError, match="between slashes"):
        fill_url("https://h.example/.{name}", {"name": "."})
    for url, name, filled in (
        ("https://h.example/a//{name}/", "...", "https://h.example/a//.../"),
        ("https://h.example/x{name}/?of={name}&up=../x", "", "https://h.example/x/?of=&up=../x"),
        ("https://h.example/{{ name or 'a' }}{% if name %}/{% endif %}", "", "https://h.example/a"),
        ("https://h.example/a{% if name %}/{{ name }}/{% endif %}", "v1..2", "https://h.example/a/v1..2/"),
        ("https://h.example/{name}", "%2e%2e", "https://h.example/%252e%252e"),
    ):
        assert fill_url(check_url(url), {"name": name}) == filled
    for url in ("https://h.example/a/../{name}", "https://h.example/%2E%2e/x"):
        with pytest.raises(ValueError, match="must not contain"):
            check_url(url)


def test_refusals_are_final_and_outages_are_not(simulation: Simulation, system: System) -> None:
    """A status below 500 is permanent, except 408 and 429; attempts have the same key; no token is in an error."""
    action = (
        f'[rule.post]\nurl = "{system.url}/x"\n'
        'headers = { Authorization = "Bearer {{ secret.airflow }}" }\nstatus = 201\ntimeout = 1\n'
    )
    job = simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), action)
    token = TOKENS["airflow"]
    system.answers = [
        (503, {}, ""),
        (429, {"Retry-After": "120"}, ""),
        (200, {}, ""),
        (403, {}, f"no access with {token}"),
        (302, {"Location": "http://169.254.169.254/"}, ""),
        (201, {}, ""),
    ]
    found = []
    for _ in range(5):
        with pytest.raises(NotifierError) as refused:
            attempt(simulation, job)
        found.append((refused.value.permanent, refused.value.retry_at is not None, str(refused.value)))
    assert [one[:2] for one in found] == [(False, False), (False, True), (True, False), (True, False), (True, False)]
    assert found[3][2] == "POST to 127.0.0.1: The system: status 403 (no access with ***)"
    assert "redirects are not followed" in found[4][2]
    assert attempt(simulation, job) == "posted to 127.0.0.1, status 201"
    assert len({headers["Idempotency-Key"] for _, headers, _ in system.requests}) == 1
    assert {headers["Authorization"] for _, headers, _ in system.requests} == {f"Bearer {token}"}


def test_lost_response_is_repeated_once(simulation: Simulation, system: System) -> None:
    """The system may have carried the request out: one repeat after a while, with the same key, then a dead letter."""
    job = simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), f'post = "{system.url}/x"')
    system.hangs = True
    system.released.set()
    with pytest.raises(
        RetryLater, match=r"did not respond: .* The outcome is unknown; the request is sent again"
    ) as lost:
        attempt(simulation, job)
    assert lost.value.retry_at is not None
    system.hangs = False
    system.answers = [(503, {}, ""), (504, {}, "")]
    with pytest.raises(NotifierError, match="status 503") as refused:
        attempt(simulation, job)
    assert (refused.value.permanent, refused.value.uncertain) == (False, False)
    with pytest.raises(
        NotifierError, match=r"status 504. The outcome is unknown: look at 127.0.0.1 whether"
    ) as given_up:
        attempt(simulation, job)
    assert given_up.value.permanent
    assert len({headers["Idempotency-Key"] for _, headers, _ in system.requests}) == 1


def test_slow_response_is_waited_for(simulation: Simulation, system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is that of the rule: a single step may take as long as the whole request."""
    monkeypatch.setattr("notifiers.transport.Timeouts", partial(Timeouts, step=0.05))

    def respond(*_: object) -> int:
        time.sleep(0.2)
        return 200

    system.respond = respond
    job = simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), f'post = "{system.url}/x"')
    assert attempt(simulation, job) == "posted to 127.0.0.1, status 200"
    assert len(system.requests) == 1


def test_private_addresses_need_to_be_allowed(simulation: Simulation, system: System) -> None:
    """Addresses inside the own network are refused, also by a name that leads there; nothing is sent."""
    for url, reason in (
        (system.url, "is reached by http"),
        (f"https://127.0.0.1:{system.server_port}", "not a public address"),
        (f"https://localhost:{system.server_port}", "not a public address"),
        ("https://169.254.169.254/latest/meta-data", "not a public address"),
        ("https://[::1]/", "not a public address"),
    ):
        job = simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), f'post = "{url}"')
        with pytest.raises(NotifierError, match=reason) as refused:
            attempt(simulation, job, allow="")
        assert refused.value.permanent
    assert system.requests == []


def test_missing_tokens_are_reported(simulation: Simulation, system: System) -> None:
    """`flask rules check --online`, `flask doctor` and the log name them; the job is dead-lettered with the names."""
    action = f'post = {{ url = "{system.url}", headers = {{ X-Key = "a {{{{ secret.other }}}}" }} }}'
    job = simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), action)
    with pytest.raises(Permanent, match=r"POST_TOKENS has no token other. Names: airflow, dbt, github"):
        attempt(simulation, job)
    parsed = rules.parse(f'[[rule]]\nname = "R"\non = "*"\n{action}\n', registry.actions)
    words = "rules send requests with the token other, which POST_TOKENS does not have"
    config = PostConfig(tokens="airflow=eyJ.a-b==, dbt=dbtc_1,x y=2")
    assert config.token_problems(parsed.tokens) == [words]
    assert config.token_values() == {"airflow": "eyJ.a-b==", "dbt": "dbtc_1,x", "y": "2"}
    assert {"eyJ.a-b==", "dbtc_1,x"} <= set(config.secrets())
    with pytest.raises(ValueError, match="Part 1 of POST_TOKENS"):
        PostConfig(tokens="a secret without a name").token_values()
