"""The commands that look things up: papers, one paper, systems, benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from rich.text import Text

from collegium.catalog import (
    Paper,
    find,
    implementing_modules,
    measured_figures,
    paper,
    papers,
    parse_facet,
    results_folder,
    status_of,
)
from collegium.commands.show import (
    STATUS_STYLE,
    UNBROKEN,
    console,
    heading,
    parameters_table,
    print_indented,
    print_json,
    print_table,
    table,
    type_name,
)
from collegium.errors import unknown_name
from collegium.systems.system import System, systems

FEW = 10
"""Up to this many papers are listed with their summaries in full."""

OWN_FILES = "Or a .jsonl or .csv of your own: question, answer, optional choices, tests."
NOT_HERE = "What those that are not here need: collegium benchmarks --json"


def list_papers(query: str, kind: str | None, facets: list[str], as_json: bool) -> None:
    """Print the papers that match."""
    found = find(query, kind=kind, facets=dict(map(parse_facet, facets)))
    status = _statuses([p.slug for p in found])
    if as_json:
        print_json([_paper_data(p, status[p.slug]) for p in found])
        return
    out = console()
    if not found:
        out.print("No paper matches.")
        return
    wide = [max(len(p.slug) for p in found), 8, max(len(p.kind) for p in found)]
    full = len(found) <= FEW and out.width < UNBROKEN
    name = max(len(p.name) for p in found)
    summaries = not full and out.width > sum(wide) + name + 40
    if not full:
        heads = (*map(str.ljust, ("paper", "status", "kind"), wide), "year", "name".ljust(name))
        out.print(
            heading("  ".join((*heads, "summary" * summaries))), no_wrap=True, overflow="ellipsis"
        )
    for p in found:
        line = Text()
        line.append(p.slug.ljust(wide[0]), style="bold cyan")
        line.append(f"  {status[p.slug].ljust(wide[1])}", style=STATUS_STYLE[status[p.slug]])
        line.append(f"  {p.kind.ljust(wide[2])}  {p.year}  ")
        line.append(p.name.ljust(name) if summaries else p.name)
        if summaries:
            line.append(f"  {p.summary}", style="dim")
        out.print(line, no_wrap=True, overflow="ellipsis")
        if full:
            print_indented(f"{p.summary}\n", out, by=4)
    if out.is_terminal:
        number = f"{len(found)} paper{'s' * (len(found) > 1)}"
        out.print(Text(f"{number}; one in full: collegium show SLUG", style="dim"))


def show(name: str, as_json: bool) -> None:
    """Print one paper or one system in full.

    Raises:
        UnknownName: There is neither of that name.
    """
    known, slugs = systems(), [p.slug for p in papers()]
    if name in slugs:
        entry = paper(name)
        of_paper = [s for s in known.values() if s.paper == name]
        if as_json:
            print_json(_full_data(entry, of_paper))
        else:
            _print_paper(entry, of_paper)
    elif name in known:
        if as_json:
            print_json(_system_data(known[name]))
        else:
            _print_system(known[name])
    else:
        raise unknown_name("paper or system", name, {*slugs, *known})


def list_systems(as_json: bool) -> None:
    """Print every registered system with its parameters."""
    known = systems()
    if as_json:
        print_json([_system_data(s) for s in known.values()])
        return
    out = console()
    made = table("system", "parameters", "what it does")
    made.columns[0].no_wrap = True
    made.columns[0].style = "bold cyan"
    for s in known.values():
        listed = "\n".join(f"{name}={default!r}" for name, (_, default) in s.parameters.items())
        if out.width == UNBROKEN:
            listed = listed.replace("\n", ",")
        made.add_row(s.name, listed, s.summary)
        if out.width < UNBROKEN:
            made.add_section()
    print_table(made, out)


def list_benchmarks(as_json: bool) -> None:
    """Print the benchmarks, and of those that are not here what they need."""
    from collegium.tasks import benchmarks

    known = benchmarks()
    if as_json:
        print_json(known)
        return
    out = console()
    made = table("benchmark", "answer", "questions", "here", "what it is", right=("questions",))
    made.columns[0].no_wrap = True
    made.columns[0].style = "bold cyan"
    for b in known:
        # Of a set that is here in part, how much; a generated one has no number.
        size = "any" if b.size is None else f"{b.present if b.available else b.size:,}"
        here = Text("yes", style="green") if b.available else Text("no", style="yellow")
        made.add_row(b.name, b.answer or "depends", size, here, b.description)
    print_table(made, out)
    if out.is_terminal:
        out.print()
        out.print(Text(OWN_FILES, style="dim"))
        if not all(b.available for b in known):
            out.print(Text(NOT_HERE, style="dim"))


def _statuses(slugs: list[str]) -> dict[str, str]:
    """How far each paper is implemented."""
    registered = {s.paper for s in systems().values() if s.paper} | {*implementing_modules()}
    results = results_folder()
    return {slug: status_of(slug, registered=registered, results=results) for slug in slugs}


def _paper_data(entry: Paper, status: str) -> dict[str, Any]:
    return {**msgspec.to_builtins(entry), "status": status}


def _full_data(entry: Paper, of_paper: list[System]) -> dict[str, Any]:
    status = _statuses([entry.slug])[entry.slug]
    return {
        **_paper_data(entry, status),
        "systems": [_system_data(s) for s in of_paper],
        "modules": _modules(entry.slug, of_paper),
        "measured": measured_figures(entry.slug, results_folder()),
    }


def _modules(slug: str, of_paper: list[System]) -> list[str]:
    """Where a paper is implemented."""
    return sorted({s.solve.__module__ for s in of_paper} | {*implementing_modules().get(slug, ())})


def _system_data(s: System) -> dict[str, Any]:
    return {
        "name": s.name,
        "paper": s.paper,
        "summary": s.summary,
        "module": s.solve.__module__,
        "parameters": {
            name: {"type": type_name(kind), "default": default}
            for name, (kind, default) in s.parameters.items()
        },
    }


def _print_paper(entry: Paper, of_paper: list[System]) -> None:
    out = console()
    status = _statuses([entry.slug])[entry.slug]
    checks = f"{entry.must_show} checks to pass" if entry.must_show > 1 else "1 check to pass"
    out.print(Text.assemble((entry.name, "bold cyan"), "  ", (entry.title, "bold")))
    facts: list[tuple[str, Text | str]] = [
        ("arXiv", f"{entry.arxiv}, {entry.year}{f', {entry.venue}' if entry.venue else ''}"),
        ("kind", ", ".join(entry.kinds)),
        ("status", Text.assemble((status, STATUS_STYLE[status]), f" ({checks})")),
        ("room", entry.room),
        ("module", ", ".join(_modules(entry.slug, of_paper)) or "none yet"),
    ]
    if entry.repository:
        licence = f" ({entry.repository_licence})" if entry.repository_licence else ""
        facts.append(("their code", f"{entry.repository}{licence}"))
    if entry.see_also:
        facts.append(("see also", ", ".join(entry.see_also)))
    _print_facts(facts)
    out.print()
    out.print(entry.summary)
    out.print()
    out.print(heading("Facets"))
    _print_facts([(name, ", ".join(values)) for name, values in entry.facets.items()])
    for name, note in entry.facet_notes.items():
        print_indented(f"{name}: {note}", out, "dim")
    for s in of_paper:
        out.print()
        out.print(heading(f"System {s.name}"))
        print_table(parameters_table(s.parameters), out)
    out.print()
    out.print(heading("Published figures"))
    figures = table("setting", "figure", "models", "source")
    for h in entry.headline:
        figures.add_row(h.setting, h.figure, h.models, h.source)
    print_table(figures, out)
    _print_measured(entry.slug)


def _print_measured(slug: str) -> None:
    out = console()
    measured = measured_figures(slug, results_folder())
    out.print()
    out.print(heading("Measured here"))
    if not measured:
        out.print("  nothing yet")
        return
    numbers = ("n", "accuracy", "95% interval", "tokens/task")
    made = table("system", "benchmark", "model", *numbers, right=numbers)
    for m in measured:
        tokens = "" if m.tokens_per_task is None else f"{m.tokens_per_task:,.0f}"
        interval = f"{100 * m.ci_low:.1f} to {100 * m.ci_high:.1f}"
        made.add_row(
            m.system, m.benchmark, m.model, f"{m.n:,}", f"{100 * m.accuracy:.1f}%", interval, tokens
        )
    print_table(made, out)
    for file in sorted({m.file for m in measured}):
        out.print(Text(f"  {_near(file)}", style="dim"))


def _print_system(s: System) -> None:
    out = console()
    kind = f"paper {s.paper}" if s.paper else "a baseline"
    out.print(Text.assemble((s.name, "bold cyan"), f"  {kind}, {s.solve.__module__}"))
    out.print()
    out.print(s.summary)
    out.print()
    print_table(parameters_table(s.parameters), out)


def _print_facts(facts: list[tuple[str, Text | str]]) -> None:
    """Names and values in two aligned columns."""
    out = console()
    made = table("", "")
    made.show_header, made.box = False, None
    made.columns[0].style, made.columns[0].no_wrap = "dim", True
    made.columns[0].min_width = max(len(name) for name, _ in facts) + 2
    for name, value in facts:
        made.add_row(f"  {name}", value)
    print_table(made, out)


def _near(file: Path) -> str:
    """A path as seen from the working folder, where it lies below it."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)
