"""Who may use a server, and how many tokens each may spend."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from collegium.errors import BadInput, CollegiumError
from collegium.kernel import Limits
from collegium.kernel.limits import MIN_COMPLETION, Meter

LEAST_TOKEN = 16
"""Fewest characters of a token: a shorter one can be guessed."""

DID = "did:wba:"


class Unauthorised(CollegiumError):
    """A request has no token, or one that nobody was given."""


class QuotaExceeded(CollegiumError):
    """A client has used up the tokens it may spend."""


class Client:
    """Somebody who uses a server.

    Args:
        name: As it stands in traces.
        budget: Tokens that all its runs may spend together; None: any number.

    Attributes:
        meter: An interceptor for each of its runs. It counts them all, and reserves before it
            lets a call through, so that runs side by side cannot overdraw the budget together.
    """

    def __init__(self, name: str, budget: int | None = None) -> None:
        self.name, self.budget = name, budget
        self.meter = Meter(Limits(tokens=budget))

    @property
    def spent(self) -> int:
        """Tokens its runs have spent."""
        return self.meter.usage.tokens

    def admit(self) -> None:
        """Make sure that there is something left to spend.

        Raises:
            QuotaExceeded: There is not.
        """
        if self.budget is not None and self.budget - self.spent < MIN_COMPLETION:
            raise QuotaExceeded(
                f"client {self.name!r} has spent {self.spent:,} of its {self.budget:,} tokens."
            )


class Clients:
    """All clients, by token; the tokens themselves are not kept.

    Args:
        tokens: Name and budget by token; none: everybody who can reach the server is the one
            client "local".
        dids: Budgets by decentralised identifier, for those who sign their requests. None at all
            and no tokens either: whoever signs may come.
        budget: Tokens for everybody who has no budget of its own.

    Attributes:
        local: Whoever started the server, and is not asked for a token.
    """

    def __init__(
        self,
        tokens: Mapping[str, tuple[str, int | None]] | None = None,
        *,
        dids: Mapping[str, int | None] | None = None,
        budget: int | None = None,
    ) -> None:
        if budget is not None and budget < 1:
            raise BadInput(f"a budget of tokens must be above 0, not {budget}.")
        self._budget = budget
        named: dict[str, Client] = {}  # who has several tokens has one purse
        self._by_digest = {
            sha256(token.encode()).digest(): named.setdefault(name, Client(name, own or budget))
            for token, (name, own) in (tokens or {}).items()
        }
        self._by_did = {did: Client(did, own or budget) for did, own in (dids or {}).items()}
        self._named = frozenset(self._by_did)
        self.local = Client("local", budget)

    @property
    def wants_token(self) -> bool:
        """Whether a request needs a token."""
        return bool(self._by_digest)

    @property
    def wants_did(self) -> bool:
        """Whether only certain identifiers may come."""
        return bool(self._named)

    def by_token(self, token: str | None) -> Client:
        """The client whose token this is.

        Raises:
            Unauthorised: It is nobody's.
        """
        if not self._by_digest:
            return self.local
        digest = sha256((token or "").encode()).digest()
        found = None
        for known, client in self._by_digest.items():  # all of them: time tells nothing
            if hmac.compare_digest(known, digest):
                found = client
        if found is None:
            what = "no token" if not token else "a token that is not known here"
            raise Unauthorised(f"the request has {what}; send 'Authorization: Bearer TOKEN'.")
        return found

    def by_did(self, did: str) -> Client:
        """The client that has proved to be this identifier.

        Raises:
            Unauthorised: It was not let in.
        """
        if did not in self._by_did:
            if self._named or self._by_digest:
                raise Unauthorised(f"{did} is not among those who may use this server.")
            self._by_did[did] = Client(did, self._budget)
        return self._by_did[did]


def read_clients(path: Path, budget: int | None = None) -> Clients:
    """Read a file of clients: a line is ``NAME TOKEN [BUDGET]``; ``#`` begins a comment.

    In place of a token may stand a decentralised identifier, ``did:wba:...``: its owner signs
    requests. A file that is one token alone names the client "client".

    Args:
        path: The file.
        budget: Tokens for those whose line says no number.

    Raises:
        BadInput: The file cannot be read, or a line has another form (no token is repeated).
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"cannot read the token file {path}: {reason}.") from None
    tokens: dict[str, tuple[str, int | None]] = {}
    dids: dict[str, int | None] = {}
    for number, fields in _lines(text):
        name, token, own = _client(path, number, fields)
        if token.startswith(DID):
            dids[token] = own
        elif len(token) < LEAST_TOKEN:
            raise BadInput(
                f"{path}, line {number}: the token of {name!r} is shorter than {LEAST_TOKEN} "
                "characters and could be guessed."
            )
        else:
            tokens[token] = (name, own)
    if not tokens and not dids:
        raise BadInput(f"{path} names no client; write lines of NAME TOKEN [BUDGET].")
    return Clients(tokens, dids=dids, budget=budget)


def _lines(text: str) -> Iterable[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition("#")[0].split()
        if fields:
            yield number, fields


def _client(path: Path, number: int, fields: list[str]) -> tuple[str, str, int | None]:
    if len(fields) == 1:
        return "client", fields[0], None
    if len(fields) == 2:
        return fields[0], fields[1], None
    if len(fields) == 3 and fields[2].isdecimal() and int(fields[2]):
        return fields[0], fields[1], int(fields[2])
    raise BadInput(f"{path}, line {number}: expected NAME TOKEN [BUDGET], a budget in tokens.")
