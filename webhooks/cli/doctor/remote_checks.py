"""What `flask doctor` looks at elsewhere: Tableau, our webhooks there, the notifiers, our own address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime

import requests

from notifiers import NotifierError
from tableau_rest import ConnectionFailed, Forbidden, SignInFailed, TableauError
from webhooks.cli.doctor.finding import Finding, failed, ok, skipped, warning
from webhooks.cli.doctor.local_checks import INBOX_FAULTS
from webhooks.cli.trigger.post import NoResponse, Sender
from webhooks.clock import utc_now
from webhooks.config.site import Site
from webhooks.monitor import certificate
from webhooks.registration import Change, ChangeKind, compare, is_ours
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services
from webhooks.views import formats
from webhooks.webhook_url import mask_url, public_url

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
CLOCK_SECONDS = 30
SOON_DAYS = 21
SYNC = "flask webhooks sync makes it right; --dry-run only shows what it would do."
NOWHERE = Site(name="")


class Outside:
    """The checks of what is elsewhere, one a method. `url` is our address as Tableau sees it, or empty; what is asked
    of Tableau is asked of `site`."""

    def __init__(self, services: Services, url: str, site: Site = NOWHERE) -> None:
        self._services = services
        self._url = url
        self._site = site

    def tableau(self) -> Iterator[Finding]:
        """Whether anything answers, what it is, and what time it has."""
        domain = self._site.domain
        if not domain:
            yield skipped("tableau", "TABLEAU_DOMAIN is not set")
            return
        try:
            answer = requests.get(
                f"{domain}/api/2.4/serverinfo",
                headers={"Accept": "application/json"},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            why = "its certificate is not trusted" if isinstance(error, requests.exceptions.SSLError) else "no answer"
            yield failed(
                "tableau", f"{domain}: {why}", "Is TABLEAU_DOMAIN right? Does a proxy or firewall stand between?"
            )
            return
        if answer.status_code >= 500:
            yield failed(
                "tableau", f"{domain} answers {answer.status_code}", "Tableau, or a gateway before it, is down."
            )
        else:
            yield ok("tableau", f"{domain} answers")
        yield from self._clock(answer.headers.get("Date", ""))

    def _clock(self, date: str) -> Iterator[Finding]:
        """Against the Date header, which has whole seconds."""
        try:
            off = abs((utc_now() - parsedate_to_datetime(date)).total_seconds())
        except (ValueError, TypeError):
            yield skipped("clock", "Tableau does not say what time it is")
            return
        if off > CLOCK_SECONDS:
            advice = "Set the clock (NTP): connected apps cannot sign in, and times in messages are wrong."
            yield failed("clock", f"{formats.duration(off)} apart from Tableau's", advice)
        else:
            yield ok("clock", f"within {max(1, round(off))} s of Tableau's")

    def sign_in(self) -> Iterator[Finding]:
        if self._services.settings.missing():
            yield skipped("sign-in", "credentials are not set")
            return
        try:
            session = self._services.client(self._site).session()
        except SignInFailed as error:
            yield failed("sign-in", str(error), "Is the credential right, and not expired? Is the site's name right?")
            return
        except (TableauError, ValueError) as error:
            yield failed("sign-in", str(error), "")
            return
        except INBOX_FAULTS:
            yield skipped("sign-in", "the inbox, where the session is kept, cannot be used")
            return
        role = self._role(session.user_luid)
        if role and "Administrator" not in role:
            advice = "Webhooks and the reasons of failures are for site administrators: use a token of one."
            yield failed("sign-in", f"signed in, but the user's role is {role}", advice)
        else:
            yield ok("sign-in", f"REST API {self._services.client(self._site).version}, {role or 'role not told'}")

    def _role(self, user: str) -> str:
        try:
            return self._services.client(self._site).user(user).site_role
        except TableauError:
            return ""

    def webhooks(self) -> Iterator[Finding]:
        if self._services.settings.missing():
            yield skipped("webhooks", "credentials are not set")
            return
        try:
            there = list(self._services.client(self._site).webhooks())
        except Forbidden as error:
            yield failed("webhooks", str(error), "Sign in with the personal access token of a site administrator.")
            return
        except (TableauError, ValueError) as error:
            yield failed("webhooks", str(error), "" if not isinstance(error, ConnectionFailed) else "Is Tableau up?")
            return
        except INBOX_FAULTS:
            yield skipped("webhooks", "the inbox, where the session is kept, cannot be used")
            return
        try:
            wanted = self._services.wanted(self._site)
        except (RulesError, RegistrationError):
            yield skipped("webhooks", "the rules do not say which ones are needed")
            return
        label = self._services.settings.webhook_label
        if not self._url:
            count = sum(is_ours(one, label) for one in there)
            yield skipped("webhooks", f"{count} of ours are there; with --url or WEBHOOK_URL they are compared")
            return
        steps = compare(there, wanted, url=self._url, label=label)
        wrong = [step for step in steps if step.kind is not ChangeKind.KEEP]
        for step in wrong:
            yield failed("webhooks", _wrong(step), SYNC)
        if not wrong:
            yield ok("webhooks", f"{formats.count(len(steps), 'webhook')}, all enabled and pointing at us")

    def notifiers(self) -> Iterator[Finding]:
        for kind in self._services.notifiers.configured:
            try:
                yield ok(kind, self._services.notifiers[kind].check())
            except NotifierError as error:
                yield failed(kind, str(error), f"Look at its variables; flask notify test {kind} tries it.")

    def address(self) -> Iterator[Finding]:
        if not self._url:
            yield skipped("address", "give --url or set WEBHOOK_URL to have it tried")
            return
        shown = mask_url(self._url)
        try:
            with closing(Sender(self._url)) as sender:
                answer = sender.post(b"")
        except NoResponse as error:
            yield failed("address", str(error), "Tableau could not reach it either, if it takes the same way.")
        else:
            if answer.status == 200 and answer.content.get("status") == "test":
                yield ok("address", f"{shown} answers in {formats.duration(answer.seconds)}")
            elif answer.status == 401:
                yield failed("address", f"{shown} refuses the token", "Does that server have another WEBHOOK_TOKEN?")
            else:
                yield failed("address", f"{shown} answers {answer.status}", "Something else than this server is there.")
        yield from self._certificate()

    def _certificate(self) -> Iterator[Finding]:
        if not self._url.startswith("https://"):
            yield warning(
                "certificate", "the address is not https", "Tableau asks for https with a trusted certificate."
            )
            return
        try:
            shown = certificate.fetch(self._url)
        except certificate.CertificateError as error:
            yield failed("certificate", str(error), "Tableau would not deliver to it.")
            return
        days = shown.days_left(utc_now())
        text = f"trusted, expires in {formats.count(days, 'day')} ({shown.expires_at:%Y-%m-%d})"
        if days < SOON_DAYS:
            yield warning("certificate", text, "Renew it, or find out why it does not renew itself.")
        else:
            yield ok("certificate", text)


def _wrong(step: Change) -> str:
    return f"{step.event_type}: {step.reason}"


def our_address(services: Services, given: str | None) -> str:
    """The hook's URL from `--url` or WEBHOOK_URL; empty without either. Raises ValueError."""
    url = given or services.settings.webhook_url
    return public_url(url, next(iter(services.settings.webhook_tokens()), "")) if url else ""
