"""The arithmetic of docs/cost.md: sizes, units, prices, and the memory that the template gives."""

import re

import pytest

from estimate import bill, capacity, deployed, memory
from estimate.bill import Assumptions, Line
from estimate.capacity import Index
from estimate.house import Counts
from estimate.memory import Bound, Measured, Work
from estimate.prices import GB, PRICES
from estimate.stories import Played
from templates import ROOT, TEMPLATE

KEYS = Index("due", ("shard", "at"), whole=False)
WHOLE = Index("all", ("list", "pk"), whole=True)


def item(**values: str) -> capacity.Item:
    keys = {"pk": {"S": "p"}, "sk": {"S": "s"}}
    return keys | {name: {"S": value} for name, value in values.items()}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "7"}, 2),
        ({"N": "-12345"}, 4),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"B": b"abc"}, 3),
        ({"M": {"ab": {"S": "c"}}}, 3 + 1 + 2 + 1),
        ({"L": [{"S": "c"}, {"NULL": True}]}, 3 + 1 + 1 + 1 + 1),
    ],
)
def test_a_value_has_the_size_that_dynamodb_documents(value, size: int) -> None:
    assert capacity.size({"name": value}) == 4 + size


def test_what_has_no_documented_size_is_refused() -> None:
    with pytest.raises(ValueError, match="no size for X"):
        capacity.size({"name": {"X": ""}})


@pytest.mark.parametrize(("more", "units"), [(0, 1), (1018, 1), (1019, 2), (2043, 3)])
def test_a_write_takes_a_unit_for_each_kilobyte_begun(more: int, units: int) -> None:
    row = {"pk": {"S": "p"}, "s": {"S": "s"}, "v": {"S": "x" * more}}
    assert capacity.size(row) == 6 + more
    assert capacity.write_units(None, row, []) == units
    assert capacity.write_units(row, None, []) == units


def test_a_transaction_doubles_the_item_and_not_its_indexes() -> None:
    row = item(list="all")
    assert capacity.write_units(None, row, [WHOLE]) == 1 + 1
    assert capacity.write_units(None, row, [WHOLE], transaction=True) == 2 + 1


@pytest.mark.parametrize(
    ("old", "new", "units"),
    [
        (item(), item(), 0),
        (item(), item(shard="1"), 0),
        (item(), item(shard="1", at="1"), 1),
        (item(shard="1", at="1"), item(), 1),
        (item(shard="1", at="1"), item(shard="1", at="1", other="x"), 0),
        (item(shard="1", at="1"), item(shard="1", at="2"), 2),
    ],
    ids=["never in it", "not quite", "put in", "taken out", "beside it", "moved"],
)
def test_an_index_is_written_where_its_entry_changes(old, new, units: int) -> None:
    assert capacity.write_units(old, new, [KEYS]) == 1 + units


def test_an_index_of_whole_items_is_written_with_every_change() -> None:
    assert capacity.write_units(item(list="all"), item(list="all", other="x"), [WHOLE]) == 1 + 1


@pytest.mark.parametrize(("more", "units"), [(0, 1), (4090, 1), (4091, 2)])
def test_a_read_takes_a_unit_for_each_four_kilobytes_begun(more: int, units: int) -> None:
    row = {"pk": {"S": "p"}, "s": {"S": "s"}, "v": {"S": "x" * more}}
    assert capacity.read_units([row], consistent=True) == units
    assert capacity.read_units([row], consistent=False) == units / 2


def test_finding_nothing_takes_a_read_as_well() -> None:
    assert capacity.read_units([], consistent=False) == 0.5


def test_what_is_stored_has_an_overhead_for_each_entry() -> None:
    assert capacity.stored(item(list="all"), [WHOLE, KEYS]) == (6 + 7 + 100, 6 + 7 + 100)


# The bill


def counts(**values: float) -> Counts:
    made = Counts()
    made.add({name.replace("__", ":"): one for name, one in values.items()})
    return made


ROW = item(checked_at="2026-11-24T12:00:00Z", next_check_at="2026-11-25T12:00:00Z")
NOTHING = dict.fromkeys(
    ("idle", "comparison", "link", "after a link", "page", "accounts page", "failure", "list"),
    counts(),
)
TINY = Played(
    stories=NOTHING
    | {
        "check": counts(
            write=4,
            read=2,
            lambda__check=0.5,
            log=1000,
            sqs__SendMessage=0.1,
            secretsmanager__GetSecretValue=1,
        ),
        "link": counts(
            rest=3,
            event=1,
            event_bytes=2000,
            secretsmanager__CreateSecret=1,
            lambda__link=2,
        ),
    },
    row=ROW,
    beside=50,
)
SECONDS = {"check": 2.0, "link": 0.0, "due": 0.0}
ONE_LINK_EACH = Assumptions(links=1, openings=0, failures=0, lists=0, reads=1, traced=0)


def taken(accounts: int = 1000) -> dict[str, Line]:
    made = bill.bill(accounts, TINY, SECONDS, ONE_LINK_EACH)
    return {one.price: one for one in made.lines}


@pytest.mark.parametrize(
    ("price", "units", "usd"),
    [
        ("secret", 1000, 400),
        # 730 hours: 30.4 checks of each account; one link, and one read by somebody else
        ("secret_call", 1000 * (730 / 24 + 1 + 1), 0.1621),
        ("write", 1000 * 730 / 24 * 4, 0.0760),
        ("read", 1000 * 730 / 24 * 2, 0.0076),
        ("lambda_request", 1000 * (730 / 24 * 0.5 + 2), 0.0034),
        ("sqs", 1000 * 730 / 24 * 0.1 + 5 * 730 * 180, 0.2640),
        ("event", 1000, 0.001),
        ("rest", 3000, 0.0105),
        ("key", 1, 1),
        # each read, and for a new secret a data key and a look at the key
        ("key_request", 1000 * (730 / 24 + 1 + 2), 0.1003),
        ("log", 1000 * 730 / 24 * 1000, 0.0142),
        # in each second less than one: all
        ("trace", 1000 * (730 / 24 * 0.5 + 2), 0.0860),
    ],
)
def test_a_bill_is_what_happens_times_its_price(price: str, units: float, usd: float) -> None:
    line = taken()[price]
    assert line.units == pytest.approx(units)
    assert line.usd == pytest.approx(usd, abs=0.0001)


