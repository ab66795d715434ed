"""The pages of the documentation that are made from data; a hook of mkdocs.

A page per paper and per baseline (facts from the catalog, figures from ``results/``, and the
hand-written part from ``docs/papers/SLUG.md`` or ``docs/baselines/NAME.md`` where there is one),
the list of papers, the comparison by facet, the page of results, and the command reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from by_facet import facet_page
from commands import command_reference
from facts import (
    MEANING,
    ROOT,
    address,
    baselines,
    first_sentence,
    implementations,
    status,
    table,
)
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from collegium.bench.summary import p_value, percent, points
from collegium.catalog import (
    Paper,
    facets,
    implementing_modules,
    kinds,
    paper,
    papers,
    results_folder,
)
from collegium.systems import System

DOCS = ROOT / "docs"
Report = dict[str, Any]


# -- the hook ---------------------------------------------------------------------------------


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every paper into the navigation, by kind, and the baselines after them."""
    by_kind: list[Any] = ["papers/index.md"]
    for kind in kinds():
        pages = [{p.name: f"papers/{p.slug}.md"} for p in papers() if p.kind == kind]
        if pages:
            by_kind.append({kind.capitalize(): pages})
    by_kind.append({"Baselines": [{s.name: f"baselines/{s.name}.md"} for s in baselines()]})
    assert config.nav is not None
    config.nav = [{"Papers": by_kind} if "Papers" in entry else entry for entry in config.nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages; the hand-written parts become parts of them."""
    for path, text in pages():
        known = files.get_file_from_path(path)
        if known is not None:
            files.remove(known)
        files.append(File.generated(config, path, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings name things as Sphinx does; leave the name."""
    return re.sub(r":(?:class|func|meth|mod|data|attr|exc):(?=<code)", "", html)


def pages() -> Iterator[tuple[str, str]]:
    """Path and text of every generated page."""
    yield "papers/index.md", index_page()
    for entry in papers():
        yield f"papers/{entry.slug}.md", paper_page(entry)
    for system in baselines():
        yield f"baselines/{system.name}.md", baseline_page(system)
    yield "compare-by-facet.md", facet_page()
    yield "results.md", results_page()
    yield "guides/commands.md", command_reference()


# -- papers -----------------------------------------------------------------------------------


def index_page() -> str:
    """All papers by kind."""
    parts = [
        "# Papers",
        f"{len(papers())} papers on agents made of language models. {MEANING}",
        "The systems that every comparison needs as a floor are described under "
        + ", ".join(f"[{s.name}](../baselines/{s.name}.md)" for s in baselines())
        + ".",
    ]
    for kind, meaning in kinds().items():
        found = [p for p in papers() if p.kind == kind]
        if found:
            rows = [
                (f"[{p.name}]({p.slug}.md)", p.year, first_sentence(p.summary), status(p))
                for p in found
            ]
            parts += [
                f"## {kind.capitalize()}",
                meaning,
                table(("paper", "year", "what it does", "status"), rows),
            ]
    return joined(parts)


def paper_page(entry: Paper) -> str:
    """Everything there is to say about a paper."""
    built = implementations().get(entry.slug, [])
    parts = [f"# {entry.name}", f"*{entry.title}*", entry.summary, table(*facts(entry, built))]
    parts += implementation(built, DOCS / "papers" / f"{entry.slug}.md")
    parts += ["## Published figures", "What the paper and its sources report, as they report it."]
    rows = [(h.setting, h.figure, h.models or "–", h.source) for h in entry.headline]
    parts.append(table(("setting", "figure", "models", "source"), rows) if rows else "None.")
    parts += measured_section(entry.slug)
    known = facets()
    rows = [
        (name, ", ".join(values), known[name].definition) for name, values in entry.facets.items()
    ]
    parts += ["## Where it is filed", table(("facet", "value", "what the facet says"), rows)]
    parts += [f"{name}: {note}" for name, note in entry.facet_notes.items()]
    if entry.see_also:
        links = ", ".join(f"[{paper(slug).name}]({slug}.md)" for slug in entry.see_also)
        parts += ["## See also", f"{links}."]
    return joined(parts)


def facts(entry: Paper, built: list[System]) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """Head and rows of the table of facts."""
    code = "none found"
    if entry.repository:
        code = f"[{entry.repository}](https://github.com/{entry.repository})"
        code += f" (licence: {entry.repository_licence or 'unknown'})"
    systems = ", ".join(f"`{s.name}`" for s in built)
    rows = [
        ("paper", f"[arXiv {entry.arxiv}]({address(entry)}), {entry.venue}"),
        ("kind", ", ".join(entry.kinds)),
        ("room", f"`{entry.room}`"),
        ("authors' code", code),
        ("status", status(entry)),
        ("numbered checks", str(entry.must_show)),
    ]
    if built:
        rows.append(("system", systems))
    modules = {s.solve.__module__ for s in built} | {*implementing_modules().get(entry.slug, ())}
    if modules:
        rows.append(("module", ", ".join(f"`{m}`" for m in sorted(modules))))
    return ("fact", "value"), rows


def baseline_page(system: System) -> str:
    """A baseline: what it does, its parameters, what it scored."""
    parts = [f"# {system.name}", system.summary]
    parts += implementation([system], DOCS / "baselines" / f"{system.name}.md")
    rows = [row for row in measured_rows() if row[0].partition(":")[0] == system.name]
    return joined([*parts, *measured_table(rows)])


def implementation(built: list[System], hand_written: Path) -> list[str]:
    """How to run it, what was written by hand, and the parameters from the code."""
    parts: list[str] = []
    for system in built:
        parts += [
            "## Run it",
            f'```bash\ncollegium run {system.name} "What is 17 * 23?" --model local\n'
            f"collegium compare direct {system.name} --on gsm-symbolic --limit 20\n```"
            if system.name != "direct"
            else '```bash\ncollegium run direct "What is 17 * 23?" --model local\n```',
        ]
    if hand_written.is_file():
        parts.append(hand_written.read_text(encoding="utf-8").strip())
    for system in built:
        where = f"{system.solve.__module__}.{system.solve.__name__}"
        options = "    options:\n      show_root_heading: true\n      heading_level: 3"
        parts += ["## Parameters", f"::: {where}\n{options}"]
    return parts


MOST_ROWS = 40
"""Longer lists are left to the file."""

# -- results ----------------------------------------------------------------------------------


def reports() -> list[tuple[Path, Report]]:
    """The comparisons among the results, by benchmark, model and file."""
    folder = results_folder()
    found: list[tuple[Path, Report]] = []
    for file in sorted(folder.glob("*/*.json")) if folder else ():
        read = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(read, dict) and "systems" in read:
            found.append((file, read))
    return sorted(found, key=lambda one: (one[1]["benchmark"], one[1]["model"], str(one[0])))


def measured_rows(slug: str | None = None) -> list[tuple[str, ...]]:
    """One row per measured system, of one paper or of all."""
    return [
        (
            row["name"],
            f"[{report['benchmark']}](../results.md#{anchor(file)})",
            report["model"],
            str(report["seed"]),
            f"{row['n']:,}",
            percent(row["accuracy"]),
            f"{percent(row['ci_low'])} to {percent(row['ci_high'])}",
            f"{row['tokens_per_task']:,.0f}" if row.get("tokens_per_task") else "–",
        )
        for file, report in reports()
        for row in report["systems"]
        if slug is None or row.get("paper") == slug
    ]


def measured_section(slug: str) -> list[str]:
    """What was measured of a paper."""
    return measured_table(measured_rows(slug))


def measured_table(rows: list[tuple[str, ...]]) -> list[str]:
    """A section of measured figures, or a sentence when there are none."""
    if not rows:
        return ["## Measured here", "Nothing yet."]
    marked = [(f"`{row[0]}`", *row[1:]) for row in rows]
    head = ("system", "benchmark", "model", "seed", "n", "accuracy", "95% interval", "tokens/task")
    return ["## Measured here", table(head, marked)]


def anchor(file: Path) -> str:
    """Where on the page of results a file stands."""
    return f"{file.parent.name}-{file.stem}".lower().replace("_", "-").replace(".", "-")


def results_page() -> str:
    """Every comparison with its command, and the measured speeds."""
    parts = [
        "# Results",
        "Everything on this page is made from the files in `results/` when the site is built. "
        "Accuracy is the share of right answers; its interval is Wilson's at 95%. "
        "[Fair comparison](guides/fair-comparison.md) explains the tests.",
    ]
    found = reports()
    if not found:
        parts.append("No comparison is recorded yet.")
    for benchmark in dict.fromkeys(report["benchmark"] for _, report in found):
        parts.append(f"## {benchmark}")
        for file, report in found:
            if report["benchmark"] == benchmark:
                parts += comparison(file, report)
    return joined([*parts, *studies(), *speeds()])


def comparison(file: Path, report: Report) -> list[str]:
    """One comparison: the verdict, the command, systems and pairs."""
    n = max((row["n"] for row in report["systems"]), default=0)
    budget = report.get("budget")
    said = [
        f"split {report['split']}" if "split" in report else "",
        f"seed {report['seed']}",
        f"{budget:,} tokens per question" if budget else "",
        report.get("machine", ""),
        report.get("created", "")[:10],
        f"collegium {report['version']}" if "version" in report else "",
        f"`{file.relative_to(file.parents[2])}`",
    ]
    rows = [
        (
            f"`{row['name']}`",
            f"{row['correct']:,}/{row['n']:,}",
            percent(row["accuracy"]),
            f"{percent(row['ci_low'])} to {percent(row['ci_high'])}",
            *per_task(row, "tokens_prompt", "tokens_cached", "tokens_completion", "calls"),
            *per_task(row, "seconds", digits=1),
            *(row.get(name, "–") for name in ("unparsed", "limited", "errors")),
        )
        for row in report["systems"]
    ]
    head = (
        "system", "right", "accuracy", "95% interval", "prompt", "cached", "written", "calls",
        "s", "unparsed", "limited", "failed",
    )  # fmt: skip
    parts = [
        f"### {report['model']}, n = {n} {{ #{anchor(file)} }}",
        report.get("verdict", ""),
        f"```bash\n{report.get('command', '')}\n```",
        "; ".join(filter(None, said)) + ".",
        table(head, rows),
        "Tokens, calls and seconds are per question.",
    ]
    if report.get("pairs"):
        pairs = [
            (
                f"`{pair['a']}` − `{pair['b']}`",
                points(pair["difference"]) if "difference" in pair else "–",
                f"{points(pair['ci_low'], unit=False)} to {points(pair['ci_high'], unit=False)}"
                if "ci_low" in pair
                else "–",
                pair["test"],
                p_value(pair["p"], ""),
            )
            for pair in report["pairs"]
        ]
        parts.append(table(("pair", "difference", "95% interval", "test", "p"), pairs))
    return parts


def per_task(row: Report, *names: str, digits: int = 0) -> Iterator[str]:
    """Totals divided by the number of questions."""
    for name in names:
        value = row.get(name)
        few = digits or (1 if name == "calls" else 0)
        yield f"{value / row['n']:,.{few}f}" if value is not None and row["n"] else "–"


def studies() -> list[str]:
    """What was measured otherwise than by comparing systems on a benchmark."""
    folder = results_folder()
    parts: list[str] = []
    for file in sorted(folder.glob("*/*.json")) if folder else ():
        read = json.loads(file.read_text(encoding="utf-8"))
        if file.parent.name == "bench" or "systems" in read:
            continue
        parts.append(f"### {words(file.parent.name)}: {words(file.stem)} {{ #{anchor(file)} }}")
        parts.append(f"```bash\n{read.pop('command', '')}\n```")
        parts += data_tables({k: v for k, v in read.items() if not many(v) or k == "rows"})
        parts.append(f"`{file.relative_to(file.parents[2])}` holds the rest.")
    return ["## Studies", *parts] if parts else []


def many(value: Any) -> bool:
    """Whether a value is a list that a page has no room for."""
    return isinstance(value, list) and len(value) > MOST_ROWS


def speeds() -> list[str]:
    """The measured speeds, whatever their columns."""
    folder = results_folder()
    files = sorted((folder / "bench").glob("*.json")) if folder else []
    parts: list[str] = ["## Speed"] if files else []
    for file in files:
        read = json.loads(file.read_text(encoding="utf-8"))
        if "systems" in read:
            continue
        parts.append(f"### {file.stem.capitalize()} {{ #bench-{file.stem} }}")
        if read.get("command"):
            parts.append(f"```bash\n{read['command']}\n```")
        parts += data_tables({k: v for k, v in read.items() if k != "command"})
    return parts


def data_tables(data: Report) -> list[str]:
    """Plain data as tables: a list of records each, and one of the single values."""
    parts: list[str] = []
    single: list[tuple[str, str]] = []
    for name, value in data.items():
        if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            head = [
                key
                for key in dict.fromkeys(key for v in value for key in v)
                if not any(isinstance(v.get(key), list) for v in value)
            ]
            parts.append(
                table([words(h) for h in head], [[cell(v.get(h)) for h in head] for v in value])
            )
        elif isinstance(value, dict):
            rows = [(words(k), cell(v)) for k, v in value.items()]
            parts.append(table((words(name), "value"), rows))
        else:
            single.append((words(name), cell(value)))
    return [*parts, table(("", "value"), single)] if single else parts


def words(name: str) -> str:
    """A key as words."""
    return name.replace("_", " ")


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, dict) and "ci_low" in value:
        share = float(value["share"] if "share" in value else value["value"])
        interval = f"{percent(value['ci_low'])} to {percent(value['ci_high'])}"
        return f"{percent(share)} ({interval}; n = {value.get('n', '–')})"
    if isinstance(value, dict | list):
        return f"`{json.dumps(value)}`"
    return str(value)


def joined(parts: list[str]) -> str:
    """The parts of a page, a blank line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"
