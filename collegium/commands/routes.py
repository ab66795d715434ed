"""The commands ``optimise``: how papers make agents better, and which ways are open to a user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from collegium.learning.capture import Trajectory

optimise = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="Make an agent better: how papers do it, which ways are open, and data from own runs.",
)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]


@optimise.command()
def labels(
    label: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DIMENSION=VALUE]...",
            help="Only papers with all of these: route=hybrid.",
        ),
    ] = None,
    paper: Annotated[str, typer.Option(metavar="SLUG", help="Only this paper.")] = "",
    counts: Annotated[
        bool, typer.Option("--counts", metavar="", help="How many papers stand at each value.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List how each paper makes agents better, along nine dimensions, with the reason."""
    from collegium.catalog.optimisation import labelled, labels_of, parse_label

    if counts:
        _print_counts(as_json)
        return
    slugs = labelled(map(parse_label, label or []))
    if paper:
        labels_of(paper)
        slugs = [slug for slug in slugs if slug == paper]
    if as_json:
        from collegium.commands.show import print_json

        print_json([_data(slug) for slug in slugs])
    else:
        _print_labels(slugs, full=bool(paper))


@optimise.command()
def routes(
    weights: Annotated[
        bool, typer.Option("--weights", metavar="", help="The model's weights may be changed.")
    ] = False,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="Which model.")] = "",
    trajectories: Annotated[int, typer.Option(metavar="N", help="Runs that were captured.")] = 0,
    demonstrations: Annotated[
        int, typer.Option(metavar="N", help="Runs of experts or of a stronger model.")
    ] = 0,
    reward: Annotated[
        bool, typer.Option("--reward", metavar="", help="Something says whether a run succeeded.")
    ] = False,
    pairs: Annotated[int, typer.Option(metavar="N", help="Pairs of better and worse runs.")] = 0,
    tools: Annotated[int, typer.Option(metavar="N", help="Tools the agent may use.")] = 0,
    corpus: Annotated[
        bool, typer.Option("--corpus", metavar="", help="There is a fixed collection of texts.")
    ] = False,
    factual: Annotated[
        bool, typer.Option("--factual", metavar="", help="The tasks ask for facts.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option(metavar="N", help="Time for training; as long as it takes.")
    ] = None,
    run: Annotated[
        str,
        typer.Option(
            metavar="RUN", help="Count trajectories, rewards and pairs in this run of the store."
        ),
    ] = "",
    route: Annotated[
        str, typer.Option(metavar="NAME", help="The route you want; refused if it is closed.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Rank the ways to make an agent better that are open, and say why the others are not."""
    from collegium.commands.show import print_json
    from collegium.learning.chooser import Situation, choose

    if run:
        found = _counted(_captured(run))
        trajectories += found["trajectories"]
        pairs += found["pairs"]
        reward = reward or found["reward"]
    situation = Situation(
        weights=weights,
        model=model,
        trajectories=trajectories,
        demonstrations=demonstrations,
        reward=reward,
        pairs=pairs,
        tools=tools,
        corpus=corpus,
        factual=factual,
        minutes=minutes,
    )
    choice = choose(situation, asked=route)
    if as_json:
        print_json({"situation": situation, "open": choice.open, "closed": choice.closed})
    else:
        _print_choice(situation, choice)


@optimise.command()
def data(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id or its beginning, or 'last'.")
    ],
    use: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USE",
            help="What becomes of dropped runs: discard, contrastive or masking; repeatable.",
        ),
    ] = None,
    at_least: Annotated[
        float, typer.Option(metavar="REWARD", help="Keep runs that earned this or more.")
    ] = 1.0,
    unrepaired: Annotated[
        bool,
        typer.Option("--unrepaired", metavar="", help="Keep only runs without a repaired turn."),
    ] = False,
    test: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the tasks that is held out.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(metavar="N", help="Draws the tasks held out.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write records and pairs to this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn a stored run into training data: split by task, filter, use what was dropped."""
    from collegium.commands.show import console, print_json, print_table, table, writable_folder
    from collegium.errors import BadInput
    from collegium.learning import data as build_data
    from collegium.learning.capture import split_by_task

    uses = use or ["discard"]
    if "correction" in uses:
        raise BadInput(
            "correction needs runs repaired after reflection, which no stored run holds; "
            "use discard, contrastive or masking."
        )
    if out is not None:
        writable_folder(out)
    kept, held = split_by_task(_captured(run), test=test, seed=seed)
    filters = [build_data.environment(at_least)]
    filters += [build_data.unrepaired()] if unrepaired else []
    filtered = build_data.run_filters(kept, filters)
    built = build_data.build(filtered, *uses)  # pyright: ignore[reportArgumentType]
    files = [] if out is None else build_data.write_built(built, out)
    shown = {
        "train": len(kept),
        "test": len(held),
        "test_tasks": sorted({t.task for t in held}),
        "filters": filtered.counts,
        "uses": built.uses,
        "counts": built.counts,
        "records": len(built.records),
        "pairs": [{"chosen": p.chosen.name, "rejected": p.rejected.name, "by": p.by,
                   "same_prompt": p.same_prompt} for p in built.pairs],
        "files": files,
    }  # fmt: skip
    if as_json:
        print_json(shown)
        return
    screen = console()
    made = table("filter", "came", "kept", "dropped", right=("came", "kept", "dropped"))
    for sieved in filtered.counts:
        made.add_row(sieved.name, str(sieved.came), str(sieved.kept), str(sieved.dropped))
    print_table(made, screen)
    screen.print()
    screen.print(f"{len(kept)} runs to train on, {len(held)} held out by task.")
    said = ", ".join(f"{number} {what}" for what, number in built.counts.items())
    screen.print(f"{' and '.join(built.uses)}: {said}.")
    screen.print(f"{len(built.records)} records, {len(built.pairs)} pairs.")
    for file in files:
        screen.print(f"written: {file}")


def _captured(run: str) -> list[Trajectory]:
    """The trajectories of a run of the store.

    Raises:
        UnknownName: There is no such run.
        BadInput: No model answered in it.
    """
    from collegium.errors import BadInput, unknown_name
    from collegium.kernel import RunStore
    from collegium.kernel.store import default_path
    from collegium.learning.capture import captured_runs

    if not default_path().exists():
        raise unknown_name("run", run, [])
    store = RunStore(default_path())
    try:
        found = captured_runs(store, store.run(run).id)
    finally:
        store.close()
    if not found:
        raise BadInput(f"run {run!r} holds no reply of a model, so nothing to learn from.")
    return found


def _counted(trajectories: list[Trajectory]) -> dict[str, Any]:
    """What a run gives to choose by; a preference loss needs pairs with one prompt."""
    from collegium.learning.data import environment, run_filters, same_task_pairs

    judged = [t for t in trajectories if t.reward is not None]
    pairs = same_task_pairs(run_filters(judged, [environment()]))
    return {
        "trajectories": len(trajectories),
        "reward": bool(judged),
        "pairs": sum(pair.same_prompt for pair in pairs),
    }


def _entry_points(slug: str) -> list[str]:
    """Where a paper is implemented: what does the improving first, then systems and modules."""
    from collegium.catalog import implementing_modules
    from collegium.catalog.optimisation import labels_of
    from collegium.systems.system import systems

    code = labels_of(slug).code
    of_paper = [
        f"{s.solve.__module__}:{s.solve.__name__}" for s in systems().values() if s.paper == slug
    ]
    found = [*filter(None, [code]), *of_paper, *implementing_modules().get(slug, ())]
    return list(dict.fromkeys(found))


def _data(slug: str) -> dict[str, Any]:
    import msgspec

    from collegium.catalog.optimisation import labels_of

    held = msgspec.to_builtins(labels_of(slug))
    return {"paper": slug, **held, "entry_points": _entry_points(slug)}


def _print_labels(slugs: list[str], full: bool) -> None:
    from rich.text import Text

    from collegium.catalog.optimisation import labels_of, optimisation_survey
    from collegium.commands.show import console, print_table, table

    out = console()
    if not slugs:
        out.print("No paper has all of these labels.")
        return
    names = [d.name for d in optimisation_survey().dimensions]
    for slug in slugs if full else ():
        held = labels_of(slug)
        made = table("dimension", "values")
        for name in names:
            empty = "not applicable" if name in held.not_applicable else "not stated"
            made.add_row(name, ", ".join(held.on.get(name, ())) or Text(empty, style="dim"))
        print_table(made, out)
        out.print()
        out.print(held.reason)
        if held.listed:
            out.print(f"The survey itself lists it under {', '.join(held.listed)}.")
        out.print(f"Code: {', '.join(_entry_points(slug)) or 'none yet'}")
    if full:
        return
    made = table("paper", "labels", "reason")
    made.columns[0].no_wrap, made.columns[0].style = True, "bold cyan"
    for slug in slugs:
        held = labels_of(slug)
        shown = [", ".join(held.on[name]) for name in names[1:] if name in held.on]
        made.add_row(slug, "; ".join(shown) or Text("not applicable", style="dim"), held.reason)
    print_table(made, out)


def _print_counts(as_json: bool) -> None:
    from collegium.catalog.optimisation import leaf_counts, optimisation_survey
    from collegium.commands.show import console, print_json, print_table, table

    survey, counts = optimisation_survey(), leaf_counts()
    listed = {c.label: c.entries for c in survey.counts if c.label}
    number = len(survey.labels)
    total = sum(sum(of.values()) for of in counts.values())
    note = (
        f"{total} labels on {number} papers: a paper stands at several leaves, "
        "so the counts sum to more than the papers."
    )
    if as_json:
        print_json(
            {"papers": number, "labels": total, "note": note, "counts": counts, "listed": listed}
        )
        return
    out = console()
    made = table(
        "dimension", "value", "papers", "listed", "what it means", right=("papers", "listed")
    )
    for dimension in survey.dimensions:
        for value, meaning in dimension.values.items():
            count = counts[dimension.name].get(value)
            by_survey = listed.get(f"{dimension.name}={value}")
            made.add_row(
                dimension.name,
                value,
                "" if count is None else str(count),
                "" if by_survey is None else str(by_survey),
                meaning,
            )
    print_table(made, out)
    out.print()
    out.print(note)
    out.print("listed: methods in the survey's own list; some are in several of its sections too.")


def _print_choice(situation: Any, choice: Any) -> None:
    from rich.text import Text

    from collegium.commands.show import console, heading, print_table, table

    out = console()
    fields = {name: getattr(situation, name) for name in situation.__struct_fields__}
    had = [name if value is True else f"{name} {value}" for name, value in fields.items() if value]
    out.print(Text(f"Given: {', '.join(had) or 'nothing but a model'}", style="dim"))
    out.print()
    out.print(heading("Open, best first"))
    made = table("", "route", "what is done", "why here", "papers")
    made.columns[1].no_wrap, made.columns[1].style = True, "bold green"
    for place, one in enumerate(choice.open, 1):
        made.add_row(str(place), one.route, one.what, one.reason, ", ".join(one.papers))
    print_table(made, out)
    out.print()
    if choice.closed:
        out.print(heading("Closed"))
        made = table("route", "what is done", "missing")
        made.columns[0].no_wrap, made.columns[0].style = True, "bold yellow"
        for one in choice.closed:
            made.add_row(one.route, one.what, "; ".join(one.missing))
        print_table(made, out)
