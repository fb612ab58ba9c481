"""Put the rules file into force for all processes that share an inbox, and follow what others have put into force."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from webhooks.errors import PlanningPaused, StoreUnavailable
from webhooks.inbox import RuleVersion
from webhooks.inbox.server.rule_versions import RuleVersions, digest
from webhooks.rules import Rules, RulesError, RulesSource, parse
from webhooks.rules.actions import Actions
from webhooks.rules.watch import FileState, RulesFile

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
    `on_change` is called with the rules whenever this process begins to use them. The rules change in `refresh` only,
    so the thread that calls it and plans has the rules of one version until its next call.
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
        self._file = RulesFile(path, self._parse)
        self._lock = threading.Lock()
        self._current: RulesInForce | None = None
        # What this process has to activate: its file when it starts, and then each change of it.
        self._pending: FileState | None = None
        self._started = False
        self._refreshed_at = self._followed_at = -REFRESH_SECONDS
        self._unusable: int | None = None

    @property
    def rules(self) -> Rules:
        """The rules in force as this process knows them; before the first `refresh`, those of the file.

        Raises RulesError if the file is invalid and no version was activated before.
        """
        with self._lock:
            now = time.monotonic()
            # A process without a worker never calls `refresh`.
            if self._current is None or (not self._started and now >= self._followed_at + REFRESH_SECONDS):
                self._followed_at = now
                try:
                    self._follow()
                except (StoreUnavailable, RulesError):
                    log.debug("No stored rules can be used", exc_info=True)
            if self._current is None:
                self._current = RulesInForce(self._parse(self._valid_source(self._file.read())))
            return self._current.rules

    def watch(self, stopping: threading.Event, wake: Callable[[], None]) -> None:
        """Let `refresh` activate each change of the file, until `stopping` is set; `wake` has it called soon."""

        def changed(state: FileState) -> None:
            if state.error is not None:
                self._report_invalid(state.error)
                return
            with self._lock:
                self._pending, self._refreshed_at = state, -REFRESH_SECONDS
            wake()

        self._file.watch(stopping, changed)

    def refresh(self) -> int | None:
        """Activate what has changed in the file, follow other processes, and return the id of the version in force.

        Raises PlanningPaused if this process cannot use that version, StoreUnavailable if the inbox cannot be read, and
        RulesError if there is neither a valid file nor a stored version.
        """
        with self._lock:
            now = time.monotonic()
            if now >= self._refreshed_at + REFRESH_SECONDS:
                current = self._current.version if self._current else None
                if not self._started or self._pending is not None:
                    self._use(self._activate(self._pending or self._file.read()))
                    self._started, self._pending = True, None
                elif current is None or self._versions().current_id() != current.id:
                    # Without any version the inbox was replaced by an empty one.
                    stored = self._versions().current()
                    if stored is not None and stored.source != self.source:
                        self._warn_of_difference(stored, self._file.current().source)
                    self._use(stored or self._activate(self._file.current()))
                self._refreshed_at = now
            if self._unusable is not None:
                raise PlanningPaused(f"version {self._unusable} of the rules cannot be used by this server")
            return self._current.version.id if self._current and self._current.version else None

    def problems(self, in_force: RuleVersion | None = None) -> list[str]:
        """Return why this server's file is not in force, a sentence each; they name no rule and no content.

        The version in force is read unless it is given. Raises StoreUnavailable.
        """
        if not self._started:
            with suppress(RulesError):
                self.rules  # noqa: B018 - finds whether the version in force can be used
        found = []
        current, state = in_force or self._versions().current(), self._file.current()
        if state.source is None or state.error is not None:
            known = f"version {current.id} of the rules is in force" if current else "no rules are in force"
            found.append(f"The rules file is invalid; {known}. Run `flask rules check`.")
        elif current and current.digest != digest(state.source.text, state.source.included):
            found.append(
                f"The rules file differs from version {current.id} of the rules, which is in force. If the file is "
                "right, run `flask rules activate`."
            )
        if self._unusable is not None:
            found.append(f"This server cannot use version {self._unusable} of the rules, so it plans no events.")
        return found

    def _activate(self, state: FileState) -> RuleVersion:
        try:
            source = self._valid_source(state)
        except RulesError as error:
            stored = self._versions().current()
            if stored is None:
                raise
            self._report_invalid(error, stored)
            return stored
        version = self._versions().activate(source.text, self.source, included=source.included)
        self._warn_of_difference(version, source)
        return version

    def _warn_of_difference(self, version: RuleVersion, own: RulesSource | None) -> None:
        """Log that this server's file is not in force, if the version in force has other rules."""
        if own is not None and version.digest != digest(own.text, own.included):
            log.warning(
                "Rules file not in force, another server has activated other rules: version=%d source=%s. "
                "If this file is right, run `flask rules activate`",
                version.id,
                version.source,
            )

    def _valid_source(self, state: FileState) -> RulesSource:
        if state.error is not None or state.source is None:
            raise state.error or RulesError(str(self._path), [])
        return state.source

    def _report_invalid(self, error: RulesError, version: RuleVersion | None = None) -> None:
        version = version or (self._current.version if self._current else None)
        number = version.id if version else 0
        log.error("Rules file invalid, keeping the rules in force: version=%d %s", number, error.in_one_line)

    def _follow(self) -> None:
        """Use the version in force without activating the file, if there is one."""
        known = self._current.version if self._current else None
        if known is None or self._versions().current_id() != known.id:
            stored = self._versions().current()
            if stored is None:
                return
            self._unusable = stored.id
            self._current = RulesInForce(self._parse(_source_of(stored)), stored)
        self._unusable = None

    def _use(self, version: RuleVersion) -> None:
        """Parse the version and plan by it, or pause planning if this process does not understand it."""
        if self._unusable == version.id and self._started:
            return
        if self._current is not None and self._current.version == version and self._started:
            return
        try:
            rules = self._parse(_source_of(version))
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

    def _parse(self, source: RulesSource) -> Rules:
        return parse(source, self._actions(), max_attempts=self._max_attempts)


def _source_of(version: RuleVersion) -> RulesSource:
    return RulesSource(version.text, version.included, version.source.partition(":")[2] or version.source)
