"""The doubles of DynamoDB and Secrets Manager against moto's, where moto is right."""

import itertools
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from simulation.dynamodb import INDEXES, Table
from simulation.secretsmanager import Vault
from simulation.services import Queue
from templates import create_table

KEYS = [{"pk": {"S": pk}, "sk": {"S": "ACCOUNT"}} for pk in ("ACCOUNT#1", "ACCOUNT#2")]
MINE = {"attempt": {"M": {"id": {"S": "m"}, "until": {"S": "u"}}}}

items = st.builds(
    lambda key, *parts: key | {name: value for part in parts for name, value in part.items()},
    st.sampled_from(KEYS),
    st.sampled_from([{}, {"fence": {"N": "1"}}, {"fence": {"N": "2"}}]),
    st.sampled_from([{}, MINE]),
    st.sampled_from([{}, {"status": {"S": "active"}}, {"status": {"S": "open"}}]),
    st.sampled_from([{}, {"due_shard": {"S": "1"}, "due_at": {"S": "2026"}}]),
    st.sampled_from([{}, {"owner_id": {"S": "o1"}, "id": {"S": "a1"}}]),
)

conditions = st.sampled_from(
    [
        {},
        {"ConditionExpression": "attribute_not_exists(pk)"},
        {"ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(fence)"},
        {
            "ConditionExpression": "fence = :fence",
            "ExpressionAttributeValues": {":fence": {"N": "1"}},
        },
        {
            "ConditionExpression": "attribute_not_exists(pk) OR fence < :fence",
            "ExpressionAttributeValues": {":fence": {"N": "2"}},
        },
        {
            "ConditionExpression": "#s = :open AND attribute_exists(attempt.#mine)",
            "ExpressionAttributeNames": {"#s": "status", "#mine": "id"},
            "ExpressionAttributeValues": {":open": {"S": "open"}},
        },
        {
            "ConditionExpression": "NOT (#s <> :open) AND begins_with(pk, :pk)",
            "ExpressionAttributeNames": {"#s": "status"},
            "ExpressionAttributeValues": {":open": {"S": "open"}, ":pk": {"S": "ACC"}},
        },
        {
            "ConditionExpression": "attempt = :mine",
            "ExpressionAttributeValues": {":mine": MINE["attempt"]},
        },
    ]
)

updates = st.sampled_from(
    [
        ("ADD attempts :one", {":one": {"N": "1"}}),
        ("ADD fence :less", {":less": {"N": "-1"}}),
        ("SET #x = :used ADD fence :one REMOVE attempt", {":used": {"S": "u"}, ":one": {"N": "1"}}),
        ("SET attempt.#x = :yes", {":yes": {"BOOL": True}}),
        (
            "SET fence = if_not_exists(fence, :none) + :one",
            {":none": {"N": "0"}, ":one": {"N": "1"}},
        ),
        ("REMOVE due_at, due_shard", {}),
    ]
)


def update(key: Any, given: Any, condition: Any) -> dict[str, Any]:
    expression, values = given
    names = {"#x": "extra"} if "#x" in expression else {}
    asked = {
        "Key": key,
        "UpdateExpression": expression,
        "ExpressionAttributeValues": values | condition.get("ExpressionAttributeValues", {}),
        "ExpressionAttributeNames": names | condition.get("ExpressionAttributeNames", {}),
    }
    if "ConditionExpression" in condition:
        asked["ConditionExpression"] = condition["ConditionExpression"]
    return {key: value for key, value in asked.items() if value}


puts = st.builds(lambda item, condition: {"Item": item} | condition, items, conditions)
deletes = st.builds(
    lambda key, condition: {"Key": key} | condition, st.sampled_from(KEYS), conditions
)
changes = st.builds(update, st.sampled_from(KEYS), updates, conditions)
writes = st.one_of(
    puts.map(lambda asked: ("put_item", asked)),
    deletes.map(lambda asked: ("delete_item", asked)),
    changes.map(lambda asked: ("update_item", asked | {"ReturnValues": "ALL_NEW"})),
    st.tuples(puts, deletes, changes).map(lambda three: ("transact_write_items", three)),
)


def outcome(client: Any, operation: str, asked: Any) -> Any:
    """Return what comes back, as far as it is for callers to see."""
    if operation == "transact_write_items":
        kinds = ("Put", "Delete", "Update")
        parts = [{kind: {"TableName": "t"} | one} for kind, one in zip(kinds, asked, strict=True)]
        touched = [
            str(one.get("Key") or {k: one["Item"][k] for k in ("pk", "sk")}) for one in asked
        ]
        # One item twice in a transaction is refused by both, each in its own words.
        keep = [n for n, one in enumerate(touched) if one not in touched[:n]]
        asked = {"TransactItems": [parts[n] for n in keep]}
    else:
        asked = {"TableName": "t"} | asked
    try:
        answer = getattr(client, operation)(**asked)
    except ClientError as error:
        reasons = [one["Code"] for one in error.response.get("CancellationReasons", [])]
        return error.response["Error"]["Code"], reasons
    return answer.get("Attributes")


