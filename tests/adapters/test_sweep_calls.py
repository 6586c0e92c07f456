"""How many calls a sweep makes by the product's own clients; `make sweep-bench` tells the time."""

import json
from math import ceil

from bench.sweep import account, aws
from namely_link import bootstrap
from namely_link.aws.table import SHARDS, _shard
from namely_link.commands.sweep import sweep
from namely_link.settings import SweepSettings

DUE = 1000


def test_a_thousand_due_accounts_take_one_point_one_calls_each() -> None:
    with aws(due=DUE) as made:
        swept = sweep(bootstrap.sweep_ports(SweepSettings.read()))
    assert swept
    assert (swept.done, swept.faults) == ({"queued": DUE}, {})
    assert {json.loads(one)["account_id"] for one in made.asked} == {
        account(number).id for number in range(DUE)
    }
    shards = [_shard(account(number).id) for number in range(DUE)]
    of_each = [shards.count(str(one)) for one in range(SHARDS)]
    assert made.calls == {
        "Query": SHARDS,
        "BatchGetItem": sum(ceil(one / 100) for one in of_each),
        "PutItem": DUE + 2,  # the turn is taken and given back
        "SendMessageBatch": sum(ceil(one / 10) for one in of_each),
    }
    assert made.calls.total() == 1130


def test_a_sweep_where_nothing_is_due_makes_ten_calls() -> None:
    with aws(due=0) as made:
        assert sweep(bootstrap.sweep_ports(SweepSettings.read()))
    assert made.calls == {"Query": SHARDS, "PutItem": 2}
