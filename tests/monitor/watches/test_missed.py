"""Test that a refresh that does not come is noticed once, five minutes after its deadline at most."""

from __future__ import annotations

from datetime import timedelta

from tests.monitor.watches.watched import DAY, HOUR, MINUTE, ORDERS, SALES, Watched, at, event_of
from webhooks.inbox.server.sight import SIGHT, SightRecord
from webhooks.incidents.wording import describe
from webhooks.monitor.job_budget import WATCHES


def test_missed_in_the_first_night_and_late(watched_on_both: Watched) -> None:
    """Without a history, a run that does not come is reported half an hour after its time, and closed when it comes."""
    watched = watched_on_both
    watched.site.schedule(SALES, at("26 02:00"))
    assert watched.until("26 02:25") == []
    (one,) = watched.until("26 02:34", step=MINUTE)
    incident = one.incident
    assert (incident.kind, incident.state, incident.resource_name) == ("missed", "open", "Sales")
    assert incident.opened_at == at("26 02:30")
    assert incident.reason == "Tableau's schedule expected it at 02:00; it had not come by 02:30."
    event = event_of(watched.inbox, "RefreshMissed")
    assert (event.resource, event.resource_luid, event.created_at) == ("WORKBOOK", SALES, "2026-11-26T02:30:00Z")
    assert event.received_at
    assert event.received_at - at("26 02:30") <= 5 * MINUTE
    watched.site.schedule(SALES, at("27 02:00"))
    watched.runs(SALES, "26 04:00")
    (one,) = watched.until("26 06:00")
    closed = watched.inbox.incidents.get(one.id).incident
    assert (closed.state, closed.closed_at) == ("closed", at("26 04:10"))
    assert describe(closed) == "Came 2 h 10 min late"


def test_a_run_that_comes_is_no_incident(watched: Watched) -> None:
    """A refresh that begins within the grace is not missed, whether it succeeds, fails, or is still running."""
    task = watched.site.schedule(SALES, at("26 02:00"))
    for outcome in ("succeeded", "failed"):
        watched.runs(SALES, watched.site.tasks[task].next_run_at + 20 * MINUTE, 30, outcome)  # type: ignore[operator]
        watched.site.schedule(SALES, watched.site.tasks[task].next_run_at + DAY)  # type: ignore[operator]
    watched.until("28 01:00", step=10 * MINUTE)
    assert [kind for kind, _ in watched.open()] == ["failing"]


def test_the_job_list_is_asked_first(watched: Watched) -> None:
    """A run whose webhooks were lost is found in the job list: it came, and its failure is known from there."""
    watched.site.schedule(SALES, at("26 02:00"))
    watched.site.schedule(ORDERS, at("26 02:00"))
    watched.site.run(SALES, at("26 02:05"), at("26 02:10"))
    watched.site.run(ORDERS, at("26 02:06"), at("26 02:10"), "Failed")
    watched.until("26 05:00")
    assert watched.open() == [("failing", "Orders")]
    assert watched.site.calls["jobs"] == 1


def test_a_run_in_progress_has_come_and_a_waiting_one_has_not(watched: Watched) -> None:
    """A job that runs has come; one that waits in Tableau's queue may wait three times as long."""
    watched.site.schedule(SALES, at("26 02:00"))
    watched.site.schedule(ORDERS, at("26 02:00"))
    watched.site.run(SALES, at("26 02:20"), None)
    watched.site.queue(ORDERS, at("26 02:21"))
    assert watched.until("26 03:25") == []
    (one,) = watched.until("26 03:50")
    assert (one.incident.resource_name, one.incident.opened_at) == ("Orders", at("26 03:30"))
    assert one.incident.reason.endswith("It has been waiting in Tableau's queue since 02:21.")
    assert one.incident.resource_kind == "datasource"


def test_missed_nights_are_one_incident(watched: Watched) -> None:
    """Three nights without a run are one incident that counts them, and each is found after the next time is known."""
    for day in (26, 27, 28):
        watched.site.schedule(SALES, at(f"{day} 02:00"))
        watched.until(f"{day} 20:00", step=10 * MINUTE)
    (one,) = watched.inbox.incidents.list()
    assert describe(watched.inbox.incidents.get(one.id).incident) == "Missed, 3 in a row"


def test_downtime_of_the_server_is_no_absence(watched: Watched) -> None:
    """After a night in which the server was down, what ran is found, and only what did not run is missed."""
    watched.site.schedule(SALES, at("26 02:00"))
    watched.site.schedule(ORDERS, at("26 02:00"))
    watched.until("26 00:30")
    watched.site.run(SALES, at("26 02:00"), at("26 02:10"))
    watched.site.schedule(SALES, at("27 02:00"))
    watched.site.schedule(ORDERS, at("27 02:00"))
    watched.restart()
    watched.now = at("26 09:00")
    watched.until("26 09:05")
    assert watched.open() == [("missed", "Orders")]


