"""`make shapes`: writes every file that is made from the shapes; `--check` names stale ones."""

from __future__ import annotations

import argparse
import sys

from shapes.files import ROOT, made


def main() -> int:
    """Write what is stale; with `--check`, only say so."""
    parser = argparse.ArgumentParser(prog="make shapes", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it is stale")
    asked = parser.parse_args()
    stale = {
        path: text
        for path, text in made().items()
        if not (file := ROOT / path).exists() or file.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        print(path)
        if not asked.check:
            (ROOT / path).write_text(text, encoding="utf-8")
    return int(bool(stale) and asked.check)


if __name__ == "__main__":
    sys.exit(main())
