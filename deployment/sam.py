"""SAM's command line, as `make deploy` and `make run` have it."""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING, Final

from deployment.target import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAM: Final = ROOT / ".venv-sam" / "bin" / "sam"


@contextlib.contextmanager
def building(root: Path) -> Iterator[Path]:
    """Hold the folder that SAM builds in: it can't build twice at once there."""
    made = root / ".aws-sam"
    made.mkdir(exist_ok=True)
    with (made / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield made
