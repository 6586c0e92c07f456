"""docs/cost.md: what the real functions take, times the prices."""

import pytest

from estimate import capacity, memory
from estimate.bill import bill
from estimate.house import TABLE
from estimate.report import PATH, page, share
from estimate.stories import Played, play
from namely_link.aws import table


@pytest.fixture(scope="module")
def played() -> Played:
    return play()


def test_the_page_is_what_the_command_computes(played: Played) -> None:
    assert PATH.read_text(encoding="utf-8") == page(played), "make cost"


@pytest.mark.parametrize("accounts", [100_000, 1_000_000])
def test_secrets_manager_is_nearly_all_of_the_bill(played: Played, accounts: int) -> None:
    assert share(bill(accounts, played, memory.seconds(memory.read()))) > 0.98


def test_the_row_that_is_billed_is_one_that_the_codec_writes(played: Played) -> None:
    account = table.row_of(dict(played.row))
    assert capacity.size(table.written(account)) == capacity.size(played.row)
    assert f"secret:{account.secret_name}" in account.secret.arn
    assert TABLE.startswith("namely-link-Table-")


def test_a_check_reads_one_secret_and_is_once_a_day(played: Played) -> None:
    assert played.stories["check"]["secretsmanager:GetSecretValue"] == 1
    assert played.check_hours == 24


def test_a_link_creates_one_secret_and_tells_of_it_once(played: Played) -> None:
    link = played.stories["link"]
    assert (link["secretsmanager:CreateSecret"], link["event"]) == (1, 1)


def test_a_check_takes_at_most_half_of_the_24_write_units_that_it_once_took(played: Played) -> None:
    assert capacity.size(played.row) < 1024
    assert 0 < round(played.stories["check"]["write"], 6) <= 12
