"""The sentences about a refresh that did not come, runs long, or is suspended. Pure."""

from __future__ import annotations

from webhooks.event_types import REFRESH_MISSED, REFRESH_RUNS_LONG, SCHEDULE_SUSPENDED
from webhooks.watches.expectation import STRIKE_LIMIT

# The times of a schedule and of its deadline.
NOT_COME = "Tableau's schedule expected it at {}; it had not come by {}."
# When a run began, and how long it usually takes.
RUNNING = "It has been running since {}."
USUAL = " It usually takes up to {}."
# The number of failures.
SUSPENDED = (
    "Tableau suspended its schedule after {} failures in a row: it is not refreshed any more. "
    "Correct the cause, resume the schedule in Tableau, and refresh it."
)
# An example of each, by the type of its event.
EXAMPLES = {
    REFRESH_MISSED: NOT_COME.format("02:00", "02:45"),
    REFRESH_RUNS_LONG: RUNNING.format("02:00") + USUAL.format("25 min"),
    SCHEDULE_SUSPENDED: SUSPENDED.format(STRIKE_LIMIT),
}