def test_paused_deleted_and_moved_schedules(watched_on_both: Watched) -> None:
    """Nothing is missed whose schedule was paused, deleted or moved before its time, or whose content is gone."""
    watched = watched_on_both
    for number in range(6):
        watched.site.add("workbook", f"w{number}", f"Book {number}")
        watched.site.schedule(f"w{number}", at("26 02:00"))
    watched.until("26 00:30")
    watched.site.schedule("w0", at("26 02:00"), schedule_state="Suspended")
    del watched.site.tasks["task-w1"]
    watched.site.schedule("w2", at("26 20:00"))
    watched.site.schedule("w3", None)
    del watched.site.contents["w4"]
    watched.until("26 08:00")
    assert watched.open() == [("missed", "Book 5")]


def test_schedule_that_is_paused_at_its_time(watched: Watched) -> None:
    """A schedule that is deleted or paused within the grace is not missed either."""
    watched.site.schedule(SALES, at("26 02:00"))
    watched.site.schedule(ORDERS, at("26 02:00"))
    watched.until("26 02:10")
    del watched.site.tasks[f"task-{SALES}"]
    watched.site.schedule(ORDERS, at("26 02:00"), schedule_state="Suspended")
    watched.until("26 05:00")
    assert watched.open() == []


def test_removed_schedule_closes_the_incident(watched: Watched) -> None:
    """The incident of content whose schedule is deleted after a missed run closes."""
    watched.site.schedule(SALES, at("26 02:00"))
    watched.until("26 03:00")
    assert watched.open() == [("missed", "Sales")]
    del watched.site.tasks[f"task-{SALES}"]
    (one,) = watched.until("26 03:20")
    closed = watched.inbox.incidents.get(one.id).incident
    assert describe(closed).endswith("the schedule was removed")


def test_renamed_content(watched: Watched) -> None:
    """The job of a workbook that was renamed is found under its old name; the new one is reported."""
    watched.runs(SALES, "25 02:00")
    watched.site.schedule(SALES, at("26 02:00"))
    watched.site.run(SALES, at("26 02:00"), at("26 02:05"))
    watched.site.add("workbook", SALES, "Sales EMEA")
    watched.until("26 06:00")
    assert watched.open() == []
    watched.site.schedule(SALES, at("26 08:00"))
    watched.until("26 10:00")
    assert watched.open() == [("missed", "Sales EMEA")]


def test_namesakes_are_told_apart_by_their_jobs(watched: Watched) -> None:
    """Of two workbooks of one name, the one that did not run is missed: their jobs are queried one by one."""
    watched.site.add("workbook", "other", "Sales")
    watched.site.schedule(SALES, at("26 02:00"))
    watched.site.schedule("other", at("26 02:00"))
    watched.site.run("other", at("26 02:00"), at("26 02:05"))
    (one,) = watched.until("26 03:00")
    assert one.incident.resource_luid == SALES
    assert watched.site.calls["job"] == 1


def test_several_schedules_of_one_content(watched: Watched) -> None:
    """Content with a nightly and an hourly task is missed once for each time that nothing came."""
    watched.site.schedule(SALES, at("26 02:00"), task="nightly")
    watched.site.schedule(SALES, at("26 02:00"), task="hourly", frequency="Hourly")
    (one,) = watched.until("26 03:00")
    assert watched.inbox.incidents.get(one.id).incident.in_a_row == 1


def test_server_that_cannot_reach_tableau_concludes_nothing(watched: Watched) -> None:
    """While the job list cannot be read nothing is missed; afterwards, only what did not run."""
    watched.site.schedule(SALES, at("26 02:00"))
    watched.site.schedule(ORDERS, at("26 02:00"))
    watched.until("26 01:00")
    watched.site.down = True
    watched.until("26 07:00")
    assert [kind for kind, _ in watched.open()] == ["blind"]
    watched.site.down = False
    watched.site.run(SALES, at("26 02:01"), at("26 02:10"))
    watched.until("26 07:10")
    assert [pair for pair in watched.open() if pair[0] == "missed"] == [("missed", "Orders")]


