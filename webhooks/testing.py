"""A kit for tests of handlers: run one for an event, with a real inbox, and see what it sent and how the job ended.

    def test_badly_named_workbook_is_reported(tmp_path):
        with HandlerKit(tmp_path, handlers=Path("/etc/tableau-webhooks/handlers")) as kit:
            result = kit.run("names.check_name", make_event("WorkbookCreated", resource_name="Copy of Sales"))
        assert result.state == "done"
        assert result.sent[0].to == "slack:#bi-stewards"

No message leaves the process. For `tableau`, pass a client of the simulator, or an object with the methods that the
handler calls.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from notifiers import KINDS, Destination, Message, Notifier, Notifiers, Receipt
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.context import Context, call
from webhooks.errors import RetryLater, Skip
from webhooks.event import Event, parse
from webhooks.event_types import event_type
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.registry import Registry
from webhooks.registry import registry as server_registry

SITE = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"


@dataclass(frozen=True)
class Sent:
    """A message that a handler sent, and its destination as in rules."""

    to: str
    message: Message


@dataclass(frozen=True)
class Result:
    """The end of an attempt: the state of the job as in `flask events list`, the reason or the result, the messages.

    `retry` is a job that runs again, at `retry_at` if the handler or the service gave a time. `error` is what the
    handler raised.
    """

    state: Literal["done", "skipped", "retry", "dead"]
    reason: str = ""
    sent: tuple[Sent, ...] = ()
    retry_at: datetime | None = None
    error: BaseException | None = None


class HandlerKit:
    """Runs handlers; a context manager that closes its inbox. Each event is received once, as by the server.

    `folder` is for the inbox. `handlers` is a folder like HANDLERS_DIR, whose files are loaded as by the server.
    `registry` has the handlers; without it, those that are registered in this process count.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tableau: Any = None,
        settings: Settings | None = None,
        registry: Registry | None = None,
        handlers: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if handlers is not None:
            # Their decorators register them there.
            server_registry.load_folder(handlers)
        self.inbox = Inbox.open(f"sqlite:///{folder / f'{uuid.uuid4().hex}.sqlite3'}")
        self.settings = settings or Settings(_env_file=None)
        self._tableau, self._registry, self._clock = tableau, registry or server_registry, clock
        self._job: Job | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.inbox.close()

    def run(
        self, handler: Callable[..., object] | str, event: Event, *, params: Mapping[str, Any] | None = None
    ) -> Result:
        """Receive the event and run the handler, a function or its name, for the first time."""
        name = handler if isinstance(handler, str) else self._name_of(handler)
        self.inbox.events.receive(event)
        new = NewJob(name, name, params=params or {})
        self.inbox.events.plan(lambda _: [new])
        (self._job,) = self.inbox.jobs.claim("handler kit", 1, 3600)
        return self._attempt()

    def run_again(self) -> Result:
        """Run the last job again, as after a failure: what `once` and `notify` have recorded is not repeated."""
        if self._job is None:
            raise ValueError("No handler was run yet")
        self._job = replace(self._job, attempts=self._job.attempts + 1)
        return self._attempt()

    def _attempt(self) -> Result:
        assert self._job is not None
        outbox = _Outbox()
        parts: dict[str, Any] = {"inbox": self.inbox, "notifiers": outbox, "settings": self.settings}
        context = _KitContext(self._job, tableau=lambda: self._tableau, clock=self._clock, **parts)
        try:
            result = call(self._registry.handler(self._job.handler), context)
        except Skip as error:
            return Result("skipped", str(error), tuple(outbox.sent), error=error)
        except Exception as error:  # noqa: BLE001 - the worker catches everything as well
            is_retried = isinstance(error, RetryLater) or not getattr(error, "permanent", False)
            retry_at = getattr(error, "retry_at", None)
            return Result("retry" if is_retried else "dead", str(error), tuple(outbox.sent), retry_at, error)
        return Result("done", result, tuple(outbox.sent))

    def _name_of(self, function: Callable[..., object]) -> str:
        found = self._registry.name_of(function)
        if found is None:
            raise ValueError(f"{function.__name__} is not a handler: it has neither @on, @every nor @action")
        return found


def make_event(name: str, **fields: str) -> Event:
    """Return an event of this type as Tableau would send it now; `fields` replace those of the payload."""
    payload = {
        "resource": event_type(name).resource or "WORKBOOK",
        "event_type": name,
        "resource_name": "Sales",
        "site_luid": SITE,
        "resource_luid": str(uuid.uuid4()),
        "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        **fields,
    }
    event = parse(json.dumps(payload).encode())
    if event is None:
        raise ValueError("A test request is not an event")
    return event


class _KitContext(Context):
    """A context whose client of Tableau needs no credentials."""

    @cached_property
    def tableau(self) -> Any:
        found = self._make_tableau()
        if found is None:
            raise AssertionError("The handler asks Tableau: pass tableau=… to HandlerKit")
        return found


class _Outbox(Notifiers):
    """Notifiers of all kinds that only record."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []

    @property
    def with_default_address(self) -> tuple[str, ...]:
        return tuple(KINDS)

    def __getitem__(self, kind: str) -> Notifier:
        made: Notifier = type("Recorder", (_Recorder,), {"kind": kind})(self.sent)
        return made


class _Recorder(Notifier):
    """Records messages; a subclass has the kind of destination."""

    label = "Test"
    example = ""

    def __init__(self, sent: list[Sent]) -> None:
        super().__init__(None)
        self._sent = sent

    @staticmethod
    def parse_address(text: str) -> str:
        return text

    def deliver(self, message: Message, address: str) -> Receipt:
        self._sent.append(Sent(str(Destination(self.kind, address or None)), message))
        return Receipt(address, str(len(self._sent)))

    def send(self, message: Message, to: str | None) -> Receipt:
        return self.deliver(message, to or "")

    def check(self) -> str:
        return "Test"
