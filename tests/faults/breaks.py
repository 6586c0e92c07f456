"""The product, broken on purpose in one place: unless that is noticed, the rest proves nothing."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from namely_link.aws.registry import DynamoDbRegistry

from namely_link.aws import registry
from namely_link.aws.vault import SecretsManagerVault
from namely_link.commands import link
from namely_link.commands.check import Checker
from namely_link.commands.sweep import Sweeper
from namely_link.domain.account import SecretVersion, Token
from namely_link.domain.problems import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Break:
    """What is broken, in which scenario or pair it must be noticed, and as what."""

    name: str
    scenario: str
    invariant: str
    apply: Callable[[ExitStack], object]


def _commit_first(command: Any, permit: Any, account: Any, attempt: Any, *rest: Any) -> Any:
    after, what, ports = rest
    version = SecretVersion(account.secret_name, attempt.id)
    after = replace(after, secret=version, token_hint=command.credential.token.hint)
    committed = link._commit_row(command, permit, account, attempt, after, what, ports)
    link._write(command, account, attempt, ports)
    return committed


def _promote_first(self: SecretsManagerVault, **asked: Any) -> SecretVersion:
    version = _PUT(self, **asked)
    self.tidy(version)
    return version


def _row_first(self: Sweeper, account: Any, now: Any) -> str:
    with patch.object(SecretsManagerVault, "delete"):
        done = _UNDO(self, account, now)
    self.vault.delete(account.secret_name, recovery_days=None)
    return done


def _unfenced(self: DynamoDbRegistry, items: list[Any]) -> None:
    for item in items:
        put = item.get("Put", {})
        if put.get("Item", {}).get("sk") == {"S": "ACCOUNT"}:
            put.pop("ConditionExpression", None)
            put.pop("ExpressionAttributeValues", None)
    _TRANSACT(self, items)


_PUT: Final = SecretsManagerVault.put_candidate
_UNDO: Final = Sweeper._undo
_TRANSACT: Final = DynamoDbRegistry._transact


def _patched(target: Any, name: str, value: Any) -> Callable[[ExitStack], object]:
    return lambda stack: stack.enter_context(patch.object(target, name, value))


def _hasty(self: Checker, account: Any, verdict: Any, now: Any) -> Any:
    return _FOUND(replace(self, recheck=self.recheck * 0), account, verdict, now)


_FOUND: Final = Checker._found


def _blind(*given: Any, **asked: Any) -> Any:
    try:
        return _COMMIT_ROW(*given, **asked)
    except StorageError:
        return given[4]


def _for_ever(self: DynamoDbRegistry, account: Any, **asked: Any) -> Any:
    return _COMMIT(self, account, **asked | {"linked": None})


_COMMIT_ROW: Final = link._commit_row
_COMMIT: Final = DynamoDbRegistry.commit

BREAKS: Final = (
    Break(
        "the row is committed before its secret is written",
        "link by a key",
        "I1",
        _patched(link, "_commit", _commit_first),
    ),
    Break(
        "the sweep removes the row before its secret",
        "sweep: a first link that died",
        "I2",
        _patched(Sweeper, "_undo", _row_first),
    ),
    Break(
        "a commit that failed is answered with success",
        "link by a key",
        "I3",
        _patched(link, "_commit_row", _blind),
    ),
    Break(
        "an owner's site is not held by one account",
        "two links of one owner and site",
        "I4",
        _patched(registry, "_pair_key", lambda one: registry._key(f"PAIR#{one.id}", "PAIR")),
    ),
    Break(
        "a session is not used up by its link",
        "one session, two tokens",
        "I5",
        _patched(DynamoDbRegistry, "commit", _for_ever),
    ),
    Break(
        "a re-link's token serves before it is committed",
        "re-link by a key",
        "I6",
        _patched(SecretsManagerVault, "put_candidate", _promote_first),
    ),
    Break(
        "events are not in the committing transaction",
        "link by a key",
        "I7",
        _patched(registry, "_outbox", lambda _events: {}),
    ),
    Break(
        "a change is committed whoever has changed the account meanwhile",
        "a check and a re-link",
        "S2",
        _patched(DynamoDbRegistry, "_transact", _unfenced),
    ),
    Break(
        "one refusal is enough for a failure",
        "check: refused once",
        "I8",
        _patched(Checker, "_found", _hasty),
    ),
    Break(
        "the hint is the whole token",
        "link by a key",
        "S1",
        _patched(Token, "hint", property(Token.reveal)),
    ),
    Break(
        "the sweep leaves things as they are",
        "sweep: a first link that died",
        "S2",
        _patched(Sweeper, "finish", lambda _self, _id: "running"),
    ),
)


@contextmanager
def broken(one: Break) -> Iterator[None]:
    """Break the product until the block ends."""
    with ExitStack() as stack:
        one.apply(stack)
        yield
