"""The faults that are switched on: which calls they meet, and for how long."""

import itertools
import math
import random
import re
import threading
from dataclasses import dataclass

TARGETS = ("tableau", "slack", "twilio")
KINDS = {
    "delay": "wait `seconds` before answering",
    "refuse": "close the connection without an answer",
    "lost": "do what was asked, keep silent for `seconds`, then close the connection: sent, but never answered",
    "error": "answer with the vendor's error `code` (tableau 409093, slack channel_not_found, twilio 21611 …)",
    "unauthorized": "`form`: 401000, 401002, 403, html or empty; Slack and Twilio answer in their own way",
    "throttled": "429; `seconds` to wait, as Retry-After only if `header` (Tableau names the minutes in its text)",
    "html": "a gateway's HTML page with `status` (502)",
    "redirect": "301 to `location`, as Cloud's generic host sends to the pod",
    "expire": "end the session the call uses, then let it fail as it must",
    "strings": "JSON: numbers and booleans arrive as strings",
    "single": "JSON: a list of one arrives as the object itself",
    "bare": "JSON: a collection arrives as the list itself",
    "lists": "JSON: an empty collection arrives as an empty list instead of {}",
    "empty": "JSON: collections arrive empty, as {}",
    "document": "answer 200 with the JSON text `document`, whatever was asked",
    "late_jobs": "a job shows how it ended `seconds` later; with `form` absent it is not listed before",
}
FORMS = {"unauthorized": ("401002", "401000", "403", "html", "empty"), "late_jobs": ("running", "absent")}
DEFAULT_SECONDS = {"delay": 2.0, "lost": 0.0, "throttled": 1740.0, "late_jobs": 3.0}


@dataclass(kw_only=True)
class Fault:
    """One switched-on fault. `times` None: until switched off; `path` is a regular expression searched in the path."""

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

    def meets(self, target: str, method: str, path: str) -> bool:
        """Whether this fault concerns such a call."""
        return self.target in (target, "*") and self.method in (method, "") and bool(re.search(self.path, path))


class Faults:
    """All faults that are on; each call is shown to them once."""

    def __init__(self, seed: int) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._random = random.Random(seed)
        self._on: list[Fault] = []

    def add(self, wish: dict[str, object]) -> Fault:
        """Switch on what the wish describes. Raises ValueError with what would be right."""
        known = {name for name in Fault.__dataclass_fields__ if name not in {"id", "hits"}}
        if unknown := set(wish) - known:
            raise ValueError(f"unknown {', '.join(sorted(unknown))}; a fault has {', '.join(sorted(known))}")
        fault = Fault(id=next(self._ids), **_checked(wish))  # type: ignore[arg-type]
        with self._lock:
            self._on.append(fault)
        return fault

    def remove(self, number: int | None = None) -> int:
        """Switch off one fault, or all; says how many."""
        with self._lock:
            kept = [fault for fault in self._on if number not in (None, fault.id)]
            removed = len(self._on) - len(kept)
            self._on = kept
        return removed

    def on(self) -> list[Fault]:
        """The faults that are on."""
        with self._lock:
            return list(self._on)

    def meet(self, target: str, method: str, path: str) -> list[Fault]:
        """The faults that strike this call; each of them is used up by one."""
        with self._lock:
            struck = [f for f in self._on if f.kind != "late_jobs" and f.meets(target, method, path)]
            return [fault for fault in struck if self._strike(fault)]

    def lateness(self) -> tuple[float, bool]:
        """How many seconds late the job that ends now will be seen, and whether it is absent until then."""
        with self._lock:
            for fault in self._on:
                if fault.kind == "late_jobs" and self._strike(fault):
                    return fault.seconds, fault.form == "absent"
        return 0.0, False

    def _strike(self, fault: Fault) -> bool:
        if fault.share < 1 and self._random.random() >= fault.share:
            return False
        fault.hits += 1
        if fault.times is not None and fault.hits >= fault.times:
            self._on = [other for other in self._on if other is not fault]
        return True


def _checked(wish: dict[str, object]) -> dict[str, object]:
    fault = dict(wish)
    kind = str(fault.get("kind"))
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    fault.setdefault("target", "tableau")
    if fault["target"] not in (*TARGETS, "*"):
        raise ValueError(f"target {fault['target']!r} is none of {', '.join(TARGETS)}, *")
    forms = FORMS.get(kind, ("",))
    if str(fault.setdefault("form", forms[0])) not in forms:
        raise ValueError(f"form {fault['form']!r} is none of {', '.join(forms)}")
    fault["seconds"] = _number(fault.get("seconds", DEFAULT_SECONDS.get(kind, 0.0)), "seconds", least=0)
    fault["share"] = _number(fault.get("share", 1.0), "share", least=0)
    if fault.get("times") is not None:
        fault["times"] = int(_number(fault["times"], "times", least=1))
    fault["status"] = int(_number(fault.get("status", 502), "status", least=400))
    fault["method"] = str(fault.get("method", "")).upper()
    fault["path"] = _pattern(str(fault.get("path", "")))
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


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"path {text!r} is not a regular expression: {error}") from error
    return text
