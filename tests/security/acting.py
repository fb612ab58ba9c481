"""Do each act in each way, as people and programs do it: forms, API, tools, commands, presses, links, replies."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from notifiers import Button
from simulator import Running
from tests.dashboard.conftest import PASSWORD, SAME_ORIGIN, fail, services_of
from tests.dashboard.test_group_links import share
from tests.dashboard.test_scopes import bearer, content
from tests.security import test_pagerduty_events as pagerduty
from tests.security import test_sms_replies as sms
from tests.support.flask_commands import RunFlask
from tests.support.slack_press import form, press_payload, signed
from webhooks.api.blueprint import PREFIX
from webhooks.clock import utc_now
from webhooks.event import parse
from webhooks.inbox import AuditEntry, Inbox, IncidentRecord
from webhooks.incidents import DestinationPolicy, Policy
from webhooks.job import JOINT_ACT, REFRESH_INCIDENT, SLACK_GROUP_PRESS, SLACK_PRESS
from webhooks.messages.act_links import LinkMaker
from webhooks.messages.group_buttons import group_actions
from webhooks.messages.incident_buttons import incident_actions

LINK_SECRET, PUBLIC_URL = "a-secret-for-links-in-the-test", sms.PUBLIC
WEBHOOK_URL = "https://hooks.example.org"
SOON = (utc_now() + timedelta(hours=5)).isoformat()
# What forms, bodies and tools need in addition to the number of the object.
FORMS: dict[str, dict[str, Any]] = {
    "snooze": {"for": "1h"},
    "note": {"note": "seen"},
    "add silence": {"name": "Sales", "for": "1h", "reason": "upgrade"},
    "create token": {"name": "report", "role": "viewer", "days": "9"},
}
BODIES: dict[str, dict[str, Any]] = {
    "snooze": {"until": SOON},
    "note": {"note": "seen"},
    "add silence": {"matchers": {"project": ["Finance"]}, "reason": "upgrade", "end": SOON},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "snooze": {"hours": 1},
    "add silence": {"name": "Sales", "hours": 1, "reason": "upgrade"},
}
# The words after a command; # is the number of the object, @ the LUID of a webhook, $ the id of a session.
WORDS = {
    "incidents snooze": "# --for 1h",
    "incidents note": "# seen",
    "refresh": "# --no-wait",
    "silences add": "--name Sales --for 1h --reason upgrade",
    "webhooks sync": f"--url {WEBHOOK_URL} --yes",
    "webhooks create": f"SiteUpdated --url {WEBHOOK_URL}",
    "webhooks enable": "@",
    "webhooks delete": "@",
    "tokens create": "--name report",
    "sessions end": "$",
    "sessions end --all": "",
    "rules activate": "",
    "incidents import": "",
    "inbox vacuum": "",
}
# The jobs that finish what people began.
FINISHING = {SLACK_PRESS, SLACK_GROUP_PRESS, JOINT_ACT, REFRESH_INCIDENT}


@dataclass(frozen=True)
class Stage:
    """A server, a simulated Tableau and Slack, and all ways to act."""

    site: Running
    browser: FlaskClient
    flask: RunFlask

    @property
    def inbox(self) -> Inbox:
        return services_of(self.browser).inbox

    def rows_after(self, last: int) -> list[AuditEntry]:
        """Return the rows of the audit log since the one with this id, without those about signing in."""
        return [row for row in self.inbox.audit.list() if row.id > last and not row.act.startswith("sign in")]

    def last_row(self) -> int:
        return next((row.id for row in self.inbox.audit.list(limit=1)), 0)

    def prepare(self, act: str) -> int:
        """Return the number of a new object of the act: an incident, an event, a silence or a token."""
        if act == "end silence":
            return int(self.inbox.silences.add(matchers={}, start=utc_now(), end=None, by="Ann", reason="x").id)
        if act == "revoke token":
            bearer(self.browser)
            return self.inbox.sign_ins.tokens()[-1].id
        if act in {"replay", "dismiss"}:
            content(self.inbox, "Month End Close", "Finance")
            return self.inbox.events.list(limit=1)[0].event.id or 0
        if act == "sync webhooks":
            self.site.world.home.webhooks.clear()
        return self.fail_refresh().id if act == "refresh" else fail(self.inbox).id

    def fail_refresh(self) -> IncidentRecord:
        """Let the refresh of another workbook of the site fail, and return its incident."""
        home, known = self.site.world.home, {one.incident.resource_luid for one in self.inbox.incidents.list()}
        book = next(one for one in home.workbooks.values() if one.luid not in known)
        payload = {"event_type": "WorkbookRefreshFailed", "resource": "WORKBOOK", "resource_name": book.name}
        payload |= {"resource_luid": book.luid, "site_luid": home.luid, "created_at": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"}
        event = parse(json.dumps(payload).encode())
        assert event
        self.inbox.events.receive(event)
        self.inbox.events.plan(lambda _: ())
        return next(one for one in self.inbox.incidents.list() if one.incident.resource_luid == book.luid)

    def finish(self) -> None:
        """Run the jobs that finish what people began."""
        for job in self.inbox.jobs.claim("tests", 50, 900):
            if job.handler in FINISHING:
                self.inbox.jobs.finish(job, services_of(self.browser).runner.run(job))

    def sign_in(self) -> None:
        """Start a session of Ann, an administrator."""
        given = {"name": "Ann", "password": PASSWORD}
        assert self.browser.post("/login", data=given, headers=SAME_ORIGIN).status_code == 303

    def other_session(self) -> str:
        """Start a session of someone else, and return its id."""
        sign_ins = self.inbox.sign_ins
        before = {one.id for one in sign_ins.sessions(PASSWORD)}
        sign_ins.start(name="Ben", role="viewer", address="10.0.0.7", password=PASSWORD)
        return next(one.id for one in sign_ins.sessions(PASSWORD) if one.id not in before)

    def page(self, act: str, path: str, number: int, headers: dict[str, str]) -> TestResponse:
        """Send a form."""
        given = {"id": str(number), "act": act, **FORMS.get(act, {})}
        if path.startswith("/dead-letters/"):
            page = self.browser.get("/dead-letters", headers=headers).text
            given["cause"] = re.findall(r'name="cause" value="(\w+)"', page)[0] if 'name="cause"' in page else "none"
        place = path.replace("<int:number>", str(number)).replace("<kind>", act)
        if "<name>" in place:
            place = place.replace("<name>", self.other_session())
        return self.browser.post(place, data=given, headers=headers)

    def operation(self, act: str, path: str, number: int, headers: dict[str, str]) -> TestResponse:
        """Send a request to the API."""
        body = BODIES.get(act, {})
        if "/dead-letters/" in path:
            body = {"ids": [self.inbox.event_lists.dead_by_cause()[0].job_ids[0]]}
        return self.browser.post(PREFIX + path.replace("<number>", str(number)), json=body, headers=headers)

    def tool(self, act: str, name: str, number: int, headers: dict[str, str]) -> TestResponse:
        """Call a tool as an agent does."""
        given = ARGUMENTS.get(act, {}) | ({} if act == "add silence" else {"id": number})
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": given}}
        return self.browser.post("/mcp", json=call, headers=headers)

    def command(self, command: str, number: int) -> None:
        """Run a command, which has to succeed."""
        words = WORDS.get(command, "#").replace("#", str(number))
        if "$" in words:
            words = words.replace("$", self.other_session())
        if "@" in words:
            self.flask("webhooks", "create", "SiteCreated", "--url", WEBHOOK_URL)
            (webhook,) = self.site.world.home.webhooks.values()
            words = words.replace("@", webhook.luid)
        ended = self.flask(*command.split(), *words.split())
        assert ended.exit_code == 0, (command, ended.output)

    def buttons(self, number: int, group: int) -> dict[str, tuple[str, str]]:
        """Return the labels of all buttons, with their actions and values."""
        incident = self.inbox.incidents.get(number).incident
        next_run = utc_now() + timedelta(hours=1)
        members = [record.incident for _, record in self.inbox.notice_groups.members(group)] if group else []
        found = [incident_actions(incident, number, utc_now(), next_run_at=next_run, may_refresh=True)]
        found += [group_actions(members, group)] if group else []
        shown = itertools.chain.from_iterable((*one.buttons, *one.menu) for one in found)
        return {one.text: (one.action_id, one.value) for one in shown if isinstance(one, Button)}

    def press(
        self, action: str, value: str, *, email: str = "ann@acme.example", team: str = "T0ACME", secret: str = ""
    ) -> TestResponse:
        """Press a button in Slack."""
        person = next(one for one in self.site.world.slack.members if one.email == email)
        channel = next(one for one in self.site.world.slack.channels.values() if one.name.lstrip("#") == "bi")
        who = {"id": person.id, "username": person.name, "name": person.name, "team_id": team}
        place = {"type": "message", "message_ts": "1795600000.000100", "channel_id": channel.id}
        payload = press_payload(action, value, user=who, container=place)
        payload["actions"][0]["action_ts"] = f"{next(COUNTER)}.5"
        body = form(payload)
        own = self.site.world.config.slack_signing_secret
        return self.browser.post("/slack/interactions", data=body, headers=signed(body, secret=secret or own))

    def share_message(self) -> int:
        """Return the number of a message of two incidents in Slack."""
        group = share(self.inbox, [f"{name} {next(COUNTER)}" for name in "ABCD"], to=f"slack:#group-{next(COUNTER)}")
        channel = next(one for one in self.site.world.slack.channels.values() if one.name.lstrip("#") == "bi")
        message = {"kind": "slack", "channel": channel.id, "id": "1795600000.000100"}
        record = self.inbox.notice_groups.get(group)
        assert record
        self.inbox.notice_groups.save(record, posted={"message": message}, shown={})
        return group

    def link(self, number: int, act: str, *, secret: str = LINK_SECRET) -> TestResponse:
        """Press the button on the page of a signed link."""
        incident = self.inbox.incidents.get(number).incident
        maker = LinkMaker("email:ann@example.org", secret, PUBLIC_URL)
        label = {"acknowledge": "Acknowledge", "snooze": "Snooze 1 h"}[act]
        links = maker.links({incident.state}, number, incident.id, utc_now())
        path = urlsplit(next(one.url for one in links if one.label == label)).path
        return self.browser.post(path.removeprefix(urlsplit(PUBLIC_URL).path), headers=SAME_ORIGIN)

    def notify(self, number: int, destination: str, message_id: str) -> None:
        """Let a destination be notified of an incident."""
        notice = self.inbox.notices.register(number, destination, Policy("R", (DestinationPolicy(destination),)))
        kind, _, address = destination.partition(":")
        posted = {"message": {"kind": kind, "channel": address, "id": message_id}}
        self.inbox.notices.save(notice, posted=posted, shown={})

    def reply(self, number: int, sender: str = sms.NUMBER, token: str = "") -> TestResponse:
        """Reply to a text message about an incident."""
        self.notify(number, f"twilio:{sms.NUMBER}", "SM1")
        own = self.site.world.config.twilio_auth_token
        return sms.send(self.browser, sms.form(number=next(COUNTER), From=sender), token=token or own)

    def alert(self, number: int, secret: str = pagerduty.SECRET) -> TestResponse:
        """Acknowledge the alert of an incident in PagerDuty."""
        record = self.inbox.incidents.get(number)
        self.notify(number, "pagerduty:data", pagerduty.alert_of(record))
        report = pagerduty.event(pagerduty.alert_of(record), id=f"R{next(COUNTER)}")
        return pagerduty.send(self.browser, report, secret=secret)


COUNTER = itertools.count(1)
# The user of the operating system who runs the commands.
USER = "cleo"
Act = Callable[[], object]
AUTHORS = {
    "pages": "Ann",
    "API": "program",
    "agents": "program",
    "command line": USER,
    "Slack": r"ann \(\w+\)|Ann Okafor \(ann@acme.example\)",
    "link": "ann@example.org",
    "SMS": re.escape(sms.NUMBER),
    "PagerDuty": r"Ann Okafor \(PagerDuty\)",
}
