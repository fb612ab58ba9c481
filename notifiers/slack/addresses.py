"""Check whether the channels and people that messages go to exist in Slack, and whether the app may post there.

Only reading methods are called, so no message is sent:
https://docs.slack.dev/reference/methods/conversations.list, conversations.info, users.lookupByEmail and users.info
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from notifiers.errors import NotifierError
from notifiers.notifier import AddressCheck
from notifiers.slack.client import Client
from notifiers.slack.errors import Refusal
from notifiers.text import one_line
from notifiers.transport import Timeouts

CHECK_TIMEOUTS = Timeouts(connect=5.0, step=10.0, total=10.0)
# Addresses that are checked one by one, each with one call.
MAX_SINGLE = 20
# Pages of a list of channels, and channels on a page; the limit must be under 1000.
MAX_PAGES, PAGE_SIZE = 10, 999
# The kinds of channels that have names, each with the scope that shows them.
CHANNEL_SCOPES = {"public_channel": "channels:read", "private_channel": "groups:read"}
MISSING = {
    "channel_not_found": "no such channel, or a private one that the app was not invited to",
    "users_not_found": "this workspace has no user with that e-mail address",
    "user_not_found": "no such user",
}

Channel = Mapping[str, Any]


class AddressChecker:
    """Checks addresses with at most 20 calls for single ones and 20 for the lists of channels."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._listed: dict[str, Channel] = {}
        # Why the lists may lack a channel; empty if they are complete.
        self._gaps: list[str] | None = None

    def check(self, addresses: Sequence[str]) -> Iterator[AddressCheck]:
        """Yield a result per address. After a failure that is not about the address, the others are not looked up."""
        reason, single = "", 0
        for address in addresses:
            single += not address.startswith("#")
            if single > MAX_SINGLE:
                reason = reason or f"only {MAX_SINGLE} addresses that are not #names are looked up"
            if reason:
                yield AddressCheck(address, None, f"not checked: {reason}")
                continue
            try:
                yield self._check(address)
            except NotifierError as error:
                name = error.name if isinstance(error, Refusal) else ""
                if name in MISSING:
                    yield AddressCheck(address, False, MISSING[name])
                elif isinstance(error, Refusal) and name == "missing_scope":
                    yield AddressCheck(address, None, f"cannot be checked without the scope {error.needed}")
                else:
                    reason = one_line(str(error))
                    yield AddressCheck(address, None, f"not checked: {reason}")

    def _check(self, address: str) -> AddressCheck:
        if address.startswith("#"):
            return self._check_name(address)
        if "@" in address:
            self._client.user_id(address)
            return AddressCheck(address, True, "a user of this workspace has that address")
        if address[0] in "UW":
            user = _mapping(self._client.users_info(user=address).get("user"))
            deleted = user.get("deleted") is True
            return AddressCheck(address, not deleted, "the user was deactivated" if deleted else "the user exists")
        response = self._client.conversations_info(channel=address)
        return self._channel_check(address, _mapping(response.get("channel")), response.headers)

    def _check_name(self, address: str) -> AddressCheck:
        if self._gaps is None:
            self._gaps = []
            for kind in CHANNEL_SCOPES:
                self._list(kind)
        if address in self._listed:
            channel = self._listed[address]
            return self._channel_check(address, channel, channel["headers"])
        if self._gaps:
            return AddressCheck(address, None, f"not found, but {' and '.join(self._gaps)}")
        similar = get_close_matches(address, self._listed, n=1, cutoff=0.7)
        advice = f"; did you mean {similar[0]}?" if similar else ""
        return AddressCheck(address, False, f"{MISSING['channel_not_found']}{advice}")

    def _list(self, kind: str) -> None:
        """Add the channels of a kind to the list. Raises NotifierError, but for a scope that is missing."""
        gaps = self._gaps if self._gaps is not None else []
        cursor = ""
        for _ in range(MAX_PAGES):
            try:
                page = self._client.conversations_list(types=kind, limit=PAGE_SIZE, cursor=cursor or None)
            except Refusal as error:
                if error.name != "missing_scope":
                    self._gaps = None
                    raise
                words = kind.partition("_")[0]
                gaps.append(f"{words} channels cannot be checked without the scope {error.needed}")
                return
            found = page.get("channels")
            for channel in map(_mapping, found if isinstance(found, list) else ()):
                self._listed[f"#{channel.get('name')}"] = {**channel, "headers": page.headers}
            cursor = str(_mapping(page.get("response_metadata")).get("next_cursor") or "")
            if not cursor:
                return
        gaps.append(f"the workspace has more than {MAX_PAGES * PAGE_SIZE} channels; write its id (C…) instead")

    def _channel_check(self, address: str, channel: Channel, headers: Mapping[str, str]) -> AddressCheck:
        if channel.get("is_archived") is True:
            return AddressCheck(address, False, "the channel is archived")
        if channel.get("is_member") is True or channel.get("is_im") is True:
            return AddressCheck(address, True, "the app may post there")
        granted = {scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")}
        if "chat:write.public" in granted and channel.get("is_private") is not True:
            text = "the app may post there, but it is not a member: it cannot add pictures"
            return AddressCheck(address, True, text)
        text = "the app is not a member of the channel; invite it: /invite @its-name"
        return AddressCheck(address, False, text)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
