"""The `[[watch]]` tables: when content has to be up to date, how long it may run, and who is notified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, timedelta, tzinfo
from datetime import time as day_time
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from webhooks.event import Event
from webhooks.incidents.silences import EVERY_DAY
from webhooks.job import NewJob, Verdict
from webhooks.rules.conditions import CONTENT_FIELDS, Where
from webhooks.rules.digest import parse_at
from webhooks.rules.errors import InvalidValue, Problem
from webhooks.rules.matching import CONTENT_TYPE, SITE
from webhooks.rules.policy import SHARED_KEYS, Duration, parse_days, parse_duration
from webhooks.rules.rule import RuleAction
from webhooks.rules.rules import ABOUT_FAILURES

# A nightly refresh that ends before midnight is fresh in the morning.
DEFAULT_WITHIN = timedelta(hours=12)
# Keys of a watch that say nothing without this one.
NEED_FRESH_BY = ("days", "within")


@dataclass(frozen=True, slots=True)
class Watch:
    """A declaration about content that meets the conditions `where`.

    `fresh_by`: on these `days`, at that time in TIMEZONE, a refresh has succeeded `within` the time before.
    `longer_than`: a refresh takes no longer. `actions` notify; if there are none, the rules about failures decide who
    is notified.
    """

    name: str
    where: Where
    fresh_by: day_time | None = None
    days: frozenset[int] = EVERY_DAY
    within: timedelta = DEFAULT_WITHIN
    longer_than: timedelta | None = None
    actions: tuple[RuleAction, ...] = ()
    enabled: bool = True
    max_attempts: int = 20

    def explain(self, event: Event, zone: tzinfo = UTC) -> Verdict:
        """Return whether what was found is about this content, and the jobs that this makes."""
        label = f"watch {self.name}"
        if not self.enabled:
            return Verdict("rule", label, matched=False, reason="disabled (enabled = false)")
        match = self.where.match(event, zone)
        jobs = tuple(
            NewJob(
                key="/".join(part for part in (label, action.action, action.label) if part),
                handler=action.action,
                rule=self.name,
                params={name: value for name, value in action.params.items() if name not in ABOUT_FAILURES},
                where=match.deferred,
                max_attempts=self.max_attempts,
            )
            for action in self.actions
        )
        reason = match.reason or "found by this watch"
        return Verdict("rule", label, match.matched, reason, jobs if match.matched else ())


class WatchModel(BaseModel):
    """The keys of a `[[watch]]`, apart from `notify`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(
        description="shown below each message; unique among the watches"
    )
    where: Annotated[Where, BeforeValidator(Where.parse)] = Field(
        Where(), description="conditions on the content", examples=[{"tags": "morning"}]
    )
    fresh_by: Annotated[day_time | None, BeforeValidator(parse_at)] = Field(
        None, description="time in the zone `TIMEZONE` by which a refresh must have succeeded", examples=["07:30"]
    )
    days: Annotated[frozenset[int], BeforeValidator(parse_days)] = Field(
        EVERY_DAY, description="on these weekdays; without it, every day", examples=["mon-fri"]
    )
    within: Duration | None = Field(
        None, description="how long before `fresh_by` the refresh may have ended; without it, `12h`", examples=["12h"]
    )
    longer_than: Duration | None = Field(None, description="a refresh that runs longer than this is a problem")
    enabled: bool = Field(default=True, description="`false` switches the watch off")
    # For all destinations of `notify`, with whose own keys they are checked and described.
    repeat: Any = None
    quiet: Any = None
    mention: Any = None

    def watch(self, actions: tuple[RuleAction, ...], max_attempts: int) -> Watch:
        """Return the validated values."""
        found = Watch(
            self.name,
            self.where,
            self.fresh_by,
            self.days,
            longer_than=parse_duration(self.longer_than) if self.longer_than else None,
            actions=actions,
            enabled=self.enabled,
            max_attempts=max_attempts,
        )
        return replace(found, within=parse_duration(self.within)) if self.within else found


WATCH_KEYS = (*WatchModel.model_fields, "notify")


def check_where(where: Where) -> None:
    """Raise InvalidValue for conditions that say nothing about content: those on a failure, its day or its hour."""
    about = [*CONTENT_FIELDS, "resource_name", "resource_luid", "resource", SITE, CONTENT_TYPE]
    problems = [
        Problem(f"where: {name} is not about content; choose one of: {', '.join(about)}", ("where", name))
        for name, _ in where.all
        if name not in about
    ]
    if problems:
        raise InvalidValue(*dict.fromkeys(problems))


def check_watch(table: Mapping[str, Any]) -> None:
    """Raise InvalidValue if the keys of a watch say nothing together."""
    problems = [
        Problem(f'{key} is about fresh_by; add it, for example fresh_by = "07:30"', (key,))
        for key in NEED_FRESH_BY
        if key in table and "fresh_by" not in table
    ]
    if not table.keys() & {"fresh_by", "longer_than", "notify"}:
        example = 'add fresh_by, for example fresh_by = "07:30", longer_than or notify'
        problems.append(Problem(f"declares nothing; {example}"))
    problems += [
        Problem(f"{key} is about messages; add notify, or remove it", (key,))
        for key in SHARED_KEYS
        if key in table and "notify" not in table
    ]
    if problems:
        raise InvalidValue(*problems)
