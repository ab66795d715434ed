"""What the commands ``taxonomy`` print, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from collegium.bench import taxonomy
from collegium.bench.diagnosis.words import cited
from collegium.bench.taxonomy import Paradigm, Profile, Seen
from collegium.catalog import implementing_modules
from collegium.catalog.surveys import agentic_survey, collaboration_survey
from collegium.commands.show import (
    clean,
    console,
    heading,
    print_indented,
    print_json,
    print_table,
    table,
)
from collegium.commands.trace import from_file, from_store, is_file
from collegium.errors import BadInput, UnknownName, unknown_name
from collegium.kernel import Event, RunStore
from collegium.kernel.store import default_path
from collegium.systems.system import get_system, systems

VERDICT_STYLE = {"agrees": "green", "differs": "bold yellow"}
GAP = Text("gap", style="yellow")

Place = tuple[str, str]
"""A system and a task."""


def runs_of(run: str) -> dict[Place, list[Event]]:
    """The events of a run, a trace file, or the newest run of a system, by system and task.

    Raises:
        UnknownName: There is no such run or system.
        BadInput: The file is no trace, the run has no events, or the system was not run yet.
    """
    if is_file(run):
        placed = from_file(Path(run))[0]
    else:
        try:
            placed = from_store(run)[0]
        except UnknownName:
            placed = _newest(run)
    grouped: dict[Place, list[Event]] = {}
    for system, task, event in placed:
        grouped.setdefault((system, task), []).append(event)
    if not grouped:
        raise BadInput(f"run {run!r} has no calls that could be classified.")
    return grouped


def _newest(system: str) -> list[tuple[str, str, Event]]:
    """The events of a system in the newest run that has any."""
    name = get_system(system).name
    if default_path().exists():
        store = RunStore(default_path())
        try:
            for row in store.runs():
                mine = [e for e in store.events(row.id) if e[0].partition(":")[0] == name]
                if mine:
                    return mine
        finally:
            store.close()
    raise BadInput(
        f"{name} was not run yet, and a label needs a run: collegium run {name} TASK, "
        f"then collegium taxonomy classify {name}."
    )


# -- the surveys --------------------------------------------------------------------------------


def show(survey: str, as_json: bool) -> None:
    """Print the tables of one survey or of both.

    Raises:
        UnknownName: There is no such survey.
    """
    known = {s.paper: s for s in (collaboration_survey(), agentic_survey())}
    if survey and survey not in known:
        raise unknown_name("survey", survey, known)
    chosen = [known[survey]] if survey else list(known.values())
    if as_json:
        print_json(chosen[0] if survey else {s.paper: s for s in chosen})
        return
    out = console()
    for one in chosen:
        for name, value in msgspec.json.decode(msgspec.json.encode(one)).items():
            if isinstance(value, list):
                out.print(heading(f"{one.paper}: {name.replace('_', ' ')}"))
                _print_records(value, out)
                out.print()


def _print_records(records: Sequence[Mapping[str, Any]], out: Console, by: int = 0) -> None:
    """Records as a table, or one under another where they hold records themselves."""
    nested = any(isinstance(v, dict) or _records(v) for r in records for v in r.values())
    if not nested:
        heads = [h for h in dict.fromkeys(k for r in records for k in r)
                 if any(r.get(h) not in ("", [], None, False) for r in records)]  # fmt: skip
        made = table(*heads)
        for r in records:
            made.add_row(*(_cell(r.get(h, "")) for h in heads))
        print_table(made, out)
        return
    for r in records:
        plain = {k: v for k, v in r.items() if not (isinstance(v, dict) or _records(v))}
        said = "; ".join(_cell(v) if k == "name" else f"{k}: {_cell(v)}"
                         for k, v in plain.items() if v)  # fmt: skip
        print_indented(said, out, "bold", by=by)
        for v in r.values():
            if _records(v):
                _print_records(v, out, by + 2)
            elif isinstance(v, dict) and v:
                rows = [{"value": k, **(x if isinstance(x, dict) else {"meaning": x})}
                        for k, x in v.items()]  # fmt: skip
                _print_records(rows, out, by + 2)


def _records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


# -- runs ---------------------------------------------------------------------------------------


def classify(run: str, as_json: bool) -> None:
    """Print what a run shows, per system and task."""
    found = runs_of(run)
    if as_json:
        print_json([_classified(s, t, events) for (s, t), events in found.items()])
        return
    out = console()
    for (system, task), events in found.items():
        _print_place(system, task, out)
        label = taxonomy.paradigm_of(events)
        made = table("dimension", "value", "why", "calls")
        for dimension, seen in taxonomy.observed(events).items():
            made.add_row(dimension, ", ".join(seen.values), clean(seen.why), _calls(seen))
        print_table(made, out)
        _print_marks(label, out)
        remedies = ", ".join(taxonomy.remedies_on(events))
        if remedies:
            out.print(f"remedies in use: {remedies} (collegium taxonomy matrix)")
        out.print()


def _print_marks(label: Paradigm, out: Console) -> None:
    if label.missing:
        out.print(f"missing: {', '.join(label.missing)}")
    if label.marks:
        names = {c.id: c.name for c in agentic_survey().criteria}
        out.print()
        made = table("mark", "holds", "shown by", "calls")
        for m in label.marks:
            holds = Text("yes", style="green") if m.value else "no"
            made.add_row(names[m.id], holds, clean(m.says), cited(m.evidence))
        print_table(made, out)
    if label.generators:
        out.print(f"generators in it: {', '.join(label.generators)}")


def _classified(system: str, task: str, events: Sequence[Event]) -> dict[str, Any]:
    label = taxonomy.paradigm_of(events)
    return {
        "system": system,
        "task": task,
        "observed": taxonomy.observed(events),
        "paradigm": {**msgspec.to_builtins(label), "score": label.score},
        "channels": taxonomy.channels_of(events),
        "remedies": taxonomy.remedies_on(events),
        "self_addressed": taxonomy.self_addressed(events),
    }


def check(run: str, paper: str, as_json: bool) -> None:
    """Print declared against observed, per system and task.

    Raises:
        BadInput: It is not known which paper a trace belongs to.
    """
    found = runs_of(run)
    made = []
    for (system, task), events in found.items():
        slug = paper or _paper_of(system)
        same = [e for (s, _), e in found.items() if s == system and e is not events]
        made.append((system, task, slug, taxonomy.check(slug, events, *same)))
    if as_json:
        print_json([dict(zip(("system", "task", "paper", "check"), m, strict=True)) for m in made])
        return
    out = console()
    for system, task, slug, compared in made:
        _print_place(system or slug, task, out)
        rows = table("dimension", "declared", "observed", "verdict", "why", "calls")
        for c in compared:
            claims = "\n".join(f"{x.value} ({x.source})" for x in c.declared)
            verdict = Text(c.verdict, style=VERDICT_STYLE.get(c.verdict, "dim"))
            values = ", ".join(c.observed.values)
            why = clean(c.observed.why)
            rows.add_row(c.dimension, claims, values, verdict, why, _calls(c.observed))
        print_table(rows, out)
        for c in compared:
            for claim in c.declared:
                if claim.doubt:
                    out.print(Text(f"{claim.value}: {claim.doubt}", style="dim"))
        out.print()


def _paper_of(system: str) -> str:
    """The paper of a system by its label."""
    name = system.partition(":")[0]
    if not name:
        raise BadInput("the trace does not say which system made it; name its paper with --paper.")
    slug = get_system(name).paper
    if slug is None:
        raise BadInput(f"{name} is a baseline; the catalog declares nothing of it. Try classify.")
    return slug


def _print_place(system: str, task: str, out: Console) -> None:
    if system or task:
        out.print(Text.assemble((clean(system), "bold"), " on ", (clean(task), "bold")))


def _calls(seen: Seen) -> str:
    return cited(seen.evidence)


# -- advice -------------------------------------------------------------------------------------


def advise(task: str, as_json: bool) -> None:
    """Print the smallest kind of system for a task."""
    advice = taxonomy.advise(task)
    here = sorted(s.name for s in systems().values() if s.paper and _is(s.paper, advice.paradigm))
    if as_json:
        print_json({**msgspec.to_builtins(advice), "systems": here})
        return
    out = console()
    out.print(Text(advice.name, style="bold cyan"))
    out.print(f"decided by {advice.dimension}: {advice.cell}")
    out.print(f"because of {advice.because}")
    if advice.smaller:
        out.print(Text(f"one step smaller: {advice.smaller}", style="dim"))
    if here:
        out.print(f"systems of this kind here: {', '.join(here)}")


def _is(slug: str, paradigm: str) -> bool:
    from collegium.catalog import paper

    return paradigm in paper(slug).facets.get("paradigm", ())


def recommend(features: Mapping[str, str], as_json: bool) -> None:
    """Print what features of a task ask for."""
    found = taxonomy.recommend(features)
    if as_json:
        print_json(found)
        return
    made = table("feature", "dimension", "choose", "for", "against")
    for r in found:
        strong, weak = (_cell(t) for t in (r.trade_off.strengths, r.trade_off.weaknesses))
        made.add_row(
            f"{r.feature} {r.value}", r.dimension, Text(r.choose, style="bold"), strong, weak
        )
    print_table(made, console())


def matrix(rows: str, columns: str, as_json: bool) -> None:
    """Print remedies by challenge, or counts of the catalog's teams.

    Raises:
        BadInput: Only one of the two dimensions is given.
    """
    if bool(rows) != bool(columns):
        raise BadInput(
            "counting teams needs both --rows and --columns, such as type and structure."
        )
    out = console()
    if rows:
        counted = taxonomy.counts(rows, columns)
        if as_json:
            print_json(counted)
            return
        heads = list(next(iter(counted.values())))
        made = table(rows, *heads, right=tuple(heads))
        for value, held in counted.items():
            made.add_row(value, *(str(n) if n else GAP for n in held.values()))
        print_table(made, out)
        return
    running = {s.paper for s in systems().values() if s.paper} | {*implementing_modules()}
    remedies, left = taxonomy.matrix(running), taxonomy.unanswered()
    if as_json:
        print_json({"remedies": remedies, "unanswered": left})
        return
    made = table("remedy", "answers", "here", "papers", "run here")
    for row in remedies:
        r = row.remedy
        name = r.feature.rpartition(":")[2]
        here = Text.assemble((name, "cyan"), f": {r.here}") if r.feature else GAP
        papers = ", ".join(r.papers) if r.papers else GAP
        running = ", ".join(row.running) or Text("none yet", style="dim")
        made.add_row(f"{r.id} {r.name}", ", ".join(r.addresses), here, papers, running)
    print_table(made, out)
    survey = agentic_survey()
    for c in survey.challenges:
        out.print(Text(f"{c.id} {c.name}{' (no remedy here)' * (c.id in left)}", style="dim"))


# -- profiles -----------------------------------------------------------------------------------


def list_profiles(wanted: Mapping[str, str], like: str, as_json: bool) -> None:
    """Print profiles that have the wanted values, or those nearest to one."""
    found = taxonomy.profiles(wanted)
    if like:
        near = {p.name: score for score, p in taxonomy.nearest(like, len(found))}
        found = sorted((p for p in found if p.name in near), key=lambda p: -near[p.name])[:10]
    if as_json:
        print_json(found)
        return
    if not found:
        console().print("No system matches.")
        return
    dimensions = list(dict.fromkeys(d for p in found for d in p.claims))
    made = table("system", *dimensions)
    made.columns[0].style = "bold cyan"
    for p in found:
        made.add_row(p.paper or p.name, *(", ".join(p.values(d)) for d in dimensions))
    print_table(made, console())


def compare(one: str, other: str, as_json: bool) -> None:
    """Print two profiles side by side."""
    pair = [taxonomy.find_profile(one), taxonomy.find_profile(other)]
    if as_json:
        print_json(pair)
        return
    out = console()
    made = table("dimension", pair[0].name, pair[1].name, "")
    for d in dict.fromkeys(d for p in pair for d in p.claims):
        same = set(pair[0].values(d)) == set(pair[1].values(d))
        made.add_row(d, _claims(pair[0], d), _claims(pair[1], d), "same" if same else "differs")
    print_table(made, out)
    for p in pair:
        if p.apart:
            out.print(f"{p.name}: {p.apart}")


def _claims(profile: Profile, dimension: str) -> str:
    return "\n".join(f"{c.value} ({c.source})" for c in profile.claims.get(dimension, ()))
