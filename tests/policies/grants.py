"""What each role and each managed policy may do, and what it may not: the table, by hand.

The policies of the template are judged by it (`tests/template/test_grants.py`), and
`docs/grants.md` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policies.evaluator import Asked
from translated import ACCOUNT, Deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REGION: Final = "eu-central-1"
KINDS: Final = (
    "ACCOUNT",
    "KEY",
    "NOTICE",
    "OWNER",
    "PAIR",
    "PORTAL",
    "REQUEST",
    "SESSION",
    "SWEEP",
)
"""What the keys of rows start with."""
ALONE: Final = frozenset({"SWEEP"})
"""The kinds with one row, whose key is the word itself."""

READ: Final = {
    "LinkRole": {"ACCOUNT", "KEY", "PAIR", "PORTAL", "SESSION"},
    "ApiRole": {"ACCOUNT", "KEY", "PORTAL", "SESSION"},
    "IntakeRole": {"ACCOUNT", "PAIR", "REQUEST"},
    "CheckRole": {"ACCOUNT"},
    "SweepRole": {"ACCOUNT", "SWEEP"},
}
WRITTEN: Final = {
    "LinkRole": {"ACCOUNT", "OWNER", "PAIR", "SESSION"},
    "ApiRole": {"ACCOUNT", "PAIR", "PORTAL", "SESSION"},
    "IntakeRole": {"ACCOUNT", "NOTICE", "OWNER", "PAIR", "REQUEST"},
    "CheckRole": {"ACCOUNT", "PAIR"},
    "SweepRole": {"ACCOUNT", "PAIR", "SWEEP"},
}
"""Kinds of rows; nobody mints a key but an operator with credentials of his own."""
ASKED: Final = {
    "ApiRole": {"by_owner", "by_subdomain", "all_accounts"},
    "IntakeRole": {"by_owner", "by_subdomain"},
    "SweepRole": {"due"},
}
INDEXES: Final = ("by_owner", "by_subdomain", "all_accounts", "due")

STACK: Final = Deployed(region=REGION, parameters={"WebhookUrl": "https://example.com"})
_OTHER: Final = Deployed("other", region=REGION)
_SECRETS: Final = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
_SECRET: Final = f"{_SECRETS}:stack/namely/acc_01-AbCdEf"
_THEIRS: Final = f"{_SECRETS}:other/namely/acc_01-AbCdEf"
_SEAL: Final = ["owner_id", "subdomain", "request_id", "expires_at"]


def _row(kind: str) -> str:
    return f"a row `{kind}`" if kind in ALONE else f"a row `{kind}#`"


def _arn(stack: Deployed, name: str) -> str:
    return str(stack.resolved({"Fn::GetAtt": [name, "Arn"]}))


RESOURCES: Final = {
    "the table": _arn(STACK, "Table"),
    "another stack's table": _arn(_OTHER, "Table"),
    **{f"its index `{one}`": f"{_arn(STACK, 'Table')}/index/{one}" for one in INDEXES},
    **{
        f"the index `{one}` of another stack": f"{_arn(_OTHER, 'Table')}/index/{one}"
        for one in INDEXES
    },
    "the table's stream": f"{_arn(STACK, 'Table')}/stream/2026",
    "another stack's stream": f"{_arn(_OTHER, 'Table')}/stream/2026",
    "a secret of the stack": _SECRET,
    "another stack's secret": _THEIRS,
    "another secret of the account": f"{_SECRETS}:stack/database-AbCdEf",
    "the key": _arn(STACK, "Key"),
    "another key": _arn(_OTHER, "Key"),
    "the queue of checks": _arn(STACK, "CheckQueue"),
    "the dead letters": _arn(STACK, "DeadLetters"),
    "another queue": _arn(_OTHER, "CheckQueue"),
    "the bus": _arn(STACK, "Bus"),
    "another bus": _arn(_OTHER, "Bus"),
    "the queue of the webhook": _arn(STACK, "WebhookQueue"),
    "the webhook's keys": str(STACK.resolved({"Fn::GetAtt": ["WebhookKeys", "Id"]})),
    "another stack's webhook's keys": str(_OTHER.resolved({"Fn::GetAtt": ["WebhookKeys", "Id"]})),
    **{
        f"the log of `{one}`": f"{_arn(STACK, f'{one.title()}Logs').removesuffix('*')}log-stream:s"
        for one in ("link", "pages", "api", "intake", "check", "sweep", "publish", "webhook")
    },
    "another log": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/other-link:log-stream:s",
    "everything": "*",
}
"""By the words of the table."""


def _through(service: str, arn: str = "") -> dict[str, Any]:
    """Return the context of a call that a service makes of KMS, for a secret where it is one's."""
    found: dict[str, Any] = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
    if arn:
        found["kms:EncryptionContext:SecretARN"] = arn
        found["kms:EncryptionContextKeys"] = ["SecretARN", "SecretVersionId"]
    return found


