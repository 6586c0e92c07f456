"""docs/reliability.md, of which `make faults` writes the first part, `make simulate` the second."""

from pathlib import Path

REPORT = Path(__file__).parents[1] / "docs" / "reliability.md"
_SIMULATED = "<!-- Made by `make simulate`; do not edit. -->\n"


def write(*, matrix: str = "", simulated: str = "") -> None:
    """Write one part, and leave the other one as it is."""
    before, _, after = REPORT.read_text().partition(_SIMULATED)
    before, after = matrix or before, simulated or after
    REPORT.write_text(before.rstrip("\n") + (f"\n\n{_SIMULATED}{after}" if after else "\n"))
    print(f"Written: {REPORT.relative_to(Path.cwd())}")