def seen(client: Any) -> Any:
    """Return all that can be read: items, and what each index shows."""
    found: list[Any] = [client.get_item(TableName="t", Key=key).get("Item") for key in KEYS]
    for index, value in (("due", "1"), ("by_owner", "o1")):
        name = INDEXES[index][0]
        answer = client.query(
            TableName="t",
            IndexName=index,
            KeyConditionExpression=f"{name} = :value",
            ExpressionAttributeValues={":value": {"S": value}},
        )
        found.append(sorted(answer["Items"], key=str))
    return found


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(writes, min_size=3, max_size=8))
def test_the_table_does_as_moto_does(monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> None:
    _credentials(monkeypatch)
    with mock_aws():
        real, ours = boto3.client("dynamodb"), Table(lambda: 0.0)
        create_table(real, "t")
        for operation, given_ in asked:
            assert outcome(ours, operation, given_) == outcome(real, operation, given_), operation
            assert seen(ours) == seen(real), operation


def test_the_stream_has_both_images_in_order() -> None:
    table = Table(lambda: 0.0)
    for number in ("1", "2"):
        table.put_item(TableName="t", Item=KEYS[0] | {"n": {"N": number}})
    table.delete_item(TableName="t", Key=KEYS[0])
    assert [one["eventName"] for one in table.stream] == ["INSERT", "MODIFY", "REMOVE"]
    images = [one["dynamodb"] for one in table.stream]
    assert [one.get("OldImage", {}).get("n") for one in images] == [None, {"N": "1"}, {"N": "2"}]


@pytest.mark.parametrize("keys", [KEYS, [KEYS[1], KEYS[0]], [KEYS[0], KEYS[0]], []])
def test_many_items_are_read_as_moto_reads_them(monkeypatch: pytest.MonkeyPatch, keys: Any) -> None:
    _credentials(monkeypatch)
    if not keys:
        keys = [{"pk": {"S": str(number)}, "sk": {"S": "x"}} for number in range(101)]
    with mock_aws():
        real, ours = boto3.client("dynamodb"), Table(lambda: 0.0)
        create_table(real, "t")
        for client in (real, ours):
            client.put_item(TableName="t", Item=KEYS[0] | {"n": {"N": "1"}})
        one, other = (many(client, keys) for client in (real, ours))
    assert one == other


def many(client: Any, keys: list[Any]) -> Any:
    try:
        answer = client.batch_get_item(RequestItems={"t": {"Keys": keys, "ConsistentRead": True}})
    except ClientError as error:
        return error.response["Error"]["Code"]
    return answer["Responses"], answer["UnprocessedKeys"]


def test_a_read_of_many_items_may_leave_some_for_later() -> None:
    table = Table(lambda: 0.0, leaves=lambda: True)
    for key in KEYS:
        table.put_item(TableName="t", Item=key)
    first = table.batch_get_item(RequestItems={"t": {"Keys": KEYS, "ConsistentRead": True}})
    assert first["UnprocessedKeys"] == {"t": {"Keys": KEYS[:1], "ConsistentRead": True}}
    second = table.batch_get_item(RequestItems=first["UnprocessedKeys"])
    assert second == {"Responses": {"t": KEYS[:1]}, "UnprocessedKeys": {}}


def test_a_queue_may_refuse_a_part_of_a_batch() -> None:
    sent: list[str] = []
    turns = itertools.cycle([False, True])
    queue = Queue(lambda _url, body: sent.append(body), refuses=lambda: next(turns))
    entries = [{"Id": str(number), "MessageBody": f"m{number}"} for number in range(3)]
    answer = queue.send_message_batch(QueueUrl="u", Entries=entries)
    assert [one["Id"] for one in answer["Successful"]] == ["0", "2"]
    assert [one["Id"] for one in answer["Failed"]] == ["1"]
    assert sent == ["m0", "m2"]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{"Id": "1", "MessageBody": ""}] * 2,
        [{"Id": str(n), "MessageBody": ""} for n in range(11)],
    ],
    ids=["none", "twice the same", "eleven"],
)
def test_a_queue_refuses_a_batch_as_moto_does(
    monkeypatch: pytest.MonkeyPatch, entries: Any
) -> None:
    _credentials(monkeypatch)
    codes = []
    with mock_aws():
        real = boto3.client("sqs")
        url = real.create_queue(QueueName="q")["QueueUrl"]
        for client in (real, Queue(lambda _url, _body: None)):
            with pytest.raises(ClientError) as caught:
                client.send_message_batch(QueueUrl=url, Entries=entries)
            codes.append(caught.value.response["Error"]["Code"])
    assert codes[0] == codes[1]


