"""The faults that are switched on: the calls they affect, and for how long."""

from __future__ import annotations

import itertools
import math
import random
import re
import threading
from dataclasses import dataclass

TARGETS = ("tableau", "slack", "twilio", "teams", "pagerduty", "post", "email")
KINDS = {
    "delay": "wait `seconds` before the response",
    "refuse": "close the connection without a response",
    "lost": "carry out the request, send nothing for `seconds`, then close the connection",
    "error": "respond with the vendor's error `code` (tableau 409093, slack channel_not_found, teams 404 …)",
    "unauthorized": "respond with `form`: 401000, 401002, 403, html or empty (Tableau only)",
    "throttled": "respond with 429 and `seconds` to wait; without `header` there is no Retry-After",
    "html": "respond with a gateway's HTML page and `status` (502)",
    "redirect": "respond with 301 to `location`, as the generic host of Tableau Cloud does",
    "expire": "end the session of the call, so that the call fails",
    "strings": "JSON: numbers and booleans are sent as strings",
    "single": "JSON: a list with one item is sent as the item",
    "bare": "JSON: a collection is sent as the list itself",
    "lists": "JSON: an empty collection is sent as an empty list instead of {}",
    "empty": "JSON: collections are sent empty, as {}",
    "document": "respond with 200 and the JSON text `document`",
    "undelivered": "accept a message, and later report that it was not delivered, with Twilio's error `code` (30003)",
    "late_jobs": "the list shows the end of a job `seconds` later; with `form` absent it does not list the job before",
}
# These do not affect a call by themselves: the code that they concern asks for them.
ASKED_FOR = ("late_jobs", "undelivered")
FORMS = {"unauthorized": ("401002", "401000", "403", "html", "empty"), "late_jobs": ("running", "absent")}
DEFAULT_SECONDS = {"delay": 2.0, "lost": 0.0, "throttled": 1740.0, "late_jobs": 3.0}


@dataclass(kw_only=True)
class Fault:
    """One fault. `times` None: until it is removed. `path` is a regular expression that is searched in the path."""

    id: int
    kind: str
    target: str
    path: str = ""
    method: str = ""
    times: int | None = None
    share: float = 1.0
    seconds: float = 0.0
    code: str = ""
    form: str = ""
    status: int = 502
    header: bool = True
    location: str = ""
    document: str = "{}"
    hits: int = 0

    def matches(self, target: str, method: str, path: str) -> bool:
        """Return whether this fault can affect such a call."""
        return self.target in (target, "*") and self.method in (method, "") and bool(re.search(self.path, path))


class Faults:
    """All faults that are on. Thread-safe."""

    def __init__(self, seed: int) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._random = random.Random(seed)
        self._on: list[Fault] = []

    def add(self, request: dict[str, object]) -> Fault:
        """Switch on the requested fault. Raises ValueError with the valid values."""
        known = {name for name in Fault.__dataclass_fields__ if name not in {"id", "hits"}}
        if unknown := set(request) - known:
            raise ValueError(
                f"Unknown fields: {', '.join(sorted(unknown))}. A fault can have: {', '.join(sorted(known))}"
            )
        fault = Fault(id=next(self._ids), **_validated(request))  # type: ignore[arg-type]
        with self._lock:
            self._on.append(fault)
        return fault

    def remove(self, number: int | None = None) -> int:
        """Switch off one fault, or all, and return how many were removed."""
        with self._lock:
            kept = [fault for fault in self._on if number not in (None, fault.id)]
            removed = len(self._on) - len(kept)
            self._on = kept
        return removed

    def on(self) -> list[Fault]:
        """Return the faults that are on."""
        with self._lock:
            return list(self._on)

    def hit(self, target: str, method: str, path: str) -> list[Fault]:
        """Return the faults that affect this call, and count one use of each."""
        with self._lock:
            matching = [f for f in self._on if f.kind not in ASKED_FOR and f.matches(target, method, path)]
            return [fault for fault in matching if self._use(fault)]

    def take(self, kind: str) -> Fault | None:
        """Return the first fault of this kind that applies, and count one use of it."""
        with self._lock:
            return next((fault for fault in self._on if fault.kind == kind and self._use(fault)), None)

    def lateness(self) -> tuple[float, bool]:
        """Return by how many seconds the end of a job appears late, and whether the job is absent until then."""
        fault = self.take("late_jobs")
        return (fault.seconds, fault.form == "absent") if fault else (0.0, False)

    def _use(self, fault: Fault) -> bool:
        if fault.share < 1 and self._random.random() >= fault.share:
            return False
        fault.hits += 1
        if fault.times is not None and fault.hits >= fault.times:
            self._on = [other for other in self._on if other is not fault]
        return True


def _validated(request: dict[str, object]) -> dict[str, object]:
    fault = dict(request)
    kind = str(fault.get("kind"))
    if kind not in KINDS:
        raise ValueError(f"Unknown kind {kind!r}. Choose one of: {', '.join(KINDS)}")
    if fault.setdefault("target", "tableau") not in (*TARGETS, "*"):
        raise ValueError(f"Unknown target {fault['target']!r}. Choose one of: {', '.join(TARGETS)}, *")
    forms = FORMS.get(kind, ("",))
    if str(fault.setdefault("form", forms[0])) not in forms:
        raise ValueError(f"Unknown form {fault['form']!r}. Choose one of: {', '.join(forms)}")
    fault["seconds"] = _number(fault.get("seconds", DEFAULT_SECONDS.get(kind, 0.0)), "seconds", least=0)
    fault["share"] = _number(fault.get("share", 1.0), "share", least=0)
    if fault.get("times") is not None:
        fault["times"] = int(_number(fault["times"], "times", least=1))
    fault["status"] = int(_number(fault.get("status", 502), "status", least=400))
    fault["method"] = str(fault.get("method", "")).upper()
    fault["path"] = path = str(fault.get("path", ""))
    try:
        re.compile(path)
    except re.error as error:
        raise ValueError(f"path {path!r} is not a regular expression: {error}") from error
    if kind == "undelivered" and not str(fault.setdefault("code", "30003")).isdigit():
        raise ValueError(f"code must be a number such as 30003, not {fault['code']!r}")
    fault["header"] = fault.get("header", True) not in (False, "false", 0)
    return fault | {name: str(fault[name]) for name in ("code", "location", "document") if name in fault}


def _number(value: object, name: str, *, least: float) -> float:
    try:
        number = float(str(value))
    except ValueError as error:
        raise ValueError(f"{name} must be a number, not {value!r}") from error
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    if number < least:
        raise ValueError(f"{name} must be at least {least}")
    return number