def test_late_evidence_closes_the_incident(watched: Watched) -> None:
    """If the job list shows late that a run had come in time, the incident closes and says so."""
    watched.site.schedule(SALES, at("26 02:00"))
    (one,) = watched.until("26 03:00")
    watched.runs(SALES, "26 02:01", 5)
    closed = watched.inbox.incidents.get(one.id).incident
    assert (closed.state, describe(closed)) == ("closed", "Came in time, but this was known late")


def test_the_grace_is_learned(watched_on_both: Watched) -> None:
    """After a week in which the queue was 40 minutes long, a run that comes after 45 minutes is not missed."""
    watched = watched_on_both
    for day in range(10, 26):
        watched.now = max(watched.now - 16 * DAY, at("10 00:00")) if day == 10 else watched.now
        watched.site.schedule(SALES, at(f"{day} 02:00"))
        watched.look()
        watched.now = at(f"{day} 01:00")
        watched.runs(SALES, at(f"{day} 02:00") + (day % 3 + 18) * MINUTE, 15)
        watched.until(f"{day} 23:00", step=2 * HOUR)
    assert watched.inbox.incidents.list() == []
    watched.site.schedule(SALES, at("26 02:00"))
    (one,) = watched.until("26 04:00")
    assert one.incident.opened_at - at("26 02:00") == timedelta(minutes=60)


def test_rhythm_of_content_without_a_schedule(watched: Watched) -> None:
    """Content that another program refreshes every night is missed when that stops; irregular content is not."""
    watched.now = at("01 00:00")
    for day in range(1, 19):
        watched.runs(SALES, f"{day:02} 04:{day % 9:02}", 5)
        watched.runs(ORDERS, f"{day:02} {(day * 7) % 24:02}:00", 5)
    watched.now = at("18 12:00")
    watched.until("19 06:00")
    assert watched.open() == [("missed", "Sales")]
    (one,) = watched.inbox.incidents.list()
    assert one.incident.reason.startswith("It usually begins by 04:08, and had not come by 05:0")


def test_learned_run_without_webhooks_may_come_early(watched: Watched) -> None:
    """A run of a learned rhythm of which only the job list knows is found also if it came an hour before its time."""
    watched.now = at("01 00:00")
    for day in range(1, 19):
        watched.runs(SALES, f"{day:02} 04:{day % 9:02}", 5)
    watched.site.run(SALES, at("19 03:05"), at("19 03:10"))
    watched.now = at("18 12:00")
    watched.until("19 08:00")
    assert watched.open() == []


def test_flows_cost_no_job_queries(watched: Watched) -> None:
    """Runs of flows have no webhooks: they are found in their own list, and one that is missing is missed."""
    for name in ("Clean", "Join"):
        watched.site.add("flow", name.lower(), name)
        watched.site.schedule(name.lower(), at("26 02:00"))
    watched.site.run("clean", at("26 02:03"), at("26 02:10"))
    watched.until("26 04:00")
    assert watched.open() == [("missed", "Join")]
    assert event_of(watched.inbox, "RefreshMissed").resource == "FLOW"
    assert watched.site.calls["jobs"] == 0
    assert [run.resource_luid for run in watched.inbox.runs.list()] == ["clean"]


def test_thousands_of_tasks_take_few_queries(watched: Watched) -> None:
    """A night in which two thousand refreshes come, and one does not, costs one look at the job list."""
    for number in range(2000):
        watched.site.add("workbook", f"w{number:04}", f"Book {number}")
        watched.site.schedule(f"w{number:04}", at("26 02:00"))
    watched.look()
    for number in range(1, 2000):
        watched.site.run(f"w{number:04}", at("26 02:01"), at("26 02:02"))
    watched.now = at("26 02:31")
    watched.until("26 02:40")
    assert watched.open() == [("missed", "Book 0")]
    assert watched.site.calls["jobs"] <= 2


def test_budget_of_queries(watched: Watched) -> None:
    """A night in which nothing runs and something new is overdue every few minutes stays within the budget."""
    for number in range(60):
        watched.site.add("workbook", f"w{number:04}", f"Book {number}")
        watched.site.schedule(f"w{number:04}", at("26 02:00") + 4 * number * MINUTE)
    watched.until("26 06:40", step=2 * MINUTE)
    queries = watched.site.calls["jobs"] + watched.site.calls["job"]
    assert WATCHES.burst < queries <= WATCHES.burst + WATCHES.per_day * (timedelta(hours=6, minutes=40) / DAY)
    # The queries are used up before the last of them; from then on the monitor's readings decide.
    watched.inbox.state.set(SIGHT, SightRecord(watched.now.timestamp()).as_json())
    watched.until("26 07:20")
    missed = [one.incident for one in watched.inbox.incidents.list(limit=None) if one.incident.kind == "missed"]
    assert len(missed) == 60