def test_a_transaction_with_the_same_token_is_the_same_one() -> None:
    table = Table(lambda: 0.0)
    write = [
        {"Update": {"Key": KEYS[0], **update(KEYS[0], ("ADD n :one", {":one": {"N": "1"}}), {})}}
    ]
    for _ in range(2):
        table.transact_write_items(TransactItems=write, ClientRequestToken="t")
    assert table.items["ACCOUNT#1", "ACCOUNT"]["n"] == {"N": "1"}


def test_an_index_may_show_what_was_there_before() -> None:
    now = itertools.count(100)
    table = Table(lambda: float(next(now)), lag=lambda: 50.0)
    table.put_item(TableName="t", Item=KEYS[0] | {"due_shard": {"S": "1"}, "due_at": {"S": "2"}})
    asked: Any = {
        "TableName": "t",
        "IndexName": "due",
        "KeyConditionExpression": "due_shard = :s",
        "ExpressionAttributeValues": {":s": {"S": "1"}},
    }
    assert table.query(**asked)["Items"] == []
    assert table.get_item(TableName="t", Key=KEYS[0], ConsistentRead=True)["Item"]


TOKENS = [f"{n}" * 32 for n in "123"]
LABELS = ["AWSCURRENT", "CANDIDATE"]

secret_calls = st.one_of(
    st.builds(
        lambda token, value: (
            "create_secret",
            {"Name": "s", "ClientRequestToken": token, "SecretString": value},
        ),
        st.sampled_from(TOKENS),
        st.sampled_from(["x", "y"]),
    ),
    st.builds(
        lambda token, value, stages: (
            "put_secret_value",
            {"SecretId": "s", "ClientRequestToken": token, "SecretString": value} | stages,
        ),
        st.sampled_from(TOKENS),
        st.sampled_from(["x", "y"]),
        st.sampled_from([{}, {"VersionStages": ["CANDIDATE"]}]),
    ),
    st.builds(
        lambda holder, to: (
            "update_secret_version_stage",
            {
                "SecretId": "s",
                "VersionStage": "AWSCURRENT",
                "RemoveFromVersionId": holder,
                "MoveToVersionId": to,
            },
        ),
        st.sampled_from(TOKENS),
        st.sampled_from(TOKENS),
    ),
    st.builds(
        lambda holder: (
            "update_secret_version_stage",
            {"SecretId": "s", "VersionStage": "CANDIDATE", "RemoveFromVersionId": holder},
        ),
        st.sampled_from(TOKENS),
    ),
    st.sampled_from(
        [
            ("delete_secret", {"SecretId": "s", "RecoveryWindowInDays": 7}),
            ("delete_secret", {"SecretId": "s", "ForceDeleteWithoutRecovery": True}),
            ("restore_secret", {"SecretId": "s"}),
            ("get_secret_value", {"SecretId": "s"}),
            ("get_secret_value", {"SecretId": "s", "VersionId": TOKENS[0]}),
        ]
    ),
)


def secret_outcome(client: Any, operation: str, asked: Any) -> Any:
    try:
        answer = getattr(client, operation)(**asked)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return answer.get("VersionId"), answer.get("SecretString")


def described(client: Any) -> Any:
    try:
        found = client.describe_secret(SecretId="s")
    except ClientError as error:
        return error.response["Error"]["Code"]
    stages = {
        version: sorted(labels) for version, labels in found["VersionIdsToStages"].items() if labels
    }
    return stages, "DeletedDate" in found


def moto_is_wrong(vault: Vault, operation: str, asked: dict[str, str]) -> bool:
    """Whether moto does what the API reference says that Secrets Manager does not.

    It writes to a secret that is scheduled for deletion; it takes a label away before it refuses to
    put it where there is no version, and gives a version that keeps AWSCURRENT AWSPREVIOUS too. It
    answers a creation that comes again with whatever version is current by then, and so it answers
    one whose secret is scheduled for deletion.
    """
    if "s" not in vault.secrets or operation in {"delete_secret", "restore_secret"}:
        return False
    secret, to = vault.secrets["s"], asked.get("MoveToVersionId", "")
    if operation == "create_secret":
        stages, _ = described(vault)
        current = "AWSCURRENT" in stages.get(asked["ClientRequestToken"], [])
        return not current or secret.scheduled_at is not None
    return secret.scheduled_at is not None or (
        bool(to) and (to not in secret.values or to == asked["RemoveFromVersionId"])
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(secret_calls, min_size=3, max_size=8))
def test_the_vault_does_as_moto_does(monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> None:
    _credentials(monkeypatch)
    with mock_aws():
        real, ours = boto3.client("secretsmanager"), Vault(lambda: 0.0)
        for operation, given_ in asked:
            if moto_is_wrong(ours, operation, given_):
                continue
            one, other = (
                secret_outcome(ours, operation, given_),
                secret_outcome(real, operation, given_),
            )
            assert one == other, operation
            assert described(ours) == described(real), operation


def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
