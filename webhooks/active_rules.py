"""Put the rules file into force for all processes that share an inbox, and follow what others have put into force."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from webhooks.errors import PlanningPaused, StoreUnavailable
from webhooks.inbox import RuleVersion
from webhooks.inbox.rule_versions import RuleVersions, digest
from webhooks.rules import Rules, RulesError, parse, read_text
from webhooks.rules.actions import Actions

log = logging.getLogger(__name__)

# Another process may have activated other rules; they are used within this time.
REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """Parsed rules with the version they come from; None for the file of a process that has not activated it yet."""

    rules: Rules
    version: RuleVersion | None = None


class ActiveRules:
    """The rules that this process plans by. Thread-safe.

    The newest version in the inbox is in force: whichever process plans an event, the same rules decide, also while
    servers with different files share the inbox during a deployment. `actions` returns what rules may name;
    `on_change` is called with the rules whenever this process begins to use them.
    """

    def __init__(
        self,
        path: Path,
        versions: Callable[[], RuleVersions],
        actions: Callable[[], Actions],
        *,
        max_attempts: int = 20,
        on_change: Callable[[Rules], None] = lambda _: None,
    ) -> None:
        self._path, self._versions, self._actions = path, versions, actions
        self._max_attempts, self._on_change = max_attempts, on_change
        self.source = f"{socket.gethostname()}:{path}"
        self._lock = threading.Lock()
        self._current: RulesInForce | None = None
        self._activated = False
        self._refreshed_at = -REFRESH_SECONDS
        self._unusable: int | None = None

    @property
    def rules(self) -> Rules:
        """The rules in force as this process knows them; before the first `refresh`, those of the file.

        Raises RulesError if the file is invalid and no version was activated before.
        """
        with self._lock:
            if self._current is None:
                try:
                    stored = self._versions().current()
                    self._current = RulesInForce(self._parse(stored.text), stored) if stored else None
                except (StoreUnavailable, RulesError):
                    log.debug("No stored rules can be used", exc_info=True)
            if self._current is None:
                self._current = RulesInForce(self._parse(read_text(self._path)))
            return self._current.rules

    def refresh(self) -> int | None:
        """Activate the file once, then follow other processes; return the id of the version in force.

        Raises PlanningPaused if this process cannot use that version, StoreUnavailable if the inbox cannot be read, and
        RulesError if there is neither a valid file nor a stored version.
        """
        with self._lock:
            now = time.monotonic()
            if now >= self._refreshed_at + REFRESH_SECONDS:
                current = self._current.version if self._current else None
                if not self._activated:
                    self._use(self._activate())
                    self._activated = True
                elif current is None or self._versions().current_id() != current.id:
                    # Without any version the inbox was replaced by an empty one.
                    self._use(self._versions().current() or self._activate())
                self._refreshed_at = now
            if self._unusable is not None:
                raise PlanningPaused(f"version {self._unusable} of the rules cannot be used by this server")
            return self._current.version.id if self._current and self._current.version else None

    def problems(self) -> list[str]:
        """Return why this server's file is not in force, a sentence each; they name no rule and no content.

        Raises StoreUnavailable.
        """
        found = []
        current = self._versions().current()
        try:
            text = read_text(self._path)
            parse(text, self._actions(), source=str(self._path), max_attempts=self._max_attempts)
        except RulesError:
            known = f"version {current.id} of the rules is in force" if current else "no rules are in force"
            found.append(f"The rules file is invalid; {known}.")
        else:
            if current and current.digest != digest(text):
                found.append(
                    f"The rules file differs from version {current.id} of the rules, which is in force. If the file is "
                    "right, run `flask rules activate`."
                )
        if self._unusable is not None:
            found.append(f"This server cannot use version {self._unusable} of the rules, so it plans no events.")
        return found

    def _activate(self) -> RuleVersion:
        try:
            text = read_text(self._path)
            self._parse(text)
        except RulesError as error:
            stored = self._versions().current()
            if stored is None:
                raise
            log.error("Rules file invalid, keeping the rules in force: version=%d %s", stored.id, error.in_one_line)  # noqa: TRY400 - the message lists the errors
            return stored
        version = self._versions().activate(text, self.source)
        if version.digest != digest(text):
            log.warning(
                "Rules file not in force, another server has activated other rules: version=%d source=%s. "
                "If this file is right, run `flask rules activate`",
                version.id,
                version.source,
            )
        return version

    def _use(self, version: RuleVersion) -> None:
        """Parse the version and plan by it, or pause planning if this process does not understand it."""
        if self._unusable == version.id:
            return
        try:
            rules = self._parse(version.text)
        except RulesError as error:
            self._unusable = version.id
            log.error(  # noqa: TRY400 - the message lists the errors
                "Rules in force cannot be used here, planning is paused: version=%d %s", version.id, error.in_one_line
            )
            return
        self._unusable = None
        self._current = RulesInForce(rules, version)
        log.info("Rules in force: version=%d rules=%d source=%s", version.id, len(rules.rules), version.source)
        self._on_change(rules)

    def _parse(self, text: str) -> Rules:
        return parse(text, self._actions(), source=str(self._path), max_attempts=self._max_attempts)
