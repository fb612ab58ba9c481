"""A thin client of Tableau's REST API for automation: one shared session, honest errors, typed results."""

from __future__ import annotations

from tableau_rest.client import Tableau
from tableau_rest.credentials import SCOPES, ConnectedApp, Credential, Password, PersonalAccessToken
from tableau_rest.errors import (
    AlreadyRunning,
    BadAnswer,
    BadRequest,
    Conflict,
    Forbidden,
    MetadataError,
    NoAnswer,
    NotFound,
    NotIndexed,
    ServerFault,
    SignInBusy,
    SignInFailed,
    StillRunning,
    TableauError,
    TooManyRequests,
    Unauthorized,
    UnknownUri,
)
from tableau_rest.query import Filter, where
from tableau_rest.store import FileSessions, MemorySessions, SessionStore

__all__ = [
    "SCOPES",
    "AlreadyRunning",
    "BadAnswer",
    "BadRequest",
    "Conflict",
    "ConnectedApp",
    "Credential",
    "FileSessions",
    "Filter",
    "Forbidden",
    "MemorySessions",
    "MetadataError",
    "NoAnswer",
    "NotFound",
    "NotIndexed",
    "Password",
    "PersonalAccessToken",
    "ServerFault",
    "SessionStore",
    "SignInBusy",
    "SignInFailed",
    "StillRunning",
    "Tableau",
    "TableauError",
    "TooManyRequests",
    "Unauthorized",
    "UnknownUri",
    "where",
]