CONTEXTS: Final[dict[str, dict[str, Any]]] = {
    "": {},
    "no key of a row": {},
    **{
        _row(kind): {"dynamodb:LeadingKeys": [kind if kind in ALONE else f"{kind}#one"]}
        for kind in KINDS
    },
    "rows `ACCOUNT#` and `PAIR#` at once": {"dynamodb:LeadingKeys": ["ACCOUNT#one", "PAIR#one#a"]},
    "rows `ACCOUNT#` and `KEY#` at once": {"dynamodb:LeadingKeys": ["ACCOUNT#one", "KEY#one"]},
    "Secrets Manager asking for that secret": _through("secretsmanager", _SECRET),
    "Secrets Manager asking for a new one": _through(
        "secretsmanager", "RequestToValidateKeyAccess"
    ),
    "Secrets Manager asking for another stack's": _through("secretsmanager", _THEIRS),
    "Secrets Manager asking for none": _through("secretsmanager"),
    "another service asking for that secret": _through("ssm", _SECRET),
    "the call made directly, for that secret": {
        key: value for key, value in _through("ssm", _SECRET).items() if key != "kms:ViaService"
    },
    "the context of a seal": {"kms:EncryptionContextKeys": _SEAL},
    "the context of a seal and more": {"kms:EncryptionContextKeys": [*_SEAL, "SecretARN"]},
    "no context": {},
    **{
        f"`{kind}`": {"events:detail-type": [kind]}
        for kind in ("Link Requested", "Check Requested", "Unlink Requested", "Account Linked")
    },
    "no type": {},
}
"""By the words of the table: what comes with a call."""


@dataclass(frozen=True)
class Row:
    """One row of the table: with which context a role may do an action on something, or may not."""

    role: str
    action: str
    on: str
    context: str
    allowed: bool

    def asked(self, policy: dict[str, Any]) -> Asked:
        """Return the request, under a policy."""
        # A key's own policy leaves to IAM what is allowed.
        key = STACK.resources["Key"]["Properties"]["KeyPolicy"] if "kms:" in self.action else None
        return Asked(
            policy=policy,
            action=self.action,
            resource=RESOURCES[self.on],
            context=CONTEXTS[self.context],
            policy_of_resource=key,
        )


def table() -> list[Row]:
    """Return all rows, role by role."""
    return [
        Row(role, action, on, context, allowed)
        for role, rows in _TABLE.items()
        for actions, on, contexts, allowed in rows()
        for action in actions.split()
        for context in contexts
    ]


type _Rows = Iterator[tuple[str, str, tuple[str, ...], bool]]


def _may(actions: str, on: str, *contexts: str) -> _Rows:
    yield actions, on, contexts or ("",), True


def _never(actions: str, on: str, *contexts: str) -> _Rows:
    yield actions, on, contexts or ("",), False


def _rows(role: str, writes: str, reads: str = "dynamodb:GetItem") -> _Rows:
    for actions, kinds in ((reads, READ[role]), (writes, WRITTEN[role])):
        right = [_row(kind) for kind in KINDS if kind in kinds]
        wrong = [_row(kind) for kind in KINDS if kind not in kinds]
        yield from _may(actions, "the table", *right)
        yield from _never(actions, "the table", *wrong, "no key of a row")
        yield from _never(actions, "another stack's table", right[0])
    yield from _may(writes, "the table", "rows `ACCOUNT#` and `PAIR#` at once")
    yield from _never(writes, "the table", "rows `ACCOUNT#` and `KEY#` at once")
    yield from _never("dynamodb:Scan", "the table")


def _indexes(role: str) -> _Rows:
    for one in INDEXES:
        asked = one in ASKED.get(role, ())
        yield from (_may if asked else _never)("dynamodb:Query", f"its index `{one}`")
        yield from _never("dynamodb:Query", f"the index `{one}` of another stack")


def _secrets(may: str, never: str) -> _Rows:
    def named(actions: str) -> str:
        return " ".join(f"secretsmanager:{one}" for one in actions.split())

    if may:
        yield from _may(named(may), "a secret of the stack")
        yield from _never(named(may), "another stack's secret")
        yield from _never(named(may), "another secret of the account")
        yield from _never(named(may), "the webhook's keys")
    yield from _never(named(never), "a secret of the stack")
    yield from _never("secretsmanager:BatchGetSecretValue", "everything")


