"""`make cost`: writes what a month costs into docs/cost.md, and prints it; `make memory` measures.

`--measure` runs each function against the emulator first, for a minute, and keeps what it took.
"""

from __future__ import annotations

import argparse

from estimate import memory
from estimate.measure import measure
from estimate.report import PATH, page
from estimate.stories import play


def main() -> None:
    """Measure, if asked to; then write and print."""
    parser = argparse.ArgumentParser(prog="make cost", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the functions anew")
    if parser.parse_args().measure:
        memory.write(measure())
    text = page(play())
    PATH.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
