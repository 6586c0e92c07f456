"""Where `make run` keeps what it makes, and what it has written down there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from local.processes import LocalError

STATE: Final = Path(__file__).parent.parent / ".local"


def read_run() -> dict[str, Any]:
    """Return what `make run` has written.

    Raises:
        LocalError: nothing runs here.
    """
    path = Path(os.environ.get("LOCAL_STATE", STATE)) / "run.json"
    if not path.exists():
        msg = "Nothing runs here: start `make run` first."
        raise LocalError(msg)
    run: dict[str, Any] = json.loads(path.read_text())
    return run
