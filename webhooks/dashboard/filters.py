"""Filters of lists: parameters of the URL, shown as chips that can be removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from webhooks.dashboard.visit import LARGEST_ID, Visit
from webhooks.views.night import last_evening

MAX_VALUES = 20
MAX_LENGTH = 200
# Lengths of time that a list can be limited to.
PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
NIGHT = "night"


@dataclass(frozen=True, slots=True)
class Chip:
    """A value of a filter, and the URL without it."""

    text: str
    remove: str


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list, by the names of their parameters; `names` are those that the list knows."""

    path: str
    names: Sequence[str]
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str, names: Sequence[str], given: MultiDict[str, str]) -> Filters:
        """Return the filters of a request. Unknown parameters are left out. Raises BadRequest for too much."""
        values: dict[str, list[str]] = {}
        for name in names:
            found = list(dict.fromkeys(filter(None, map(str.strip, given.getlist(name)))))
            if len(found) > MAX_VALUES or any(len(value) > MAX_LENGTH for value in found):
                raise BadRequest(f"Too many or too long values of {name}.")
            if found:
                values[name] = found
        return cls(path, names, values)

    def __bool__(self) -> bool:
        return bool(self.values)

    def all(self, name: str) -> Sequence[str]:
        """Return all values of a filter."""
        return self.values.get(name, ())

    def one(self, name: str, default: str = "") -> str:
        """Return the first value of a filter."""
        return next(iter(self.all(name)), default)

    def url(self, **changes: str | int | None) -> str:
        """Return the URL of the list with these filters and other values of some; None leaves one out."""
        pairs: list[tuple[str, str]] = []
        for name in self.names:
            if name not in changes:
                pairs += [(name, value) for value in self.all(name)]
        pairs += [(name, str(value)) for name, value in changes.items() if value is not None]
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path

    def chips(self, labels: Mapping[str, str]) -> Iterator[Chip]:
        """Yield a chip for each value, of the filters with a label."""
        for name in self.names:
            for value in self.all(name):
                others = [(key, one) for key in self.names for one in self.all(key) if (key, one) != (name, value)]
                remove = f"{self.path}?{urlencode(others)}" if others else self.path
                if name in labels:
                    yield Chip(f"{labels[name]} {value}".strip(), remove)


def since_of(visit: Visit, period: str) -> datetime:
    """Return the beginning of a period: one of PERIODS, or the last evening. Raises BadRequest."""
    if period == NIGHT:
        return last_evening(visit.now, visit.zone)
    if period not in PERIODS:
        raise BadRequest(f"Unknown period {period!r}. Choose one of: {', '.join([*PERIODS, NIGHT])}.")
    return visit.now - PERIODS[period]


def patterns(texts: Sequence[str]) -> list[str]:
    """Return what a search compares names with: a text without `*` is looked for anywhere in a name."""
    return [text if "*" in text or "?" in text else f"*{text}*" for text in texts]


def number_of(text: str) -> int | None:
    """Return the id in a parameter, None without one. Raises BadRequest."""
    if not text:
        return None
    # Python converts no number of more than 4,300 digits.
    if not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST_ID)) or int(text) > LARGEST_ID:
        raise BadRequest(f"{text!r} is not an id.")
    return int(text)


def place_of(text: str) -> tuple[float, int] | None:
    """Return the place of a page in a list that is sorted by time: `1795600000.25-14`. Raises BadRequest."""
    if not text:
        return None
    seconds, _, number = text.partition("-")
    try:
        return float(seconds), number_of(number) or 0
    except ValueError:
        raise BadRequest(f"{text!r} is not a place in the list.") from None
