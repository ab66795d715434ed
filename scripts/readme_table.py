"""Write the table of papers into README.md, between its two markers.

python scripts/readme_table.py           write it
python scripts/readme_table.py --check   exit 1 when it is not up to date
"""

from __future__ import annotations

import sys

from facts import MEANING, ROOT, STATUS, address, first_sentence, status, table

from collegium.catalog import kinds, papers

README = ROOT / "README.md"
BEGIN = "<!-- papers: written by scripts/readme_table.py -->"
END = "<!-- end of papers -->"


def papers_table() -> str:
    """The table: kind by kind in the order of the taxonomy, then by name."""
    order = list(kinds())
    rows = [
        (f"[{p.name}]({address(p)})", p.kind, first_sentence(p.summary), status(p))
        for p in sorted(papers(), key=lambda p: (order.index(p.kind), p.name.casefold()))
    ]
    there = sum(status(p) != STATUS["missing"] for p in papers())
    verb = "runs" if there == 1 else "run"
    intro = f"{there} of {len(rows)} papers {verb} so far. Status: {MEANING}"
    return f"{intro}\n\n{table(('paper', 'kind', 'what it does', 'status'), rows)}"


def renewed(text: str) -> str:
    """README.md with the table of now between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"README.md must hold the lines {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n\n{papers_table()}\n\n{END}{after}"


def main() -> int:
    """Write or check; returns the exit status."""
    text = README.read_text(encoding="utf-8")
    new = renewed(text)
    if "--check" in sys.argv[1:]:
        if new != text:
            print("README.md is not up to date; run: python scripts/readme_table.py")
        return int(new != text)
    if new != text:
        README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
