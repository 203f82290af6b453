"""The rules of sessions and tokens, told once more: no row, no lock, no query. See test_model_machine."""

from dataclasses import dataclass
from typing import NamedTuple

# In seconds, but for the last.
LEEWAY, GRACE, ACCESS, IDLE, ABSOLUTE, LIMIT = 5, 20, 300, 1200, 2400, 3


@dataclass(eq=False)
class Session:
    id: str
    began: int
    rotated: int
    last_active: int
    generation: int = 0
    # The newest generation that has surely reached its client.
    reached: int = 0
    ended: bool = False

    def expires(self) -> int:
        return min(self.rotated + IDLE, self.began + ABSOLUTE)


class Token(NamedTuple):
    raw: str
    session: Session
    generation: int
    expires: int


class Answer(NamedTuple):
    access: Token
    refresh: Token


class Model:
    def __init__(self, now: int) -> None:
        self.now = now
        self.sessions: list[Session] = []

    def refuses(self, token: Token) -> set[str]:
        """The codes a token may be refused with; none if it is good."""
        expired = token.session.expires() <= self.now
        if token.expires + LEEWAY <= self.now:
            return {"token_not_valid"}
        if token.session.ended and expired:
            # Either is true; which of them came first is not told.
            return {"session_revoked", "session_expired"}
        if token.session.ended:
            return {"session_revoked"}
        return {"session_expired"} if expired else set()

    def living(self) -> list[Session]:
        """The sessions that live, the most recently active one first."""
        alive = [s for s in self.sessions if not s.ended and s.expires() > self.now]
        return sorted(alive, key=lambda session: session.last_active, reverse=True)

    def login(self, session_id: str) -> Session:
        for session in self.living()[LIMIT - 1 :]:
            session.ended = True
        session = Session(session_id, self.now, self.now, self.now)
        self.sessions.append(session)
        return session

    def use(self, token: Token) -> None:
        """An access token did its work, so the answer that it came in was not lost."""
        session = token.session
        session.last_active = self.now
        session.reached = max(session.reached, token.generation)

    def refresh(self, token: Token) -> set[str]:
        """The codes a refresh token may be refused with; none if it has a successor."""
        session = token.session
        if codes := self.refuses(token):
            return codes
        if token.generation == session.generation:
            session.reached = session.generation
            session.generation += 1
            session.rotated = session.last_active = self.now
            return set()
        is_predecessor = token.generation == session.generation - 1
        unused = session.reached < session.generation
        if is_predecessor and (unused or self.now <= session.rotated + GRACE):
            return set()
        session.ended = True
        return {"refresh_reused"}

    def end_all(self, keep: Session | None = None) -> int:
        """End what lives but for the one to keep; how many these were."""
        ending = [session for session in self.living() if session is not keep]
        for session in ending:
            session.ended = True
        return len(ending)
