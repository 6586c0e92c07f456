"""Who may do what with an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from namely_link.bearers import Kind
from namely_link.model import timestamp
from namely_link.problems import Problem, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from namely_link.bearers import Bearer
    from namely_link.model import ApiKey

SCOPES: Final = ("link", "sessions", "read", "manage")
"""`link` accounts, make connect `sessions`, `read` accounts, `manage` (change, unlink) them."""


class Keys(Protocol):
    """Where API keys are kept."""

    def key(self, key_id: str) -> ApiKey | None:
        """Read an API key; raises StorageError."""


def authorised(keys: Keys, bearer: Bearer, *, scope: str, now: datetime) -> ApiKey:
    """Return the API key that the bearer is, if it has the scope.

    Raises:
        Problem: unauthorized, forbidden.
    """
    if bearer.kind is not Kind.API_KEY:
        raise Problem(Reason.FORBIDDEN)
    key = keys.key(bearer.id)
    if key is None or key.revoked or (key.expires_at and key.expires_at <= timestamp(now)):
        raise Problem(Reason.UNAUTHORIZED)
    if scope not in key.scopes:
        raise Problem(Reason.FORBIDDEN)
    return key
