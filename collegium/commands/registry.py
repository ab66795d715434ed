"""The commands ``registry``: which benchmark to use, what is missing, who is ahead, who drops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from collegium.bench.leaderboard import Board
    from collegium.catalog.benchmarks import BenchmarkRow

registries = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="Which benchmark measures what, what is missing here, and results side by side.",
)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]


@registries.command(name="list")
def list_(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words to look for.")] = "",
    category: Annotated[
        str, typer.Option(metavar="NAME", help="One of the eight, or a word of it.")
    ] = "",
    skill: Annotated[str, typer.Option(metavar="NAME", help="What it must take, as coding.")] = "",
    interaction: Annotated[
        str, typer.Option(metavar="KIND", help="static, tool, multi-turn or environment.")
    ] = "",
    here: Annotated[bool, typer.Option("--here", metavar="", help="Only what runs here.")] = False,
    unverified: Annotated[
        bool,
        typer.Option("--unverified", metavar="", help="Only rows nobody checked at the source."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List benchmarks by category, skill and interaction; those that run here first."""
    from rich.text import Text

    from collegium.catalog.benchmarks import find_benchmarks, registry
    from collegium.commands.show import console, print_json, print_table, table

    rows = find_benchmarks(
        registry(),
        query=query,
        category=category,
        skill=skill,
        interaction=interaction,
        offline=True if here else None,
        verified=False if unverified else None,
    )
    if as_json:
        print_json([_data(row) for row in rows])
        return
    out = console()
    if not rows:
        out.print("No benchmark matches.")
        return
    made = table("benchmark", "year", "here", "category", "interaction", "risk", "what it measures")
    made.columns[0].style = "bold cyan"
    for row in rows:
        here_as = Text(row.runs_as, style="green") if row.offline else Text("no", style="dim")
        name = f"{row.name}{'' if row.verified else ' *'}"
        made.add_row(name, str(row.year), here_as, row.category, row.interaction,
                     row.contamination, row.measures)  # fmt: skip
    print_table(made, out)
    if any(not row.verified for row in rows):
        out.print(Text("* not checked against its publisher's release", style="dim"))


@registries.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A benchmark; or skills, problems, protocols ...")
    ],
    as_json: Json = False,
) -> None:
    """Show a benchmark, or all applications, categories, problems, protocols or skills."""
    from collegium.catalog.benchmarks import registry
    from collegium.commands.show import console, print_json, print_table, table

    known = registry()
    lists = {
        "applications": known.applications,
        "categories": known.categories,
        "problems": known.problems,
        "protocols": known.protocols,
    }
    if name in lists:
        _list(lists[name], as_json)
        return
    data = known.skills if name == "skills" else _data(known.row(name))
    if as_json:
        print_json(data)
        return
    made = table("", "")
    made.show_header = False
    made.columns[0].style = "dim"
    for key, value in data.items():
        if value not in ("", None, [], ()):
            made.add_row(key.replace("_", " "), _cell(value))
    print_table(made, console())


@registries.command()
def gaps(as_json: Json = False) -> None:
    """Name what nothing here covers: categories, fields of application, open problems."""
    from collegium.catalog import implementing_modules
    from collegium.catalog.benchmarks import gaps, registry
    from collegium.commands.show import console, heading, print_indented, print_json
    from collegium.systems import systems

    known = systems()
    built = {s.paper for s in known.values() if s.paper} | {*implementing_modules()}
    found = gaps(registry(), built, known)
    if as_json:
        print_json(found)
        return
    out = console()
    for title, names in (
        ("Categories of which no benchmark runs here", found.without_benchmark),
        ("Categories in which no system here works", found.without_system),
        ("Fields of application with nothing to try", found.without_demo),
        ("Open problems no system here works on", found.without_work),
    ):
        out.print(heading(title))
        for name in names or ("none",):
            print_indented(name, out)


