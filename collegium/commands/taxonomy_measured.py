"""What the command ``taxonomy measured`` prints."""

from __future__ import annotations

from pathlib import Path

import msgspec

from collegium.bench.leaderboard import reports_below
from collegium.bench.taxonomy.measured import measured
from collegium.catalog import results_folder
from collegium.commands.show import console, print_json, print_table, table
from collegium.errors import BadInput


def show_measured(facets: list[str], folder: Path | None, as_json: bool) -> None:
    """Show what comparisons say of each kind of system.

    Raises:
        BadInput: There is no such folder.
        UnknownName: There is no such facet.
    """
    chosen = folder if folder is not None else results_folder()
    if folder is not None and not folder.is_dir():
        raise BadInput(f"there is no folder {folder}; give one with a folder for each benchmark.")
    cells = measured(reports_below(chosen) if chosen else [], facets)
    if as_json:
        verdicts = ("better", "not told apart", "worse")
        print_json(
            [
                {**msgspec.to_builtins(c), "mean_difference": c.mean_difference,
                 **{v: c.count(v) for v in verdicts}}
                for c in cells
            ]
        )  # fmt: skip
        return
    out = console()
    if not cells:
        out.print("No comparison there is holds a system of a paper beside a baseline.")
        return
    made = table(
        "facet", "value", "systems", "better", "not told apart", "worse", "mean difference",
        right=("systems", "better", "not told apart", "worse", "mean difference"),
    )  # fmt: skip
    for cell in cells:
        made.add_row(
            cell.facet,
            cell.value,
            str(len(cell.held)),
            str(cell.count("better")),
            str(cell.count("not told apart")),
            str(cell.count("worse")),
            f"{100 * cell.mean_difference:+.1f} points",
        )
    print_table(made, out)
