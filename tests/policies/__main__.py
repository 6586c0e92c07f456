"""`make grants`: writes docs/grants.md."""

from policies.grants import document, table
from templates import ROOT

(ROOT / "docs" / "grants.md").write_text(document(table()))
