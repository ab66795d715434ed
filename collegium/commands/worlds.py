"""The commands ``world``: list worlds, play a text world by hand, and serve one over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

worlds = typer.Typer(
    cls=TyperGroup,
    no_args_is_help=True,
    help="Worlds: what there is, playing them by hand, trivial players, serving them over HTTP.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A text world, such as maze.")]
Split = Annotated[str, typer.Option(metavar="SPLIT", help="train, validation or test.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]


@worlds.command("list")
def list_worlds(as_json: Json = False) -> None:
    """List the worlds: how many tasks each has, and what is missing where it cannot be played."""
    from collegium.commands.show import clean, console, print_json
    from collegium.tasks.worlds import world_infos

    infos = world_infos()
    if as_json:
        print_json(infos)
        return
    out = console()
    width = max(len(info.name) for info in infos)
    for info in infos:
        state = f"needs {info.missing}" if info.missing else f"{info.size} tasks"
        line = f"{info.name:{width}}  {info.description} ({state}{info.note})"
        out.print(clean(line), markup=False, highlight=False, soft_wrap=True)


@worlds.command()
def play(
    name: Name,
    item: Annotated[int, typer.Option(metavar="N", help="The task.")] = 0,
    split: Split = "test",
) -> None:
    """Play a world yourself: moves are read line by line, until it is over or they end."""
    import asyncio
    import sys

    from collegium.commands.show import clean, console
    from collegium.worlds.play import Playable, form
    from collegium.worlds.text import kind

    chosen = kind(name)
    out = console()

    def say(text: str) -> None:
        out.print(clean(text), markup=False, highlight=False, soft_wrap=True)

    async def go(world: Playable) -> None:
        seen = await world.reset(0)
        say("\n\n".join(filter(None, (chosen.rules, form(world), seen))))
        for line in sys.stdin:
            turn = await world.step(line.strip())
            say(f"{turn.observation}\n(reward {turn.reward:g})")
            if turn.done:
                break
        score = await world.judge(None)
        say(f"{'solved' if score.correct else 'not solved'}, {score.value:.2f} of 1")
        await world.close()

    asyncio.run(go(chosen.world(split, item)))


@worlds.command()
def floors(
    name: Name,
    split: Split = "test",
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="Tasks at most.")] = 20,
    as_json: Json = False,
) -> None:
    """Play tasks by doing nothing and by random moves; print the share each solves."""
    from collegium.commands.show import console, print_json
    from collegium.errors import BadInput

    if limit < 1:
        raise BadInput(f"the limit must be at least 1, not {limit}.")
    shares, count = _shares(name, split, limit)
    if as_json:
        print_json({"world": name, "split": split, "tasks": count, "floors": shares})
        return
    out = console()
    for player, share in shares.items():
        out.print(f"{player}: {share:.1%} of {count} tasks", highlight=False)


def _shares(name: str, split: str, limit: int) -> tuple[dict[str, float], int]:
    """The share of tasks that trivial players solve, and how many they played."""
    from collegium.tasks.registry import MINIWOB, WEB, load
    from collegium.tasks.text_worlds import floors
    from collegium.worlds.text import kind

    if name.partition(":")[0] in (MINIWOB, *WEB):
        from collegium.tasks.web import CLICKS, web_floors

        items = load(name, split=split, limit=limit, seed=0).items
        return web_floors(items, CLICKS), len(items)
    chosen = kind(name)
    chosen.require(split)
    numbers = list(range(min(limit, chosen.size(split))))
    return floors(chosen, split, numbers), len(numbers)


@worlds.command()
def serve(
    name: Name,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", help="0: any free port.")] = 8008,
    split: Split = "test",
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="COLLEGIUM_TOKEN",
            help="What clients have to know; needed where others can reach it.",
        ),
    ] = None,
    worlds_at_once: Annotated[
        int, typer.Option("--worlds", metavar="N", help="Worlds that may be open at once.")
    ] = 256,
    idle: Annotated[
        float, typer.Option(metavar="SECONDS", help="After which an idle one is closed.")
    ] = 1800.0,
) -> None:
    """Serve a world over HTTP: /create /step /reset /observation /available_actions /close."""
    import asyncio

    from collegium.commands.show import console
    from collegium.errors import BadInput
    from collegium.worlds.server import ServeLimits, require_token
    from collegium.worlds.server import serve as serve_
    from collegium.worlds.text import kind

    if worlds_at_once < 1 or not idle > 0:
        raise BadInput(
            f"--worlds must be 1 or more and --idle above 0, not {worlds_at_once} and {idle:g}."
        )
    if not 0 <= port < 65536:
        raise BadInput(f"a port is 0 to 65535, not {port}.")
    require_token(host, token)
    out = console()

    def started(port: int) -> None:
        out.print(f"{name} ({split}) at http://{host}:{port}", highlight=False, soft_wrap=True)

    asyncio.run(
        serve_(
            kind(name),
            split=split,
            host=host,
            port=port,
            token=token,
            limits=ServeLimits(worlds_at_once, idle),
            on_start=started,
        )
    )