@registries.command()
def frameworks(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN|FILE", help="Add the systems of this run, read from it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare frameworks, and the systems of a run as its trace shows them, in one table."""
    from collegium.bench.features import features
    from collegium.catalog.benchmarks import registry
    from collegium.commands.trace import from_file, from_store, is_file
    from collegium.errors import BadInput
    from collegium.kernel import Event
    from collegium.systems.system import systems

    rows = list(registry().frameworks)
    if run is not None:
        events, _, row = from_file(Path(run)) if is_file(run) else from_store(run)
        # A run of one system names it in its plan and not at each event.
        alone = str(row.spec.get("system", "")) if row is not None else ""
        by_system: dict[str, list[Event]] = {}
        for name, _, event in events:
            by_system.setdefault((name or alone).partition(":")[0], []).append(event)
        known = systems()
        if not by_system.keys() & known.keys():
            raise BadInput(f"run {run!r} does not say which system ran; name a run of the store.")
        rows += [features(known[n], found) for n, found in by_system.items() if n in known]
    _list(rows, as_json)


@registries.command()
def leaderboard(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Reports; without any, all of the results folder."),
    ] = None,
    baseline: Annotated[
        str, typer.Option(metavar="SYSTEM", help="Test the others against this one.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Put reports side by side; refuses other models, questions or budgets, and names them."""
    from collegium.bench.leaderboard import board, grouped, read_report, reports_below
    from collegium.catalog import results_folder
    from collegium.commands.show import console, print_json

    if files:
        boards = [board([read_report(file) for file in files], baseline)]
    else:
        folder = results_folder()
        groups = grouped(reports_below(folder)) if folder else []
        boards = [board(group, baseline) for group in groups]
    if as_json:
        print_json(boards[0] if files else boards)
        return
    if not boards:
        console().print("No results yet.")
    for one in boards:
        _print_board(one)


@registries.command()
def drop(
    original: Annotated[
        Path, typer.Argument(metavar="ORIGINAL", help="report.json on gsm8k-twin:original.")
    ],
    changed: Annotated[Path, typer.Argument(metavar="TWIN", help="report.json on gsm8k-twin.")],
    as_json: Json = False,
) -> None:
    """Say how much worse each system is when the numbers of known questions are changed."""
    from collegium.bench.leaderboard import drops, read_report
    from collegium.commands.show import console, label, print_json, print_table, table

    found = drops(read_report(original), read_report(changed))
    if as_json:
        print_json(found)
        return
    numbers = ("pairs", "original", "twin", "drop", "95% interval", "p")
    made = table("system", *numbers, right=numbers)
    for d in found:
        test = d.difference
        made.add_row(
            label(d.system, 40),
            str(d.pairs),
            f"{d.original:.1%}",
            f"{d.changed:.1%}",
            f"{100 * test.difference:+.1f}",
            f"{100 * test.low:+.1f} to {100 * test.high:+.1f}",
            f"{test.p:.3f}",
        )
    print_table(made, console())


def _print_board(one: Board) -> None:
    from rich.text import Text

    from collegium.commands.show import console, heading, label, print_table, table

    out = console()
    budget = "no budget" if one.budget is None else f"{one.budget:,} tokens each"
    out.print(heading(f"{one.benchmark} ({one.split}), n = {one.n}, {one.model}, {budget}"))
    heads = ("right", "95% interval", "tokens/task", "tokens/solved")
    tested = ("difference", "p") if one.baseline else ()
    made = table("system", *heads, *tested, right=(*heads, *tested))
    for p in one.places:
        solved = "-" if p.tokens_per_solved is None else f"{p.tokens_per_solved:,.0f}"
        cells = [f"{p.accuracy:.1%}", f"{100 * p.low:.1f} to {100 * p.high:.1f}",
                 f"{p.tokens_per_task:,.0f}", solved]  # fmt: skip
        if tested:
            test = p.against
            cells += (
                ["", ""] if test is None else [f"{100 * test.difference:+.1f}", f"{test.p:.3f}"]
            )
        made.add_row(label(p.system, 40), *cells)
    print_table(made, out)
    if not one.ranked:
        said = f"No ranking, the spends differ by a factor of {one.spend:.1f}; cheapest first."
        out.print(Text(said, style="yellow"))
    if one.baseline and all(p.against is None for p in one.places):
        out.print(Text("No tests: these reports hold neither outcomes nor tests.", style="dim"))
    out.print(Text(f"measured {_days(one.created)}", style="dim"))
    out.print()


def _days(created: tuple[str, str]) -> str:
    first, last = created[0][:10], created[1][:10]
    return first if first == last else f"{first} to {last}"


def _data(row: BenchmarkRow) -> dict[str, object]:
    import msgspec

    return {**msgspec.to_builtins(row), "offline": row.offline}


def _list(rows: object, as_json: bool) -> None:
    """Rows of one kind as a table, or as JSON."""
    import msgspec

    from collegium.commands.show import console, print_json, print_table, table

    if as_json:
        print_json(rows)
        return
    records = msgspec.to_builtins(rows)
    made = table(*(name.replace("_", " ") for name in records[0]))
    made.columns[0].style = "bold cyan"
    for record in records:
        made.add_row(*(_cell(value) for value in record.values()))
    print_table(made, console())


def _cell(value: object) -> str:
    """A value as a cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_cell(v)}" for k, v in value.items() if v not in ("", None))
    if isinstance(value, list | tuple):
        return "; ".join(map(_cell, value))
    return str(value)
