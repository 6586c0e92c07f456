"""DynamoDB's sizes and units, by its documented rules: what a write of a real row takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

type Item = Mapping[str, Any]

WRITE_UNIT: Final = 1024
READ_UNIT: Final = 4096
OVERHEAD: Final = 100
"""Bytes that each item, and each entry of an index, takes beyond its own size in storage."""


@dataclass(frozen=True)
class Index:
    """A global secondary index: its key attributes, and whether it holds whole items."""

    name: str
    keys: tuple[str, ...]
    whole: bool

    def entry(self, item: Item | None) -> Item | None:
        """Return what of an item is in the index, None for nothing."""
        if item is None or any(key not in item for key in self.keys):
            return None
        kept = {"pk", "sk", *self.keys}
        return item if self.whole else {key: item[key] for key in kept}


def size(item: Item) -> int:
    """Return the bytes of an item, of names and values."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Mapping[str, Any]) -> int:
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "B":
            return len(inner)
        case "N":
            return math.ceil(len(inner.strip("-0.").replace(".", "")) / 2) + 1
        case "M":
            return 3 + sum(1 + len(key.encode()) + _size(one) for key, one in inner.items())
        case "L":
            return 3 + sum(1 + _size(one) for one in inner)
        case "BOOL" | "NULL":
            return 1
        case _:
            msg = f"no size for {kind}"
            raise ValueError(msg)


def write_units(
    old: Item | None, new: Item | None, indexes: Iterable[Index], *, transaction: bool = False
) -> int:
    """Return what a write takes: twice in a transaction for the item, once for each index.

    An index is written where its entry changes, and twice where the entry's place does.
    """
    item = _units(max(size(old or {}), size(new or {}), 1))
    return item * (1 + transaction) + sum(_index_units(one, old, new) for one in indexes)


def _index_units(index: Index, old: Item | None, new: Item | None) -> int:
    before, after = index.entry(old), index.entry(new)
    if before == after:
        return 0
    if before is None or after is None:
        return _units(size(after or before or {}))
    if any(before[key] != after[key] for key in index.keys):
        return _units(size(before)) + _units(size(after))
    return _units(max(size(before), size(after)))


def _units(bytes_: int) -> int:
    return math.ceil(bytes_ / WRITE_UNIT)


def read_units(items: Iterable[Item], *, consistent: bool) -> float:
    """Return what reading items together takes; finding none takes as much as a small one."""
    units = max(math.ceil(sum(size(one) for one in items) / READ_UNIT), 1)
    return units if consistent else units / 2


def stored(item: Item, indexes: Iterable[Index]) -> tuple[int, int]:
    """Return the bytes that an item takes in the table, and in all indexes together."""
    entries = (one.entry(item) for one in indexes)
    return size(item) + OVERHEAD, sum(size(one) + OVERHEAD for one in entries if one)
