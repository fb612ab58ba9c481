"""Traces: all that is done about an event is one trace, with the ids of the log and without secrets."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from simulator import Running
from tests.support.simulated_site import TOKEN, inject_fault, rules_file, settings, site
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.observability.logs import configuration, log_ids
from webhooks.observability.tracing import TRACING, event_span, tableau_call
from webhooks.services import Services

__all__ = ["rules_file", "settings", "site"]

# Generous: the machine may be slow.
DEADLINE = 60.0


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Trace into memory; a provider of its own leaves that of the process alone."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(TRACING, "tracer", provider.get_tracer("tests"))
    yield memory
    provider.shutdown()


def attributes(one: ReadableSpan) -> dict[str, object]:
    return dict(one.attributes or {})


def wait_for_job(exporter: InMemorySpanExporter, outcome: str) -> None:
    """Wait until an attempt has ended so."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if any(attributes(one).get("outcome") == outcome for one in exporter.get_finished_spans()):
            return
        time.sleep(0.02)
    raise AssertionError([(one.name, attributes(one)) for one in exporter.get_finished_spans()])


@pytest.mark.second_stage
def test_everything_about_an_event_is_one_trace(
    exporter: InMemorySpanExporter, settings: Settings, site: Running
) -> None:
    """From the request over the commit, the plan and the attempts to the calls; no span has a secret."""
    tracer = TRACING.tracer
    app = create_app(settings.model_copy(update={"traces": True, "worker_threads": 1, "watch_minutes": 0}))
    # The process has no SDK of its own, so these spans would go nowhere.
    assert TRACING.tracer not in {None, tracer}
    TRACING.tracer = tracer
    services: Services = app.extensions["webhooks"]
    inject_fault(site, kind="error", target="slack", code="channel_not_found", times=1)
    workbook = next(iter(site.world.home.workbooks.values()))
    event = {
        "event_type": "WorkbookCreated",
        "resource": "WORKBOOK",
        "resource_name": workbook.name,
        "resource_luid": workbook.luid,
        "created_at": "2026-01-31T09:30:00Z",
    }
    services.start_worker()
    try:
        client = app.test_client()
        number = client.post(f"/webhook/{TOKEN}", json=event).get_json()["event"]
        wait_for_job(exporter, "dead")
        assert client.post(f"/webhook/{TOKEN}", json=event).get_json()["status"] == "duplicate"
    finally:
        services.stop()
    about = [one for one in exporter.get_finished_spans() if attributes(one).get("event") == number]
    assert len({one.context.trace_id for one in about if one.context}) == 1
    names = [one.name for one in about]
    assert names.count("receive") == names.count("commit") == 2
    assert {"plan", "run notify", "slack send", "Tableau GET /api/3.27/sites/{luid}/workbooks/{luid}"} <= set(names)
    attempts = [one for one in about if one.name == "run notify"]
    assert [(attributes(one)["outcome"], one.status.description) for one in attempts] == [("dead", "dead")]
    # Calls belong to the attempt that makes them, and the commit to the request.
    by_id = {one.context.span_id: one.name for one in about if one.context}
    parents = {one.name: by_id.get(one.parent.span_id) for one in about if one.parent}
    assert (parents["slack send"], parents["commit"], parents["receive"]) == ("run notify", "receive", None)
    exported = " ".join(one.to_json() for one in exporter.get_finished_spans())
    assert not [secret for secret in settings.secrets() if secret in exported]


def test_log_lines_have_the_id_of_the_trace(exporter: InMemorySpanExporter) -> None:
    """And spans have the ids of the log; the same event has the same trace in each process."""
    formatter = configuration(debug=False, secrets=[], as_json=True)["formatters"]["line"]["()"]()

    def line() -> dict[str, object]:
        found: dict[str, object] = json.loads(
            formatter.format(logging.LogRecord("any", logging.INFO, "file.py", 1, "Retrying", (), None))
        )
        return found

    with log_ids(event=41), event_span("run notify", b"fingerprint", "CONSUMER", since=2.0, rule="x" * 999):
        inside = line()
        with log_ids(incident=3), suppress(KeyError), tableau_call("GET", f"/api/3.27/sites/{'a' * 8}") as status:
            status(404)
            raise KeyError("pat-secret-of-the-test")
    assert inside["trace_id"] == "b94daa7b8893ffcd1cff4d37b2fe2ab6"
    assert "trace_id" not in line()
    call, attempt = exporter.get_finished_spans()
    assert attributes(call) == {
        "event": 41,
        "incident": 3,
        "http.request.method": "GET",
        "url.path": "/api/3.27/sites/aaaaaaaa",
        "http.response.status_code": 404,
        "error.type": "KeyError",
    }
    assert (call.status.description, call.events) == ("KeyError", ())
    assert call.context
    assert f"{call.context.trace_id:032x}" == inside["trace_id"]
    assert attempt.start_time
    assert call.start_time
    assert call.start_time - attempt.start_time >= 2e9
    assert len(str(attributes(attempt)["rule"])) == 200


def test_without_traces_nothing_is_imported() -> None:
    """The library takes a tenth of a second to import, and may not be installed."""
    program = (
        "import sys; from webhooks.observability.tracing import TRACING, event_span, span\n"
        "TRACING.configure(enabled=False)\n"
        "with event_span('receive', b'f', 'SERVER', since=1.0) as one, span('commit'): one.set(event=1)\n"
        "assert 'opentelemetry' not in sys.modules\n"
        "sys.modules['opentelemetry'] = None\n"
        "try: TRACING.configure(enabled=True)\n"
        "except RuntimeError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert ended.stdout.startswith("TRACES needs opentelemetry-api, which is not installed: pip install")
