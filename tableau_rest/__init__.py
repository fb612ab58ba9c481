"""A thin client of Tableau's REST API for automation: one shared session, typed results, typed errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableau_rest.lazy import lazy

if TYPE_CHECKING:
    from tableau_rest.client import Tableau as Tableau
    from tableau_rest.credentials import SCOPES as SCOPES
    from tableau_rest.credentials import ConnectedApp as ConnectedApp
    from tableau_rest.credentials import Credential as Credential
    from tableau_rest.credentials import Password as Password
    from tableau_rest.credentials import PersonalAccessToken as PersonalAccessToken
    from tableau_rest.endpoints.exports import Export as Export
    from tableau_rest.errors import AlreadyRunning as AlreadyRunning
    from tableau_rest.errors import BadRequest as BadRequest
    from tableau_rest.errors import Conflict as Conflict
    from tableau_rest.errors import ConnectionFailed as ConnectionFailed
    from tableau_rest.errors import Forbidden as Forbidden
    from tableau_rest.errors import IncompleteList as IncompleteList
    from tableau_rest.errors import InvalidResponse as InvalidResponse
    from tableau_rest.errors import MetadataError as MetadataError
    from tableau_rest.errors import NotFound as NotFound
    from tableau_rest.errors import NotIndexed as NotIndexed
    from tableau_rest.errors import NotPermitted as NotPermitted
    from tableau_rest.errors import ServerError as ServerError
    from tableau_rest.errors import SignInBusy as SignInBusy
    from tableau_rest.errors import SignInFailed as SignInFailed
    from tableau_rest.errors import StillRunning as StillRunning
    from tableau_rest.errors import TableauError as TableauError
    from tableau_rest.errors import TooManyRequests as TooManyRequests
    from tableau_rest.errors import Unauthorized as Unauthorized
    from tableau_rest.errors import UnknownUri as UnknownUri
    from tableau_rest.protocol.query import Filter as Filter
    from tableau_rest.protocol.query import where as where
    from tableau_rest.sessions.file_store import FileSessions as FileSessions
    from tableau_rest.sessions.store import MemorySessions as MemorySessions
    from tableau_rest.sessions.store import SessionStore as SessionStore

_HOMES = {
    "SCOPES": "credentials",
    "AlreadyRunning": "errors",
    "IncompleteList": "errors",
    "InvalidResponse": "errors",
    "BadRequest": "errors",
    "Conflict": "errors",
    "ConnectedApp": "credentials",
    "Credential": "credentials",
    "Export": "endpoints.exports",
    "FileSessions": "sessions.file_store",
    "Filter": "protocol.query",
    "Forbidden": "errors",
    "MemorySessions": "sessions.store",
    "MetadataError": "errors",
    "ConnectionFailed": "errors",
    "NotFound": "errors",
    "NotIndexed": "errors",
    "NotPermitted": "errors",
    "Password": "credentials",
    "PersonalAccessToken": "credentials",
    "ServerError": "errors",
    "SessionStore": "sessions.store",
    "SignInBusy": "errors",
    "SignInFailed": "errors",
    "StillRunning": "errors",
    "Tableau": "client",
    "TableauError": "errors",
    "TooManyRequests": "errors",
    "Unauthorized": "errors",
    "UnknownUri": "errors",
    "where": "protocol.query",
}
__all__ = list(_HOMES)
__getattr__ = lazy(__name__, _HOMES)
