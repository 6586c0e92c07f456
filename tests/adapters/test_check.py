"""Checks, sweeps and parked links: the real adapters over moto, a fake Namely."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from namely_link.aws.registry import DynamoDbRegistry, published
from namely_link.aws.vault import SecretsManagerVault
from namely_link.commands.link import Parked
from namely_link.domain.account import (
    LEASE,
    Account,
    AccountWarning,
    Attempt,
    Deletion,
    Owner,
    Status,
    timestamp,
)
from namely_link.domain.credentials import parse_credential
from namely_link.domain.probe import Answer, Failure, Reply
from namely_link.domain.problems import ConflictError, Problem, StorageError
from world import DOWN, GOOD, START, Queue, World


def codes(account: Account) -> list[str]:
    return [reason.code for reason in account.status_reasons]


def test_a_fine_account_is_checked_daily_and_says_nothing(world: World) -> None:
    checked = world.check(world.linked())
    assert (checked.status, codes(checked)) == (Status.ACTIVE, [])
    assert checked.next_check_at == timestamp(START + timedelta(days=1))
    assert world.events(checked) == []
    assert world.actions(checked) == ["linked"]


def test_one_refusal_is_a_reason_and_soon_asked_again(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    checked = world.check(account)
    assert (checked.status, codes(checked)) == (Status.ACTIVE, ["token_refused"])
    assert checked.next_check_at == timestamp(START + timedelta(minutes=7.5))


def test_two_refusals_in_a_breath_are_one(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=4)
    assert world.check(account).status is Status.ACTIVE


def test_a_confirmed_refusal_makes_an_account_fail(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=5)
    failed = world.check(account)
    assert (failed.status, world.events(failed)) == (Status.ERROR, ["Account Failed"])
    assert failed.status_reasons[0].at == timestamp(START)
    assert failed.next_check_at == timestamp(world.now + timedelta(days=1))
    assert world.actions(failed)[0] == "failed"


def test_a_failed_account_recovers_by_itself(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=5)
    world.check(account)
    world.namely.good.add(GOOD)
    recovered = world.check(account)
    assert (recovered.status, world.events(recovered)) == (Status.ACTIVE, ["Account Recovered"])
    assert (codes(recovered), recovered.refused_at) == ([], "")


@pytest.mark.parametrize("reply", [DOWN, Failure.TIMEOUT, Failure.UNREACHABLE, Answer(429, False)])
def test_an_outage_changes_no_status_and_slows_the_checks_down(world: World, reply: Reply) -> None:
    account = world.linked()
    world.namely.down = reply
    waits = []
    for _ in range(12):
        account = world.check(account)
        assert account.status is Status.ACTIVE
        assert codes(account)[0].startswith("namely_")
        assert world.events(account) == []
        due = datetime.fromisoformat(account.next_check_at)
        waits.append((due - world.now) / timedelta(minutes=5))
        world.now = due
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 288, 288, 288]
    world.namely.down = None
    assert codes(world.check(account)) == []


def test_an_outage_leaves_a_failed_account_failed(world: World) -> None:
    account = world.linked()
    world.namely.good.clear()
    world.check(account)
    world.later(minutes=5)
    world.check(account)
    world.namely.down = DOWN
    assert world.check(account).status is Status.ERROR


@pytest.mark.parametrize("site", [{"name": "x", "permalink": "renamed"}, None])
def test_a_site_that_moved_is_a_reason_not_a_failure(world: World, site: object) -> None:
    account = world.linked()
    gone = Answer(200, is_json=False, is_html=True)
    world.namely.site = Answer(200, is_json=True, body=site) if site else gone
    checked = world.check(account)
    assert (checked.status, codes(checked)) == (Status.ACTIVE, ["site_not_found"])
    assert world.events(checked) == ["Account Updated"]
    assert world.events(world.check(account)) == []


def test_an_owner_that_left_is_a_warning(world: World) -> None:
    account = world.linked()
    world.namely.profile["user_status"] = "inactive"
    checked = world.check(account)
    assert checked.status is Status.ACTIVE
    assert codes(checked) == ["token_owner_inactive"]
    assert AccountWarning.OWNER_NOT_ACTIVE in checked.warnings
    assert world.events(checked) == ["Account Updated"]


def test_capabilities_gained_and_lost_are_told(world: World) -> None:
    account = world.linked()
    world.namely.keys = {"salary": 1}
    checked = world.check(account)
    assert world.events(checked) == ["Capabilities Changed"]
    row = next(one for one in world.rows() if "outbox" in one)
    data = row["outbox"]["L"][0]["M"]["data"]["M"]
    assert [one["S"] for one in data["gained"]["L"]] == ["salary"]
    assert [one["S"] for one in data["lost"]["L"]] == ["work_fields"]


def test_the_expiry_is_told_once_at_each_step(world: World) -> None:
    account = world.linked()
    told = {}
    for left in (61, 60, 45, 30, 29, 7, 6, 0, -3):
        world.now = START + timedelta(days=730 - left)
        checked = world.check(account)
        told[left] = world.events(checked)
        assert (AccountWarning.EXPIRES_SOON in checked.warnings) == (left <= 60)
    assert [left for left, events in told.items() if "Token Expiring" in events] == [60, 30, 7]


@pytest.mark.parametrize("action", ["suspend", "unlink"])
def test_what_is_paused_or_gone_is_not_checked(world: World, action: str) -> None:
    account = world.linked()
    if action == "suspend":
        world.manager().set_paused(account, Status.SUSPENDED)
    else:
        world.manager().unlink(account)
    world.namely.down = DOWN
    assert codes(world.check(account)) == []


def test_an_unknown_account_is_not_checked(world: World) -> None:
    checked = world.check(world.linked())
    world.registry.client.delete_item(
        TableName="table", Key={"pk": {"S": f"ACCOUNT#{checked.id}"}, "sk": {"S": "ACCOUNT"}}
    )
    with pytest.raises(AssertionError):
        world.check(checked)


def test_an_account_that_is_just_linked_again_is_left_alone(world: World) -> None:
    account = world.linked()
    world.registry.begin(account, attempt=Attempt(id="a", at=timestamp(world.now)), now=world.now)
    world.namely.down = DOWN
    assert codes(world.check(account)) == []


def test_a_check_beside_a_change_loses(world: World, monkeypatch) -> None:
    account = world.linked()
    world.manager().rename(account, label="x", metadata=None)
    monkeypatch.setattr(DynamoDbRegistry, "account", lambda *_: account)
    with pytest.raises(ConflictError):
        world.check(account)


def test_a_secret_that_cannot_be_read_is_tried_again(world: World) -> None:
    account = world.linked()
    world.secrets.delete_secret(SecretId=account.secret_name)
    with pytest.raises(StorageError, match="GetSecretValue"):
        world.check(account)


def test_a_sweep_asks_for_what_is_due_and_for_nothing_else(world: World) -> None:
    account = world.linked()
    assert world.sweep() == {}
    world.later(days=1)
    assert world.sweep() == {"queued": 1}
    assert world.queue.waiting == [account.id]
    assert world.sweep() == {}
    world.later(minutes=15)
    assert world.sweep() == {"queued": 1}


def test_a_failed_and_a_resumed_account_are_due_as_well(world: World) -> None:
    account = world.linked()
    manager = world.manager()
    paused = manager.set_paused(account, Status.SUSPENDED)
    world.later(days=1)
    assert world.sweep() == {"settled": 1}
    assert world.sweep() == {}
    manager.set_paused(paused, Status.ACTIVE)
    assert world.sweep() == {"queued": 1}


def park(world: World) -> Account:
    world.namely.down = DOWN
    parked = world.link()
    assert isinstance(parked, Parked)
    return parked.account


def test_a_link_is_parked_while_namely_is_down_and_finishes_by_itself(world: World) -> None:
    parked = park(world)
    assert (parked.status, codes(parked)) == (Status.PENDING, ["namely_unavailable"])
    assert world.events(parked) == ["Link Parked"]
    world.later(minutes=5)
    assert world.sweep() == {"queued": 1}
    assert world.check(parked).status is Status.PENDING
    world.namely.down = None
    finished = world.check(parked)
    assert (finished.status, world.events(finished)) == (Status.ACTIVE, ["Account Linked"])
    assert finished.linked_at == timestamp(world.now)
    assert world.actions(finished) == ["linked", "parked"]


@pytest.mark.parametrize("reply", [Failure.UNREACHABLE, Failure.TIMEOUT, Answer(406, False)])
def test_every_kind_of_outage_parks(world: World, reply: Reply) -> None:
    world.namely.down = reply
    assert isinstance(world.link(), Parked)


def test_a_machine_is_told_at_once_instead(world: World) -> None:
    world.namely.down = DOWN
    with pytest.raises(Problem, match="namely_unavailable"):
        world.link(park=False)
    assert world.rows() == []


def test_what_namely_refuses_later_is_undone_and_told(world: World) -> None:
    world.namely.good.clear()
    parked = park(world)
    world.namely.down = None
    rejected = world.check(parked)
    assert rejected.undo_reason == "token_unauthorized"
    assert world.events(rejected) == ["Link Rejected"]
    assert world.actions(rejected) == ["rejected", "parked"]
    assert world.check(parked) == rejected
    assert world.sweep() == {"undone": 1}
    assert world.secrets_left() == []
    assert {row["sk"]["S"].partition("#")[0] for row in world.rows()} == {"LEDGER"}


def test_the_event_of_a_rejected_link_tells_ids_and_the_reason(world: World) -> None:
    world.namely.good.clear()
    parked = park(world)
    world.namely.down = None
    world.check(parked)
    row = next(row for row in world.rows() if row["sk"]["S"] == "ACCOUNT")
    ((_, detail),) = published({"NewImage": row})
    assert detail["account"] == {
        "id": parked.id,
        "owner": {"id": "o1", "name": "Owner One"},
        "subdomain": "acme",
    }
    assert (detail["code"], detail["reason"]) == ("token_refused", "token_unauthorized")
    assert (detail["previous_status"], detail["correlation_id"]) == ("pending", "r2")


def test_a_link_that_was_adopted_meanwhile_is_not_told_as_rejected(world: World) -> None:
    parked = park(world)
    world.namely.down = None
    world.namely.good.clear()
    attempt = Attempt(id="a", at=timestamp(world.now))
    with pytest.MonkeyPatch.context() as patch:
        real = SecretsManagerVault.read

        def adopt(*args: object) -> object:
            world.registry.begin(parked, attempt=attempt, now=world.now)
            return real(*args)

        patch.setattr(SecretsManagerVault, "read", adopt)
        with pytest.raises(ConflictError):
            world.check(parked)
    assert world.events(parked) == ["Link Parked"]


def test_a_rejected_link_that_is_linked_before_it_is_undone_stays(world: World) -> None:
    world.namely.good.clear()
    parked = park(world)
    world.namely.down = None
    world.check(parked)
    world.namely.good.add(GOOD)
    done = world.linked()
    assert (done.id, done.undo_reason, world.events(done)) == (parked.id, "", ["Account Linked"])
    assert world.sweep() == {}


def test_a_rejected_link_that_is_parked_again_waits_again(world: World) -> None:
    world.namely.good.clear()
    parked = park(world)
    world.namely.down = None
    world.check(parked)
    again = park(world)
    assert (again.id, again.undo_reason) == (parked.id, "")
    assert world.sweep() == {}
    world.namely.down = None
    world.namely.good.add(GOOD)
    assert world.check(again).status is Status.ACTIVE


def test_a_parked_link_ends_after_a_day(world: World) -> None:
    parked = park(world)
    world.later(hours=24)
    assert world.check(parked).undo_reason == "outage"
    assert world.sweep() == {"undone": 1}


def test_a_parked_pair_can_be_linked_by_the_next_attempt(world: World) -> None:
    parked = park(world)
    world.namely.down = None
    done = world.link()
    assert (done.account.id, done.again) == (parked.id, False)
    assert not world.read(parked).unpromoted


def test_a_parked_pair_can_be_parked_again(world: World) -> None:
    first = park(world)
    again = park(world)
    assert again.id == first.id
    assert again.secret != first.secret


def test_a_refused_attempt_leaves_a_parked_link_parked(world: World) -> None:
    parked = park(world)
    world.namely.down = None
    with pytest.raises(Problem, match="token_refused"):
        world.link("wrong" * 10)
    assert world.read(parked) == parked


def test_a_relink_is_never_parked(world: World) -> None:
    account = world.linked()
    world.namely.down = DOWN
    with pytest.raises(Problem, match="namely_unavailable"):
        world.link()
    assert world.read(account) == account


def begun(world: World) -> Account:
    """An attempt that died after its row, and maybe after its secret."""
    account = world.linked()
    world.registry.begin(
        account, attempt=Attempt(id="d" * 36, at=timestamp(world.now)), now=world.now
    )
    return account


def test_a_running_attempt_is_left_alone(world: World) -> None:
    account = begun(world)
    assert world.sweeper().finish(account.id) == "running"


def test_a_dead_attempt_on_a_linked_account_is_abandoned(world: World) -> None:
    account = begun(world)
    world.vault.put_candidate(
        name=account.secret_name, credential=parse_credential("acme", "x"), attempt_id="d" * 36
    )
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"abandoned": 1}
    assert world.read(account) == replace(account, unpromoted=True)
    assert world.sweep() == {"promoted": 1}
    assert world.read(account) == account
    assert labels(world, account) == {"AWSCURRENT"}


def test_a_dead_first_attempt_is_undone_with_its_secret(world: World, monkeypatch) -> None:
    def die(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DynamoDbRegistry, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        world.link()
    assert len(world.secrets_left()) == 1
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"undone": 1}
    assert (world.secrets_left(), world.rows()) == ([], [])


def test_who_is_slower_undoes_nothing(world: World, monkeypatch) -> None:
    parked = park(world)
    monkeypatch.setattr(DynamoDbRegistry, "take", lambda *_args, **_options: False)
    world.registry.change(
        replace(parked, undo_reason="outage"), events=(), entry=None, due_at=timestamp(world.now)
    )
    assert world.sweep() == {"running": 1}
    assert len(world.secrets_left()) == 1


def test_a_version_that_was_not_promoted_is(world: World, monkeypatch) -> None:
    account = world.linked()
    world.namely.good.add("n" * 64)

    def fail(*_args: object, **_options: object) -> None:
        raise StorageError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, "promote", fail)
        again = world.link("n" * 64).account
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"promoted": 1}
    stages = world.secrets.describe_secret(SecretId=account.secret_name)["VersionIdsToStages"]
    assert stages[again.secret.version_id] == ["AWSCURRENT"]
    assert world.sweep() == {}


def labels(world: World, account: Account) -> set[str]:
    stages = world.secrets.describe_secret(SecretId=account.secret_name)["VersionIdsToStages"]
    return {label for one in stages.values() for label in one}


def test_a_relink_after_one_that_was_not_promoted_leaves_both_to_the_sweep(world: World) -> None:
    world.linked()
    world.namely.good |= {"n" * 64, "m" * 64}

    def fail(*_args: object, **_options: object) -> None:
        raise StorageError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, "promote", fail)
        world.link("n" * 64)
    last = world.link("m" * 64).account
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"promoted": 1}
    stages = world.secrets.describe_secret(SecretId=last.secret_name)["VersionIdsToStages"]
    assert stages[last.secret.version_id] == ["AWSCURRENT"]
    assert labels(world, last) == {"AWSCURRENT", "AWSPREVIOUS"}


def test_a_refused_attempt_that_took_over_does_not_remove_what_hangs_on_the_row(
    world: World, monkeypatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoDbRegistry, "commit", failing)
        with pytest.raises(Problem, match="storage_unavailable"):
            world.link()
    with pytest.raises(Problem, match="token_refused"):
        world.link("wrong" * 10)  # within the same second
    assert len(world.secrets_left()) == 1
    assert world.sweep() == {}
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"undone": 1}
    assert (world.secrets_left(), world.rows()) == ([], [])


def failing(*_args: object, **_options: object) -> None:
    raise StorageError


def test_a_secret_that_was_not_deleted_is(world: World) -> None:
    account = world.linked()

    def fail(*_args: object, **_options: object) -> None:
        raise StorageError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, "delete", fail)
        world.manager().unlink(account)
        world.later(minutes=1)
        assert world.sweep() == {"faults": 1}
    world.later(seconds=LEASE.seconds)
    assert world.sweep() == {"deleted": 1}
    assert receipts(world, account)[0] == ("deletion_scheduled", "sweep", "r3")
    assert "DeletedDate" in world.secrets.describe_secret(SecretId=account.secret_name)
    assert world.sweep() == {}


def receipts(world: World, account: Account) -> list[tuple[str, str, str]]:
    """Who did what for which request, newest first."""
    entries = world.registry.ledger(account.id)
    return [(one.action, one.actor.name, one.request_id) for one in entries]


def test_unlinking_leaves_a_receipt(world: World) -> None:
    account = world.linked()
    gone = world.manager().unlink(account)
    assert world.read(gone) == gone
    assert account.secret
    described = world.secrets.describe_secret(SecretId=account.secret_name)
    assert gone.deletion == Deletion(
        requested_at=timestamp(START),
        requested_by="backend",
        request_id="r3",
        secret_arn=account.secret.arn,
        scheduled_at=timestamp(START),
        final_at=timestamp(described["DeletedDate"]),
    )
    assert receipts(world, account) == [
        ("deletion_scheduled", "backend", "r3"),
        ("unlinked", "backend", "r3"),
        ("linked", "backend", "r1"),
    ]
    world.later(minutes=1)
    assert world.sweep() == {}


def test_asking_twice_for_an_unlinking_leaves_one_receipt(world: World) -> None:
    account = world.linked()
    gone = world.manager().unlink(account)
    world.later(minutes=1)
    other = replace(world.manager(), request_id="r4")
    assert other.unlink(world.read(gone)) == gone
    assert other.unlink(replace(gone, deletion=unconfirmed(gone))).deletion is not None
    assert world.read(gone) == gone
    assert world.actions(gone) == ["deletion_scheduled", "unlinked", "linked"]


def unconfirmed(account: Account) -> Deletion:
    assert account.deletion
    return replace(account.deletion, scheduled_at="", final_at="")


def test_two_that_confirm_a_deletion_at_once_write_one_entry(world: World) -> None:
    gone = world.manager().unlink(world.linked())
    late = replace(gone, deletion=unconfirmed(gone))
    entry = world.registry.ledger(gone.id)[0]
    receipt = unconfirmed(gone).confirmed(at=START, final=START)
    confirmed = world.registry.deletion_scheduled(
        late, attempt_id="slow", deletion=receipt, entry=entry
    )
    assert confirmed == gone
    assert world.actions(gone) == ["deletion_scheduled", "unlinked", "linked"]


def test_the_event_of_an_unlinking_has_the_receipt_as_it_was_then(world: World) -> None:
    account = world.linked()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, "delete", lambda *_args, **_options: None)
        world.manager().unlink(account)
    before = next(row for row in world.rows() if row["sk"]["S"] == "ACCOUNT")
    ((kind, detail),) = published({"NewImage": before})
    assert kind == "Account Unlinked"
    assert detail["account"]["deletion"]["request_id"] == "r3"
    assert detail["account"]["deletion"]["scheduled_at"] is None
    world.later(minutes=1)
    world.sweep()
    after = next(row for row in world.rows() if row["sk"]["S"] == "ACCOUNT")
    assert after["deletion"] != before["deletion"]
    assert published({"NewImage": after, "OldImage": before}) == []


@pytest.mark.parametrize("gone", [False, True])
def test_a_deletion_that_was_not_noted_is_confirmed_by_the_sweep(world: World, gone: bool) -> None:
    """The request died between Secrets Manager and the row; or the secret went another way."""
    account = world.linked()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoDbRegistry, "deletion_scheduled", lambda *_args, **_options: account)
        world.manager().unlink(account)
    assert unconfirmed(world.read(account)) == world.read(account).deletion
    assert world.manager().unlink(world.read(account)) == world.read(account)
    date = world.secrets.describe_secret(SecretId=account.secret_name)["DeletedDate"]
    if gone:
        world.secrets.delete_secret(SecretId=account.secret_name, ForceDeleteWithoutRecovery=True)
    world.later(minutes=1)
    assert world.sweep() == {"deleted": 1}
    receipt = world.read(account).deletion
    assert receipt
    assert receipt.final_at == timestamp(world.now if gone else date)
    assert receipts(world, account)[0] == ("deletion_scheduled", "sweep", "r3")
    assert world.sweep() == {}


def test_confirming_a_deletion_takes_no_pair_of_an_account_linked_since(world: World) -> None:
    account = world.linked()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, "delete", lambda *_args, **_options: None)
        world.manager().unlink(account)
    anew = world.linked()
    world.later(minutes=1)
    assert world.sweep() == {"deleted": 1}
    assert world.link().account.id == anew.id


def test_a_restoring_that_fails_leaves_the_deletion_to_the_sweep(world: World) -> None:
    gone = world.manager().unlink(world.linked())
    anew = world.linked()
    with pytest.raises(ConflictError):
        world.manager().restore(gone)
    secret = world.secrets.describe_secret(SecretId=gone.secret_name)
    assert "DeletedDate" not in secret
    assert world.sweep() == {"deleted": 1}
    assert "DeletedDate" in world.secrets.describe_secret(SecretId=gone.secret_name)
    assert world.read(anew) == anew


@pytest.mark.parametrize("method", ["restore", "delete"])
def test_whoever_is_at_work_on_a_secret_is_alone(world: World, method: str) -> None:
    """Otherwise a late deletion could meet an account that is active again."""
    account = world.linked()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, method, failing)
        gone = world.manager().unlink(account)
        if method == "restore":
            with pytest.raises(StorageError):
                world.manager().restore(gone)
    busy = world.read(account)
    with pytest.raises(Problem, match="conflict"):
        world.manager().restore(busy)
    assert world.manager().unlink(busy) == busy
    world.later(seconds=LEASE.seconds)
    assert world.manager().restore(world.read(account)).status is Status.ACTIVE


def test_of_two_restorings_one_is_faster(world: World) -> None:
    gone = world.manager().unlink(world.linked())
    world.manager().restore(gone)
    with pytest.raises(Problem, match="conflict"):
        world.manager().restore(gone)


def test_an_account_without_a_receipt_is_not_deleted(world: World) -> None:
    gone = replace(world.linked(), status=Status.UNLINKED)
    world.registry.change(gone, events=(), entry=None, due_at=timestamp(world.now))
    assert world.sweep() == {"running": 1}


def test_restoring_takes_the_receipt_back(world: World) -> None:
    manager = world.manager()
    gone = manager.unlink(world.linked())
    back = manager.restore(gone)
    assert (back.deletion, world.read(back).deletion) == (None, None)
    again = manager.unlink(back)
    assert again.deletion
    assert world.actions(back).count("deletion_scheduled") == 2


def test_what_is_still_to_be_deleted_is_not_restored_yet(world: World) -> None:
    manager = world.manager()
    account = world.linked()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecretsManagerVault, "delete", lambda *_args, **_options: None)
        gone = manager.unlink(account)
    with pytest.raises(Problem, match="conflict"):
        manager.restore(gone)
    world.later(minutes=1)
    world.sweep()
    assert manager.restore(world.read(gone)).status is Status.ACTIVE


def test_a_token_that_was_never_verified_is_not_restored(world: World) -> None:
    manager = world.manager()
    gone = manager.unlink(park(world))
    with pytest.raises(Problem, match="never verified"):
        manager.restore(gone)


def test_an_account_that_has_gone_meanwhile_is_nothing_to_do(world: World) -> None:
    assert world.sweeper().finish("acc_nobody") == "gone"


def test_an_unlinked_account_can_be_restored_with_its_token(world: World) -> None:
    account = world.linked()
    manager = world.manager()
    gone = manager.unlink(account)
    back = manager.restore(gone)
    assert (back.status, world.events(back)) == (Status.ACTIVE, ["Account Linked"])
    value = world.secrets.get_secret_value(SecretId=account.secret_name)
    assert json.loads(value["SecretString"])["token"] == GOOD
    assert manager.restore(back) == back
    with pytest.raises(StorageError):
        world.vault.restore("s/namely/never")


def test_a_pair_that_was_linked_anew_is_not_restored(world: World) -> None:
    manager = world.manager()
    gone = manager.unlink(world.linked())
    world.linked()
    with pytest.raises(ConflictError):
        manager.restore(gone)


def test_it_can_be_too_late_to_restore(world: World) -> None:
    manager = world.manager()
    gone = manager.unlink(world.linked())
    world.later(days=7)
    with pytest.raises(Problem, match="conflict"):
        manager.restore(gone)


def test_a_sweep_tells_for_how_long_the_oldest_was_due(world: World, monkeypatch) -> None:
    assert world.sweeper().sweep().oldest_due == 0
    world.linked()
    world.later(days=1, seconds=30)
    monkeypatch.setattr("world.OWNER", Owner("o2", "x"))
    world.linked()
    assert world.sweeper().sweep().oldest_due == 30
    assert world.sweeper().sweep().oldest_due == 0


def test_what_stays_due_grows_older(world: World, monkeypatch) -> None:
    world.linked()
    world.later(days=1)

    def fail(*_args: object, **_options: object) -> None:
        raise StorageError

    monkeypatch.setattr(Queue, "put", fail)
    for minutes in range(3):
        swept = world.sweeper().sweep()
        assert (swept.done, swept.oldest_due) == ({"faults": 1}, minutes * 60)
        world.later(minutes=1)


def test_a_sweep_looks_at_as_many_rows_as_are_due(world: World, monkeypatch) -> None:
    for number in range(5):
        monkeypatch.setattr("world.OWNER", Owner(f"o{number}", "x"))
        world.linked()
    read: list[str] = []
    real = DynamoDbRegistry.account
    monkeypatch.setattr(
        DynamoDbRegistry, "account", lambda self, one: (read.append(one), real(self, one))[1]
    )
    assert (world.sweep(), read) == ({}, [])
