"""The schedules of refreshes and flows: start what is due, move on, suspend after failures."""

from __future__ import annotations

from datetime import timedelta

from simulator.world import refresh
from simulator.world.jobs import Task
from simulator.world.site import Site
from simulator.world.world import World

# Tableau suspends a task after this many failures in a row, unless an administrator has changed the limit.
STRIKE_LIMIT = 5
PERIODS = {"Hourly": timedelta(hours=1), "Daily": timedelta(days=1), "Weekly": timedelta(days=7)}
MONTH = timedelta(days=30)


def is_suspended(task: Task) -> bool:
    """Return whether the task does not run any more because it has failed too often."""
    return task.consecutive_failed_count >= STRIKE_LIMIT


def is_paused(site: Site, task: Task) -> bool:
    """Return whether an administrator has suspended the schedule of the task."""
    return task.schedule in site.schedules and site.schedules[task.schedule].state == "Suspended"


def run_due(world: World, site: Site) -> None:
    """Start the tasks whose time has come, and let each have a next run.

    One that is stuck is not started, and Tableau goes on showing the time that is past.
    """
    now = world.now()
    for task in list(site.tasks.values()):
        if task.next_run_at > now or task.is_stuck or is_paused(site, task):
            continue
        period = PERIODS.get(task.frequency, MONTH)
        task.next_run_at += ((now - task.next_run_at) // period + 1) * period
        item = site.content(task.content_kind).get(task.content)
        if item and not is_suspended(task) and not refresh.running(site, task.content):
            how = {"IncrementalRefresh": "incremental", "RunFlowTask": "flow"}.get(task.type, "full")
            refresh.run(world, site, task.content_kind, item, how=how, task=task.luid)


def delay(world: World, site: Site, luid: str, minutes: float) -> list[Task]:
    """Let the tasks of content be due for `minutes` already and not start, until the content is refreshed."""
    found = [task for task in site.tasks.values() if task.content == luid]
    for task in found:
        task.next_run_at, task.is_stuck = world.now() - timedelta(minutes=minutes), True
    return found
