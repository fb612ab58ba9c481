"""Who is signed in: one live session per personal access token, and what ends a session."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Session:
    """A token's meaning. `credential` tells which sessions exclude each other; `scopes` is None without a JWT."""

    token: str
    site: str
    user: str
    credential: str
    expires_at: datetime
    scopes: tuple[str, ...] | None = None


class Sessions:
    """The live sessions of all sites, and a count of the sign-ins by credential."""

    def __init__(self) -> None:
        self._by_token: dict[str, Session] = {}
        self.sign_ins: Counter[str] = Counter()
        self.used_jwts: dict[str, datetime] = {}

    def open(self, session: Session) -> Session:
        """Start a session. One of the same personal access token, on whichever site, ends with it."""
        if session.credential.startswith("pat:"):
            self.end(session.credential)
        self._by_token[session.token] = session
        self.sign_ins[session.credential] += 1
        return session

    def find(self, token: str, now: datetime) -> Session | None:
        """The session of a token while it lives."""
        session = self._by_token.get(token)
        if session and session.expires_at <= now:
            self.close(token)
            return None
        return session

    def close(self, token: str) -> None:
        """Sign out: whoever shares the token is signed out with it."""
        self._by_token.pop(token, None)

    def end(self, credential: str | None = None) -> int:
        """End the sessions of a credential, or of everybody; says how many there were."""
        ended = [token for token, session in self._by_token.items() if credential in (None, session.credential)]
        for token in ended:
            self.close(token)
        return len(ended)

    def live(self) -> list[Session]:
        """The sessions nobody has ended."""
        return list(self._by_token.values())


def lifetime(session: Session, now: datetime) -> str:
    """`estimatedTimeToExpiration` as Tableau writes it, H:MM:SS. For a PAT it is far beyond the session's own end."""
    left = session.expires_at - now
    if session.credential.startswith("pat:"):
        left += timedelta(days=7)
    seconds = max(0, int(left.total_seconds()))
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
