"""Sessions: one live session per personal access token, and the sign-outs that end them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Session:
    """A signed-in user. Sessions of one PAT `credential` exclude each other; `scopes` is None without a JWT."""

    token: str
    site: str
    user: str
    credential: str
    expires_at: datetime
    scopes: tuple[str, ...] | None = None


class Sessions:
    """The live sessions of all sites, and the number of sign-ins by credential."""

    def __init__(self) -> None:
        self._by_token: dict[str, Session] = {}
        self.sign_ins: Counter[str] = Counter()
        self.used_jwts: dict[str, datetime] = {}

    def open(self, session: Session) -> Session:
        """Start a session. It ends any other session of the same personal access token, on every site."""
        if session.credential.startswith("pat:"):
            self.end(session.credential)
        self._by_token[session.token] = session
        self.sign_ins[session.credential] += 1
        return session

    def find(self, token: str, now: datetime) -> Session | None:
        """Return the session of a token unless it has expired."""
        session = self._by_token.get(token)
        if session and session.expires_at <= now:
            self.close(token)
            return None
        return session

    def close(self, token: str) -> None:
        """Sign out; every client that shares the token is signed out."""
        self._by_token.pop(token, None)

    def end(self, credential: str | None = None) -> int:
        """End the sessions of a credential, or all sessions, and return their number."""
        ended = [token for token, session in self._by_token.items() if credential in (None, session.credential)]
        for token in ended:
            self.close(token)
        return len(ended)

    def live(self) -> list[Session]:
        """Return the sessions that were not ended."""
        return list(self._by_token.values())


def lifetime(session: Session, now: datetime) -> str:
    """Return `estimatedTimeToExpiration` as H:MM:SS. For a PAT, Tableau gives far more than the session lasts."""
    left = session.expires_at - now
    if session.credential.startswith("pat:"):
        left += timedelta(days=7)
    seconds = max(0, int(left.total_seconds()))
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
