"""Trace events by OpenTelemetry, from the request to the messages; off unless TRACES is set.

All spans of an event belong to one trace, whatever process and attempt they are of: the id of the trace is computed
from the event's fingerprint, so that nothing has to be stored or passed on. Only OpenTelemetry's API is used, and
imported only if traces are on; an SDK, which exports the spans, is set up outside. See docs/howto/traces.md.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

from webhooks.observability.logs import LOG_IDS, log_ids
from webhooks.text import cut, escape_invisible

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span as RecordedSpan
    from opentelemetry.trace import Tracer

Kind = Literal["INTERNAL", "SERVER", "CLIENT", "CONSUMER"]

# The field of log lines, and with `LOG_IDS` what spans and lines have in common.
TRACE_ID = "trace_id"
# Characters of an attribute; texts from outside may be long.
MAX_LENGTH = 200
# Parts of a path that are different for each call, and would make a span name of each.
LUID_IN_PATH = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Span:
    """A span that attributes can be added to; without `recorded`, it ignores them."""

    def __init__(self, recorded: RecordedSpan | None = None) -> None:
        self._recorded = recorded

    def set(self, **attributes: Any) -> None:
        """Add attributes; those that are None are left out."""
        if self._recorded is not None:
            self._recorded.set_attributes(_attributes(attributes))

    def fail(self, reason: str) -> None:
        """Mark the span as failed; `reason` is one of few words and never the text of an exception."""
        if self._recorded is not None:
            from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - as below

            self._recorded.set_status(Status(StatusCode.ERROR, reason))


class Tracing:
    """The state of this process. `tracer` is None while it does not trace."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None

    def configure(self, *, enabled: bool) -> None:
        """Start or stop tracing in this process. Raises RuntimeError if the API is not installed."""
        if not enabled:
            self.tracer = None
            return
        try:
            from opentelemetry import trace  # noqa: PLC0415 - optional, and slow to import
        except ImportError:
            advice = 'pip install "opentelemetry-api>=1.27,<2", or set TRACES=false'
            raise RuntimeError(f"TRACES needs opentelemetry-api, which is not installed: {advice}") from None
        self.tracer = trace.get_tracer("tableau-webhooks")


TRACING = Tracing()
NO_SPAN = Span()
NOT_TRACED: AbstractContextManager[Span] = nullcontext(NO_SPAN)


def span(name: str, kind: Kind = "INTERNAL", **attributes: Any) -> AbstractContextManager[Span]:
    """Record what is done meanwhile as a part of the current span, with the ids that log lines have now."""
    return NOT_TRACED if TRACING.tracer is None else _recorded(TRACING.tracer, name, kind, attributes)


def event_span(
    name: str, fingerprint: bytes, kind: Kind = "INTERNAL", *, since: float = 0.0, **attributes: Any
) -> AbstractContextManager[Span]:
    """Record what is done meanwhile in the trace of an event; log lines have the id of the trace.

    It began `since` seconds ago.
    """
    if TRACING.tracer is None:
        return NOT_TRACED
    return _event_span(TRACING.tracer, name, kind, attributes, fingerprint=fingerprint, since=since)


@contextmanager
def tableau_call(method: str, path: str) -> Iterator[Callable[[int], object]]:
    """Record a request to Tableau; the function that this yields is to be called with the status of the response."""
    template = LUID_IN_PATH.sub("{luid}", path)
    with span(f"Tableau {method} {template}", "CLIENT", **{"http.request.method": method, "url.path": path}) as one:
        yield lambda status: one.set(**{"http.response.status_code": status})


@contextmanager
def _event_span(
    tracer: Tracer, name: str, kind: Kind, attributes: dict[str, Any], *, fingerprint: bytes, since: float
) -> Iterator[Span]:
    from opentelemetry.context import Context  # noqa: PLC0415 - as above
    from opentelemetry.trace import (  # noqa: PLC0415 - as above
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        format_trace_id,
        set_span_in_context,
    )

    digest = hashlib.sha256(b"trace" + fingerprint).digest()
    # The API takes no id for a new trace, only a parent with one; this parent is never recorded.
    parent = SpanContext(
        trace_id=int.from_bytes(digest[:16]) or 1,
        span_id=int.from_bytes(digest[16:24]) or 1,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    context = set_span_in_context(NonRecordingSpan(parent), Context())
    with (
        log_ids(**{TRACE_ID: format_trace_id(parent.trace_id)}),
        _recorded(tracer, name, kind, attributes, context=context, since=since) as one,
    ):
        yield one


@contextmanager
def _recorded(
    tracer: Tracer,
    name: str,
    kind: Kind,
    attributes: dict[str, Any],
    *,
    context: Context | None = None,
    since: float = 0.0,
) -> Iterator[Span]:
    """Record a span. Of an exception only the type is recorded: its text may contain secrets."""
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - as above

    with tracer.start_as_current_span(
        name,
        context=context,
        kind=SpanKind[kind],
        attributes=_attributes({**LOG_IDS.get(), TRACE_ID: None, **attributes}),
        start_time=time.time_ns() - int(since * 1e9),
        record_exception=False,
        set_status_on_exception=False,
    ) as recorded:
        one = Span(recorded)
        try:
            yield one
        except BaseException as error:
            one.set(**{"error.type": type(error).__name__})
            one.fail(type(error).__name__)
            raise


def _attributes(values: dict[str, Any]) -> dict[str, str | int | float]:
    return {
        name: value if isinstance(value, int | float) else escape_invisible(cut(str(value), MAX_LENGTH))
        for name, value in values.items()
        if value is not None
    }