def _key(actions: str, *, creates: bool = False) -> _Rows:
    right, new = "Secrets Manager asking for that secret", "Secrets Manager asking for a new one"
    wrong = (
        *("Secrets Manager asking for another stack's", "Secrets Manager asking for none"),
        *("another service asking for that secret", "the call made directly, for that secret"),
    )
    yield from _may(actions, "the key", right, *((new,) if creates else ()))
    yield from _never(actions, "the key", *wrong, *(() if creates else (new,)))
    yield from _never(actions, "another key", right)


def _send(on: str) -> _Rows:
    yield from _may("sqs:SendMessage", on)
    yield from _never("sqs:SendMessage", "another queue")


def _own(name: str, *, traces: bool = True) -> _Rows:
    """What Lambda does in a function's name."""
    actions = "logs:CreateLogStream logs:PutLogEvents"
    yield from _may(actions, f"the log of `{name}`")
    yield from _never(actions, "another log")
    yield from (_may if traces else _never)(
        "xray:PutTraceSegments xray:PutTelemetryRecords", "everything"
    )
    yield from _never("xray:GetTraceSummaries", "everything")


def _link() -> _Rows:
    yield from _rows("LinkRole", "dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem")
    yield from _never("dynamodb:Query", "the table", "a row `ACCOUNT#`")
    yield from _indexes("LinkRole")
    yield from _secrets(
        "CreateSecret TagResource PutSecretValue UpdateSecretVersionStage",
        "GetSecretValue DeleteSecret RestoreSecret PutResourcePolicy",
    )
    yield from _key("kms:GenerateDataKey kms:Decrypt", creates=True)
    yield from _never("kms:Decrypt", "the key", "the context of a seal", "no context")
    yield from _own("link")


def _api() -> _Rows:
    yield from _rows("ApiRole", "dynamodb:PutItem dynamodb:DeleteItem")
    yield from _may("dynamodb:Query", "the table", "a row `ACCOUNT#`")
    yield from _never("dynamodb:Query", "the table", "a row `KEY#`", "no key of a row")
    yield from _never("dynamodb:Query", "another stack's table", "a row `ACCOUNT#`")
    yield from _indexes("ApiRole")
    yield from _secrets(
        "DeleteSecret DescribeSecret RestoreSecret",
        "GetSecretValue CreateSecret PutSecretValue PutResourcePolicy",
    )
    yield from _never("kms:Decrypt", "the key", "Secrets Manager asking for that secret")
    yield from _send("the queue of checks")
    yield from _own("api")


def _intake() -> _Rows:
    yield from _rows("IntakeRole", "dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem")
    yield from _never("dynamodb:Query", "the table", "a row `ACCOUNT#`")
    yield from _indexes("IntakeRole")
    yield from _secrets(
        "CreateSecret TagResource PutSecretValue UpdateSecretVersionStage DeleteSecret"
        " DescribeSecret",
        "GetSecretValue RestoreSecret PutResourcePolicy",
    )
    yield from _key("kms:GenerateDataKey kms:Decrypt", creates=True)
    yield from _may("kms:Decrypt", "the key", "the context of a seal")
    yield from _never("kms:Decrypt", "the key", "the context of a seal and more", "no context")
    yield from _never("kms:Decrypt", "another key", "the context of a seal")
    yield from _never("kms:Encrypt", "the key", "the context of a seal")
    yield from _send("the queue of checks")
    yield from _send("the dead letters")
    yield from _own("intake")


def _check() -> _Rows:
    yield from _rows("CheckRole", "dynamodb:PutItem dynamodb:DeleteItem")
    yield from _indexes("CheckRole")
    yield from _secrets(
        "GetSecretValue", "CreateSecret PutSecretValue UpdateSecretVersionStage DeleteSecret"
    )
    yield from _key("kms:Decrypt")
    yield from _never("kms:Decrypt", "the key", "the context of a seal", "no context")
    queue = "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes"
    yield from _may(queue, "the queue of checks")
    yield from _never(queue, "another queue")
    yield from _never("sqs:SendMessage", "the queue of checks")
    yield from _own("check")


def _sweep() -> _Rows:
    reads = "dynamodb:GetItem dynamodb:BatchGetItem"
    yield from _rows("SweepRole", "dynamodb:PutItem dynamodb:DeleteItem", reads)
    yield from _indexes("SweepRole")
    yield from _secrets(
        "DescribeSecret UpdateSecretVersionStage DeleteSecret RestoreSecret",
        "GetSecretValue CreateSecret PutSecretValue PutResourcePolicy",
    )
    yield from _may("secretsmanager:ListSecrets", "everything")
    yield from _never("kms:Decrypt", "the key", "Secrets Manager asking for that secret")
    yield from _send("the queue of checks")
    yield from _own("sweep")


