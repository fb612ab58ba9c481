"""Learn when content is refreshed from the runs of the past, where Tableau knows no schedule of it. Pure.

Programs outside Tableau, such as orchestrators, start refreshes regularly, too. Only what is very regular is expected
to go on: a false alarm is worse here than a late one, because a person may declare a time with `[[watch]]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise

from webhooks.watches.recurrence import DAY

# Runs and days that are enough to see a rhythm.
MIN_RUNS = 12
MIN_SPAN = timedelta(days=14)
MAX_RUNS = 200
# A daily run may begin this much earlier or later than usual.
MAX_SPREAD = timedelta(minutes=45)
# A weekday belongs to the rhythm if it has a run in this share of the weeks, and does not if it has none in this share.
# One night that was missed in seven weeks must not end the rhythm.
REGULAR = 0.85
# Runs by hand and late ones, which are at other times of day, may be this share of all.
MAX_ODD = 0.1
# Intervals may differ from the usual one by this factor.
MAX_GAP_FACTOR = 1.5
HALF_DAY = 720


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Runs at about `latest` on some weekdays in the local time of `zone`, or, if `gap` is given, in that interval."""

    zone: tzinfo
    latest: time = time()
    weekdays: frozenset[int] = frozenset()
    gap: timedelta | None = None

    @property
    def period(self) -> timedelta:
        """Return the shortest time between two runs."""
        return self.gap or DAY

    def following(self, after: datetime) -> datetime:
        """Return the time after that one until which the next run usually begins, in UTC."""
        if self.gap:
            return after + self.gap
        day = after.astimezone(self.zone).date()
        while True:
            at = datetime.combine(day, self.latest, self.zone).astimezone(UTC)
            if at > after and day.weekday() in self.weekdays:
                return at
            day += DAY


def learn_rhythm(starts: Sequence[datetime], now: datetime, zone: tzinfo) -> Rhythm | None:
    """Return the rhythm of runs that began at these times; None if they are too few or not regular enough."""
    recent = sorted(starts)[-MAX_RUNS:]
    if len(recent) < MIN_RUNS or now - recent[0] < MIN_SPAN / 2:
        return None
    gaps = [later - earlier for earlier, later in pairwise(recent)]
    usual = sorted(gaps)[len(gaps) // 2]
    if usual <= DAY / 2:
        is_regular = max(gaps) <= MAX_GAP_FACTOR * usual and now - recent[-1] <= 4 * usual
        return Rhythm(zone, gap=max(gaps)) if is_regular else None
    if now - recent[0] < MIN_SPAN:
        return None
    return _daily(recent, zone)


def _daily(starts: Sequence[datetime], zone: tzinfo) -> Rhythm | None:
    """Return the rhythm of content that is refreshed once on each of some weekdays.

    A few runs at other times of day, by hand or late, do not end it: they count for their days only.
    """
    local = [at.astimezone(zone) for at in starts]
    middle = _usual_minute(local)
    spread = MAX_SPREAD // timedelta(minutes=1)
    # Minutes from the usual time, so that times around midnight are close to each other.
    usual = [at for at in local if abs(_offset(at, middle)) <= spread]
    odd = [at for at in local if abs(_offset(at, middle)) > spread]
    offsets = sorted(_offset(at, middle) for at in usual)
    if len(odd) > MAX_ODD * len(local) or offsets[-1] - offsets[0] > spread:
        return None
    # The day of a run is that of the usual time, also if it begins on the other side of midnight.
    dates = Counter((at - timedelta(minutes=_offset(at, middle))).date() for at in usual)
    if max(dates.values()) > 1:
        return None
    # A late run is that of the day on which none came in time.
    dates.update({(at - timedelta(minutes=_offset(at, middle) % (2 * HALF_DAY))).date() for at in odd} - dates.keys())
    first, last = min(dates), max(dates)
    weekdays = set()
    for weekday in range(7):
        days = [first + number * DAY for number in range((last - first).days + 1)]
        same = [day for day in days if day.weekday() == weekday]
        share = sum(day in dates for day in same) / len(same) if same else 0.0
        if share >= REGULAR:
            weekdays.add(weekday)
        elif share > 1 - REGULAR:
            return None
    days_later, minutes = divmod(middle + offsets[-1], 2 * HALF_DAY)
    shifted = frozenset((weekday + days_later) % 7 for weekday in weekdays)
    return Rhythm(zone, time(minutes // 60, minutes % 60), shifted) if weekdays else None


def _usual_minute(local: Sequence[datetime]) -> int:
    """Return the minute of the day with the most of these times within an hour of it; of several, the middle one."""
    minutes = {at.hour * 60 + at.minute for at in local}
    near = {minute: sum(abs(_offset(at, minute)) <= 60 for at in local) for minute in minutes}
    most = max(near.values())
    best = sorted(minute for minute, number in near.items() if number == most)
    return best[len(best) // 2]


def _offset(at: datetime, middle: int) -> int:
    """Return how many minutes after that minute of the day the time is; negative if before."""
    return (at.hour * 60 + at.minute - middle + HALF_DAY) % (2 * HALF_DAY) - HALF_DAY