def test_lambda_is_billed_by_the_memory_of_the_template() -> None:
    used = 1000 * 730 / 24 * 0.5 * 2.0 * deployed.memory("check") / 1024
    assert taken()["lambda_arm64"].units == pytest.approx(used)


def test_what_is_stored_is_billed_with_its_indexes_and_what_is_recoverable_without() -> None:
    table, indexes = capacity.stored(ROW, deployed.INDEXES)
    assert taken()["stored"].usd == pytest.approx(1000 * (table + indexes + 50) / GB * 0.25)
    assert taken()["recoverable"].usd == pytest.approx(1000 * (table + 50) / GB * 0.20)


def test_beyond_the_quota_of_secrets_there_is_another_stack_with_what_is_fixed() -> None:
    one, two = taken(500_000), taken(500_001)
    for fixed in ("key", "metric", "alarm", "dashboard"):
        assert two[fixed].units == 2 * one[fixed].units


def test_x_ray_records_one_a_second_and_a_share_of_the_rest() -> None:
    busy = counts(lambda__check=2 * 730 * 3600)
    found = bill.traces(busy, 1, Assumptions(traced=0.05))
    assert found == pytest.approx(730 * 3600 * 1.05)


def test_what_passes_its_traces_through_records_none() -> None:
    assert bill.traces(counts(lambda__pages=1000), 1, Assumptions()) == 0


def test_every_price_is_on_the_bill() -> None:
    assert set(PRICES) - set(taken()) == {"lambda_x86_64"}


def test_the_metrics_that_are_billed_are_those_that_the_runbook_explains() -> None:
    table = (ROOT / "docs/operations.md").read_text().partition("\n## Metrics\n")[2]
    rows = [row.split("|") for row in table.partition("\n## ")[0].splitlines() if "| `" in row]
    documented = {(row[2].strip(), name) for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert deployed.metrics() == {one for one in documented if one[0] in deployed.FUNCTIONS}


def test_what_is_made_only_when_asked_for_is_not_billed() -> None:
    conditional = {
        name
        for name, one in TEMPLATE["Resources"].items()
        if one.get("Condition") in {"Webhook", "Archives"}
    }
    assert conditional & deployed.RESOURCES.keys() == {"Archive"}


def test_metrics_of_each_method_which_would_be_billed_are_not_asked_for() -> None:
    settings = TEMPLATE["Resources"]["Api"]["Properties"]["MethodSettings"]
    assert not any(one.get("MetricsEnabled") for one in settings)


# Memory


def test_with_less_memory_only_the_computing_takes_longer() -> None:
    work = Work(cpu=0.1, aws=2, namely=1)
    waits = 2 * 0.010 + 0.150
    assert work.seconds(1769) == pytest.approx(0.1 * memory.SLOWER + waits)
    assert work.seconds(3538) == work.seconds(1769)
    assert work.seconds(256) == pytest.approx(0.1 * memory.SLOWER * 1769 / 256 + waits)


def test_an_invocation_costs_its_gigabyte_seconds_and_a_request() -> None:
    assert Work(cpu=0, aws=100).usd(512) == pytest.approx(0.5 * 0.0000133334 + 0.0000002)


@pytest.mark.parametrize(
    ("waits", "chain"),
    [
        ([], {"aws": 0, "namely": 0}),
        ([("aws", 0, 1), ("aws", 1, 2)], {"aws": 2, "namely": 0}),
        ([("aws", 0, 2), ("aws", 1, 3)], {"aws": 1, "namely": 0}),
        ([("namely", 0, 1), ("aws", 0, 1), ("aws", 2, 3)], {"aws": 1, "namely": 1}),
        ([("aws", 0, 1), ("namely", 0.5, 9), ("aws", 2, 3)], {"aws": 0, "namely": 1}),
    ],
    ids=["none", "one after the other", "at once", "two rounds", "the longest counts"],
)
def test_calls_that_overlap_did_not_wait_for_one_another(waits, chain) -> None:
    assert memory.longest(waits) == chain


@pytest.mark.parametrize(
    ("cpu", "peak", "chosen"),
    [(0.01, 60, 256), (0.2, 60, 512), (0.01, 200, 512), (0.5, 60, 1024)],
    ids=["small", "slow", "large", "slower"],
)
def test_the_cheapest_memory_that_fits_is_the_best(monkeypatch, cpu, peak, chosen) -> None:
    monkeypatch.setitem(memory.BOUNDS, "any", Bound(seconds=2, what="anything"))
    measured = Measured(usual=Work(cpu=0.01, aws=1), worst=Work(cpu=cpu), peak=peak)
    assert memory.best("any", measured) == chosen


@pytest.mark.parametrize("function", memory.BOUNDS)
def test_the_template_gives_the_memory_that_measured_best(function: str) -> None:
    assert deployed.memory(function) == memory.best(function, memory.read()[function])


def test_all_that_people_wait_for_has_the_memory_of_all() -> None:
    own = {name for name, one in deployed.FUNCTIONS.items() if "MemorySize" in one}
    assert own <= set(memory.BOUNDS)