def _publish() -> _Rows:
    stream = "dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:DescribeStream"
    yield from _may(stream, "the table's stream")
    yield from _never(stream, "another stack's stream")
    yield from _may("dynamodb:ListStreams", "everything")
    yield from _never("dynamodb:GetItem dynamodb:PutItem", "the table", "a row `ACCOUNT#`")
    yield from _may("events:PutEvents", "the bus", "`Account Linked`")
    yield from _never("events:PutEvents", "another bus", "`Account Linked`")
    yield from _send("the dead letters")
    yield from _never("secretsmanager:GetSecretValue", "a secret of the stack")
    yield from _own("publish")


def _pages() -> _Rows:
    yield from _never("dynamodb:GetItem", "the table", "a row `ACCOUNT#`")
    yield from _never("secretsmanager:GetSecretValue", "a secret of the stack")
    yield from _own("pages", traces=False)


def _webhook() -> _Rows:
    read = "secretsmanager:GetSecretValue"
    yield from _may(read, "the webhook's keys")
    for other in ("a secret of the stack", "another stack's webhook's keys"):
        yield from _never(read, other)
    yield from _never("secretsmanager:PutSecretValue", "the webhook's keys")
    yield from _never("dynamodb:GetItem", "the table", "a row `ACCOUNT#`")
    queue = "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes"
    yield from _may(queue, "the queue of the webhook")
    yield from _never(queue, "the queue of checks")
    yield from _never("sqs:SendMessage", "the queue of the webhook")
    yield from _own("webhook")


def _reader() -> _Rows:
    yield from _secrets("GetSecretValue", "PutSecretValue DeleteSecret")
    yield from _key("kms:Decrypt")
    yield from _never("kms:Decrypt", "the key", "the context of a seal", "no context")


def _sealer() -> _Rows:
    yield from _may("kms:Encrypt", "the key", "the context of a seal")
    yield from _never("kms:Encrypt", "the key", "the context of a seal and more", "no context")
    yield from _never("kms:Encrypt", "another key", "the context of a seal")
    yield from _never("kms:Decrypt", "the key", "the context of a seal")
    requests = ("`Link Requested`", "`Check Requested`", "`Unlink Requested`")
    yield from _may("events:PutEvents", "the bus", *requests)
    yield from _never("events:PutEvents", "the bus", "`Account Linked`", "no type")
    yield from _never("events:PutEvents", "another bus", *requests[:1])


_TABLE: Final = {
    "PagesRole": _pages,
    "LinkRole": _link,
    "ApiRole": _api,
    "IntakeRole": _intake,
    "CheckRole": _check,
    "SweepRole": _sweep,
    "PublishRole": _publish,
    "WebhookRole": _webhook,
    "TokenReaderPolicy": _reader,
    "SealerPolicy": _sealer,
}


def document(rows: Iterable[Row]) -> str:
    """Return the table as it is shown: a line for each action of a role."""
    lines: dict[str, dict[str, tuple[_Cell, _Cell]]] = {}
    for row in rows:
        cells = lines.setdefault(row.role, {}).setdefault(row.action, ({}, {}))
        cells[0 if row.allowed else 1].setdefault(row.on, []).append(row.context)
    parts = [_HEAD]
    for role, actions in lines.items():
        parts.append(f"\n## `{role}`\n\n| Action | Allowed | Refused |\n|---|---|---|\n")
        parts += [
            f"| `{action}` | {_said(allowed)} | {_said(refused)} |\n"
            for action, (allowed, refused) in actions.items()
        ]
    return "".join(parts)


type _Cell = dict[str, list[str]]


def _said(cell: _Cell) -> str:
    """Return what stands in a cell: each thing, and what comes with a call to it."""
    said = []
    for on, contexts in cell.items():
        named = [one for one in contexts if one]
        said.append(f"{on}, with {' or '.join(named)}" if named else on)
    return "; ".join(said) or "-"


_HEAD: Final = """# Grants

What each role and managed policy of the template may do, and what it may not. `make grants` writes
this file from `tests/policies/grants.py`; the tests judge the translated template by the same
table, with AWS's rules. A test takes away each action, resource and condition of each statement in
turn, and a row must notice.

"with" tells what comes with the call: the key of the row, the encryption context, the type of the
event. What is in no line, a role may not do either: there is no wildcard among the actions.
"""
