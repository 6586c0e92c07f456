"""Whose turn it is to sweep, against moto."""

from datetime import timedelta

import pytest
from botocore.stub import Stubber

from namely_link.aws.table import Table
from namely_link.aws.turn import SweepTurn
from namely_link.domain.problems import ConflictError, StorageError
from samples import NOW

SOON = NOW + timedelta(seconds=50)


@pytest.fixture
def turn(table: Table) -> SweepTurn:
    return SweepTurn(table=table)


def test_a_turn_is_one_sweeps(turn: SweepTurn) -> None:
    assert turn.take(now=NOW, until=SOON)
    assert turn.take(now=SOON - timedelta(seconds=1), until=SOON) == ""


def test_a_turn_ends_by_its_time(turn: SweepTurn) -> None:
    first = turn.take(now=NOW, until=SOON)
    assert turn.take(now=SOON, until=SOON + timedelta(seconds=50)) not in {"", first}


def test_a_turn_that_is_given_back_is_the_next_ones(turn: SweepTurn) -> None:
    turn.give_back(turn.take(now=NOW, until=SOON), now=NOW)
    assert turn.take(now=NOW, until=SOON)


def test_a_turn_that_is_over_is_not_given_back_for_another_one(turn: SweepTurn) -> None:
    first = turn.take(now=NOW, until=SOON)
    turn.take(now=SOON, until=SOON + timedelta(seconds=50))
    with pytest.raises(ConflictError):
        turn.give_back(first, now=SOON)
    assert turn.take(now=SOON, until=SOON) == ""


@pytest.mark.parametrize("call", ["take", "give_back"])
def test_a_fault_of_dynamodb_is_told(table: Table, turn: SweepTurn, call: str) -> None:
    with Stubber(table.client) as stub:
        stub.add_client_error("put_item", "InternalServerError")
        stub.add_response("get_item", {})
        with pytest.raises(StorageError):
            turn.take(now=NOW, until=SOON) if call == "take" else turn.give_back("x", now=NOW)


def test_a_turn_whose_answer_was_lost_is_taken(dynamodb, turn: SweepTurn) -> None:
    put = dynamodb.put_item

    def lose(**asked: object) -> None:
        put(**asked)
        raise dynamodb.exceptions.InternalServerError({"Error": {"Code": "x"}}, "PutItem")

    dynamodb.put_item = lose
    assert turn.take(now=NOW, until=SOON)
