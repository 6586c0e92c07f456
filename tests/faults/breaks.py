"""The product, broken on purpose in one place: unless that is noticed, the rest proves nothing."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from namely_link import link, registry
from namely_link.check import Checker
from namely_link.model import SecretVersion
from namely_link.registry import DynamoDbRegistry
from namely_link.sweep import Sweeper
from namely_link.vault import SecretsManagerVault

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
    SecretsManagerVault.promote(self, version)
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


BREAKS: Final = (
    Break(
        "the row is committed before its secret is written",
        "link by a key",
        "I1",
        _patched(link, "_commit", _commit_first),
    ),
    Break(
        "a re-link's token serves before it is committed",
        "re-link by a key",
        "I6",
        _patched(SecretsManagerVault, "put_candidate", _promote_first),
    ),
    Break(
        "the sweep removes the row before its secret",
        "sweep: a first link that died",
        "I2",
        _patched(Sweeper, "_undo", _row_first),
    ),
    Break(
        "a change is committed whoever has changed the account meanwhile",
        "a check and a re-link",
        "I1",
        _patched(DynamoDbRegistry, "_transact", _unfenced),
    ),
    Break(
        "events are not in the committing transaction",
        "link by a key",
        "I7",
        _patched(registry, "_outbox", lambda _events: {}),
    ),
    Break(
        "one refusal is enough for a failure",
        "check: refused once",
        "I8",
        lambda stack: stack.enter_context(patch.object(Checker, "_found", _hasty)),
    ),
)


def _hasty(self: Checker, account: Any, verdict: Any, now: Any) -> Any:
    return _FOUND(replace(self, recheck=self.recheck * 0), account, verdict, now)


_FOUND: Final = Checker._found


@contextmanager
def broken(one: Break) -> Iterator[None]:
    """Break the product until the block ends."""
    with ExitStack() as stack:
        one.apply(stack)
        yield
