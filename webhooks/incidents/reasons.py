"""Classify the reasons of failed refreshes, which are in Tableau's and the databases' words, and advise. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

ReasonClass = Literal[
    "credentials",
    "OAuth expired",
    "network",
    "time-out",
    "disk or quota",
    "schema change",
    "Bridge offline",
    "cancelled",
    "licence",
    "unknown",
]

# Characters of a reason that are read.
MAX_READ = 5000

# One sentence each, for a message.
ADVICE: Mapping[ReasonClass, str] = MappingProxyType(
    {
        "credentials": "Check the user name and password that are embedded in the data source.",
        "OAuth expired": "Sign in to the data source again and embed the new credentials.",
        "network": "Check that the database is running and that Tableau can reach it.",
        "time-out": "Make the extract smaller or incremental, or refresh it when the database is less busy.",
        "disk or quota": "Free space, or raise the quota, on the site or on the server that the reason names.",
        "schema change": "Publish the content again after correcting the table or column that the reason names.",
        "Bridge offline": "Start the Tableau Bridge client that serves this data source, and check its connection.",
        "cancelled": "Start the refresh again if the cancellation was not intended.",
        "licence": "Check the licence of Tableau or of the database driver.",
        "unknown": "Read the reason, and the log of the job in Tableau.",
    }
)


# In these phrases a space is any white space, `~` a gap of at most 60 characters, (a|b) alternatives, and `?` makes the
# group before it optional; the rest is literal, so a search takes linear time. The first class with a phrase in the
# reason decides: an expired OAuth token is also a failed sign-in, and drivers report a time-out as a lost connection.
_PHRASES: Mapping[ReasonClass, tuple[str, ...]] = {
    "cancelled": (
        "(job|task|refresh|query|statement|operation) (was |has been )?(canceled|cancelled)",
        "(canceled|cancelled) (by|because|on user|at the request)",
        "canceling statement due to user request",
        "aborted by (user|an admin)",
    ),
    "Bridge offline": (
        "bridge( |: )~(offline|not connected|not running|disconnected|unavailable|not available)",
        "bridge( |: )~(unable|could not|cannot)",
        "bridge( |: )~(failed to|no client|not reachable|timed out)",
        "no (available |connected )?(tableau )?bridge",
        "remote agent ~(offline|not available|unavailable|not connected)",
    ),
    "OAuth expired": (
        "oauth",
        "invalid_grant",
        "(access|refresh|bearer|id|security|authentication)( |_|-)token ~(expired|invalid|revoked|not valid|missing)",
        "token (has |is |was )?(been )?(expired|revoked)",
        "expired (access |refresh |authentication )?token",
        "(aadsts50173|aadsts70008|aadsts700082|aadsts700084|aadsts50078)",
    ),
    "licence": (
        "(license|licence) ~(expired|invalid|missing|exceeded|not found|not valid|not available|required|limit)",
        "(no|invalid|expired|without a|valid) (valid )?(license|licence)",
        "(unlicensed|not licensed|not licenced)",
    ),
    "time-out": (
        "(time out|timed out|time-out|timeout|timelimit|time limit|querylimit|deadline exceeded)",
        "exceeded ~(seconds|minutes|hours|duration|run time|runtime)",
        "maximum (allowed )?(run time|runtime|duration)",
        "time resource limit",
    ),
    "disk or quota": (
        "no space left",
        "disk (is |was )?full",
        "(not enough|insufficient|out of|low on) (free |available )?(disk |storage |temp |temporary )?(space|memory)",
        "(storage|disk|space|site|file size|memory|extract) (quota|limit)",
        "quota ~(exceeded|exceeds|reached|full)",
        "(exceeded|exceeds|exceed|over) ~quota",
        "outofmemoryerror",
        "(ora-01652|ora-01653|ora-01654|ora-01688|ora-01691|ora-30036)",
        "could not (extend|write to|write block) ~file",
        "(tempdb|transaction log|filegroup|tablespace|temporary files?|drive|volume|device) ~(full|space|exceeds)",
        "no more spool space",
        "resources exceeded",
        "maximum (file|extract|allowed) size",
        "too large",
    ),
    "schema change": (
        "(column|table|relation|view|field|schema|object|dataset) ~(not exist|doesn't exist|not found|be found)",
        "(column|table|relation|view|field|schema|object) ~(missing|no longer|renamed|removed|deleted|dropped)",
        "(procedure|function|sheet|worksheet) ~(not exist|doesn't exist|not found|be found|missing|no longer)",
        "(column|table|field|identifier) ~(not recognized|not recognised|is gone|unknown|invalid|ambiguous)",
        "(database|catalog|file|folder|bucket) ~(does not exist|doesn't exist|not exist|not found|be found|no longer)",
        "(no such|unknown|undefined|missing|invalid) (column|table|object|relation|field|view|identifier|schema)",
        "(no such|unknown|invalid) (database|file|object name|column name|sheet)",
        "cannot find the (column|table|file|object|field)",
        "(ora-00904|ora-00942|42p01|42703|42s02|42s22)",
        "(type mismatch|data type|datatype)",
    ),
    "credentials": (
        "(invalid|incorrect|wrong|bad|missing|no) (embedded )?(username|user name|user|password|credential|login)",
        "(login|logon|sign-in|sign in|signin|authentication|authorization|password) ~(failed|failure|denied|rejected)",
        "(login|password|credentials|account|user|key) ~(expired|locked|disabled|incorrect|not embedded|not accepted)",
        "(failed|unable|cannot|could not) (to )?(authenticate|log in|login|log on|sign in|verify the credentials)",
        "(username|user name|user id|user) (or|and|and/or) password",
        "(embedded|prompt for|stored|saved|database|valid|your) credentials",
        "(access|permission) (is |was )?denied",
        "(not authorized|not authorised|unauthorized|unauthorised|forbidden)",
        "(http|status|error|code) (code |status )?(401|403)",
        "insufficient (privilege|permission|access)",
        "does not have (permission|access|privilege|the privilege|sufficient)",
        "(ora-01017|ora-28000|ora-28001|ora-01031|ora-01045|28p01)",
        "kerberos",
    ),
    "network": (
        "(unable|failed|could not|cannot|can't|couldn't) (to )?(be )?(connect|reach|resolve|establish|contact|open)",
        "connection ~(refused|reset|closed|lost|dropped|broken|terminated|failed|failure|aborted|unavailable|error)",
        "(lost|broken|closed|no|closed the|lost the) connection",
        "(unknown host|unknownhost|name or service not known|no route to host|host not found)",
        "(network|socket|dns|handshake|certificate|ssl error|tls error|link failure|bad gateway)",
        "(host|server|service|database|cluster|warehouse) ~(unreachable|unavailable|not available|not reachable)",
        "(host|server|service|database|cluster|warehouse) (is |was )?(currently )?(down|offline|not running|busy)",
        "(08001|08s01|08006|ora-12154|ora-12170|ora-12505|ora-12514|ora-12541|ora-03113|ora-03135)",
        "(http|status|error|code) (code |status )?(502|503|504)",
        "too many connections",
    ),
}


@cache
def _pattern(name: ReasonClass) -> re.Pattern[str]:
    """Return the pattern of a class, compiled on first use: commands that list events classify nothing."""
    return re.compile("|".join(rf"\b(?:{phrase})" for phrase in _PHRASES[name]).replace("~", ".{0,60}"))


def classify(reason: str) -> ReasonClass:
    """Return the class of a reason; "unknown" if its words give none."""
    text = " ".join(reason[:MAX_READ].lower().split())
    return next((name for name in _PHRASES if _pattern(name).search(text)), "unknown")
