"""Checks of `flask doctor` elsewhere: Tableau, this server's webhooks there, the notifiers, the public URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial

import requests

from notifiers import NotifierError
from tableau_rest import ConnectionFailed, Forbidden, NotFound, SignInFailed, TableauError
from tableau_rest.protocol.query import where
from webhooks.cli.doctor.destinations import check_destinations
from webhooks.cli.doctor.local_checks import INBOX_ERRORS
from webhooks.cli.doctor.names import NameChecks
from webhooks.cli.doctor.results import CheckResult, failed, ok, skipped, warning
from webhooks.cli.support.http_session import http_session
from webhooks.cli.trigger.post import NoResponse, Sender
from webhooks.clock import utc_now
from webhooks.config.site import Site
from webhooks.event_types import event_type
from webhooks.monitor import certificate
from webhooks.registration import (
    Change,
    ChangeKind,
    compare,
    is_ours,
    registered_event_types,
    remember_registered,
)
from webhooks.registration.job_list import describe_source, job_list_problems, obstacle
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services
from webhooks.text import count
from webhooks.views import formats
from webhooks.webhook_url import mask_url, public_url

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
# Beyond this difference, Tableau refuses the tokens of connected apps.
CLOCK_SECONDS = 30
EXPIRING_DAYS = 21
# Jobs of this time are requested, to see whether the list can be read.
JOB_LIST_WINDOW = timedelta(minutes=1)
SYNC = "flask webhooks sync applies the changes; with --dry-run it only shows them."
NO_INBOX = "the inbox, which stores Tableau's session, is unavailable"
NO_SITE = Site(name="")


class RemoteChecks:
    """The checks of other machines, one a method. `url` is this server's public URL, or empty."""

    def __init__(self, services: Services, url: str, site: Site = NO_SITE) -> None:
        self._services = services
        self._url = url
        self._site = site
        # Whether Tableau did not respond, so that no further request to it can succeed.
        self._is_silent = False

    def of_site(self) -> list[tuple[str, Callable[[], Iterator[CheckResult]]]]:
        """Return the checks of the site with their names, in the order in which one explains the next."""
        return [
            ("tableau", self.tableau),
            *(
                (name, partial(self._if_tableau_responds, name, check))
                for name, check in (("sign-in", self.sign_in), ("webhooks", self.webhooks), ("job list", self.job_list))
            ),
        ]

    def _if_tableau_responds(self, name: str, check: Callable[[], Iterator[CheckResult]]) -> Iterator[CheckResult]:
        """Yield the results of the check, or that it was skipped because Tableau did not respond to the first one."""
        if self._is_silent:
            yield skipped(name, f"{self._site.domain} did not respond")
        else:
            yield from check()

    def tableau(self) -> Iterator[CheckResult]:
        """Check that Tableau responds, and that its clock agrees with this machine's."""
        domain = self._site.domain
        if not domain:
            yield skipped("tableau", "TABLEAU_DOMAIN is not set")
            return
        try:
            with http_session(self._services.settings.ca_bundle) as session:
                response = session.get(
                    f"{domain}/api/2.4/serverinfo",
                    headers={"Accept": "application/json"},
                    timeout=(CONNECT_SECONDS, READ_SECONDS),
                    allow_redirects=False,
                )
        except requests.exceptions.SSLError:
            self._is_silent = True
            yield failed(
                "tableau",
                f"{domain}: its certificate is not trusted",
                "If a private authority signed it, or a proxy intercepts TLS, set CA_BUNDLE.",
            )
            return
        except requests.RequestException:
            self._is_silent = True
            advice = "Is TABLEAU_DOMAIN correct? Is a proxy or firewall in between?"
            yield failed("tableau", f"{domain}: no response", advice)
            return
        if response.status_code >= 500:
            yield failed("tableau", f"{domain}: HTTP {response.status_code}", "Tableau or a gateway before it is down.")
        else:
            yield ok("tableau", f"{domain} responds")
        yield compare_clocks(response.headers.get("Date", ""), utc_now())

    def sign_in(self) -> Iterator[CheckResult]:
        """Ask Tableau for the signed-in user: a stored session alone proves nothing."""
        if self._services.settings.missing():
            yield skipped("sign-in", "credentials are not set")
            return
        try:
            client = self._services.client(self._site)
            role = client.user(client.session().user_luid).site_role
        except SignInFailed as error:
            advice = "Is the site name correct? Is the credential correct, and not expired?"
            yield failed("sign-in", str(error), advice)
            return
        except (Forbidden, NotFound):
            role = ""  # Tableau responded, so the session is valid
        except (TableauError, ValueError) as error:
            yield failed("sign-in", str(error), "")
            return
        except INBOX_ERRORS:
            yield skipped("sign-in", NO_INBOX)
            return
        if role and "Administrator" not in role:
            advice = "Webhooks and the reasons of failures require a site administrator's credentials."
            yield failed("sign-in", f"signed in, but the user's site role is {role}", advice)
        else:
            yield ok("sign-in", f"REST API {client.version}, site role {role or 'unknown'}")

    def webhooks(self) -> Iterator[CheckResult]:
        """Compare this server's webhooks in Tableau with those that the rules need."""
        if self._services.settings.missing():
            yield skipped("webhooks", "credentials are not set")
            return
        try:
            existing = list(self._services.client(self._site).webhooks())
        except Forbidden as error:
            yield failed("webhooks", str(error), "Use a site administrator's personal access token.")
            return
        except (TableauError, ValueError) as error:
            yield failed("webhooks", str(error), "Is Tableau running?" if isinstance(error, ConnectionFailed) else "")
            return
        except INBOX_ERRORS:
            yield skipped("webhooks", NO_INBOX)
            return
        try:
            desired = self._services.desired_event_types(self._site)
        except (RulesError, RegistrationError):
            yield skipped("webhooks", "the rules, which say which webhooks are needed, are invalid")
            return
        label = self._services.settings.webhook_label
        ours = [webhook for webhook in existing if is_ours(webhook, label)]
        remember_registered(self._services.inbox, self._site, registered_event_types(existing, label))
        # Without a URL to compare with, each webhook is compared with its own.
        urls = {webhook.event: self._url or webhook.url for webhook in ours}
        changes = [
            change
            for event_type in sorted({*desired, *urls})
            for change in compare(
                [webhook for webhook in ours if webhook.event == event_type],
                [event_type] if event_type in desired else [],
                url=urls.get(event_type, self._url),
                label=label,
            )
        ]
        yield from self._compared(changes)

    def _compared(self, changes: list[Change]) -> Iterator[CheckResult]:
        missing = [change.event_type for change in changes if change.kind is ChangeKind.CREATE]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            text = f"{count(len(missing), 'webhook')} {verb} missing in Tableau: {', '.join(missing)}"
            yield failed("webhooks", text, SYNC if self._url else "flask webhooks sync --url https://… creates them.")
        needed = self._services.rules.needed_by_incidents if missing else {}
        if lost := [name for name in missing if name in needed and event_type(name).refresh == "succeeded"]:
            rules = ", ".join(sorted({repr(rule) for name in lost for rule in needed[name]}))
            text = f"incidents of {rules} see recoveries in Tableau's job list only: {', '.join(lost)} missing"
            yield warning("webhooks", text, SYNC)
        pending: dict[tuple[bool, str], list[str]] = {}
        for change in changes:
            if change.kind not in {ChangeKind.CREATE, ChangeKind.KEEP}:
                reason = change.reason.removeprefix("is ")
                pending.setdefault((change.kind is ChangeKind.DELETE, reason), []).append(change.event_type)
        for (superfluous, reason), event_types in pending.items():
            # A superfluous webhook costs requests, not events.
            result = warning if superfluous else failed
            yield result("webhooks", f"{reason}: {', '.join(event_types)}", SYNC)
        if not missing and not pending:
            text = f"{count(len(changes), 'webhook')}, all enabled"
            compared = "with this server's URL" if self._url else "URLs not compared (no --url, no WEBHOOK_URL)"
            yield ok("webhooks", f"{text}, {compared}" if changes else "none needed by the rules")

    def job_list(self) -> Iterator[CheckResult]:
        """Query Tableau's job list if rules need events from it, and report the server's last failed reading."""
        services = self._services
        try:
            needed = services.desired_job_list_types(self._site)
        except (RulesError, RegistrationError):
            yield skipped("job list", "the rules, which say whether it is needed, are invalid")
            return
        if not needed:
            return
        text = describe_source(services.settings, needed)
        if obstacle(services.settings):
            missing = bool(services.settings.missing())
            yield skipped("job list", text) if missing else failed("job list", text, "Change this variable.")
            return
        try:
            recent = where("completedAt", "gte", utc_now() - JOB_LIST_WINDOW)
            next(services.client(self._site).jobs(where("status", "eq", "Failed"), recent, page_size=1), None)
            unread = job_list_problems(services.inbox, [self._site], lambda _: needed)
        except Forbidden as error:
            yield failed("job list", str(error), "Use a site administrator's personal access token.")
        except (TableauError, ValueError) as error:
            yield failed("job list", str(error), "")
        except INBOX_ERRORS:
            yield skipped("job list", NO_INBOX)
        else:
            for problem in unread:
                yield warning("job list", problem, "It is readable now; the server reads it again within minutes.")
            yield ok("job list", text)

    def notifiers(self) -> Iterator[CheckResult]:
        for kind in self._services.notifiers.configured:
            try:
                yield ok(kind, self._services.notifiers[kind].check())
            except NotifierError as error:
                yield failed(kind, str(error), f"Check its variables, then run flask notify test {kind}.")

    def destinations(self) -> Iterator[CheckResult]:
        """Look up the destinations of the rules; the check of the rules reports invalid ones."""
        with suppress(RulesError, RegistrationError):
            yield from check_destinations(self._services.rules.destinations, self._services.notifiers)

    def names(self, sites: Sequence[Site]) -> Iterator[CheckResult]:
        """Look up the names in the conditions of the rules."""
        if self._services.settings.missing():
            yield skipped("names", "credentials are not set")
            return
        with suppress(RulesError, RegistrationError):
            yield from NameChecks(self._services, sites).check(self._services.rules)

    def public_url(self) -> Iterator[CheckResult]:
        """Send a test request to the public URL, as Tableau does, and check its certificate."""
        if not self._url:
            yield skipped("address", "use --url or set WEBHOOK_URL to test the public URL")
            return
        url = mask_url(self._url)
        try:
            with closing(Sender(self._url, ca_bundle=self._services.settings.ca_bundle)) as sender:
                response = sender.post(b"{}")
        except NoResponse as error:
            yield failed("address", str(error), "Tableau probably cannot reach it either.")
        else:
            if response.status == 200 and response.content.get("status") == "test":
                yield ok("address", f"{url} responds in {formats.duration(response.seconds)}")
            elif response.status == 401:
                yield failed("address", f"{url} refuses the token", "Does that server use another WEBHOOK_TOKEN?")
            else:
                advice = "Another program than this server responds there."
                yield failed("address", f"{url}: HTTP {response.status}", advice)
        yield self._certificate()

    def _certificate(self) -> CheckResult:
        if not self._url.startswith("https://"):
            return warning("certificate", "the URL is not https", "Tableau requires https with a trusted certificate.")
        try:
            found = certificate.fetch(self._url, ca_bundle=self._services.settings.ca_bundle)
        except certificate.CertificateError as error:
            return failed("certificate", str(error), "Tableau would not deliver to it.")
        days = found.days_left(utc_now())
        text = f"trusted, expires in {count(days, 'day')} ({found.expires_at:%Y-%m-%d})"
        if days < EXPIRING_DAYS:
            return warning("certificate", text, "Renew it, or find out why it is not renewed automatically.")
        return ok("certificate", text)


def compare_clocks(date: str, now: datetime) -> CheckResult:
    """Compare Tableau's Date header, which has whole seconds, with `now`."""
    try:
        difference = abs((now - parsedate_to_datetime(date)).total_seconds())
    except (ValueError, TypeError):
        return skipped("clock", "Tableau's response has no time")
    if difference > CLOCK_SECONDS:
        advice = "Synchronize this machine's clock (NTP): connected apps cannot sign in, and times are wrong."
        return failed("clock", f"differs from Tableau's by {formats.duration(difference)}", advice)
    return ok("clock", f"within {max(1, round(difference))} s of Tableau's")


def server_url(services: Services, given: str | None) -> str:
    """Return the webhook URL from `--url` or WEBHOOK_URL, empty if neither is set. Raise ValueError if invalid."""
    url = given or services.settings.webhook_url
    return public_url(url, next(iter(services.settings.webhook_tokens()), "")) if url else ""
