"""The command line: a thin layer over the public functions.

Exit codes: 0 done; 2 when something is wrong that the user can mend (a name, an option, a file,
missing weights or keys, a server that cannot be reached), said in one line on standard error;
1 when a comparison is over but every single run of it failed, or the doctor has findings that are
not waived; 130 when interrupted. A bug keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from collegium.commands.app import apps
from collegium.commands.digest import digest
from collegium.commands.ecosystem import ecosystem
from collegium.commands.group import Commands
from collegium.commands.guard import guards
from collegium.commands.interop import interop
from collegium.commands.kernels import kernels
from collegium.commands.registry import registries
from collegium.commands.routes import optimise
from collegium.commands.routine import routines
from collegium.commands.sites import worlds
from collegium.commands.taxonomy import taxonomies
from collegium.commands.tools import tools as tool_servers

TRY, LOOK = "Try and compare", "Look things up"

EXAMPLES = """
Examples:

  collegium run mad "What is 17 * 23?" --answer number

  collegium compare direct self-consistency mad --on gsm-symbolic --limit 20

  collegium compare direct mad:agents=4,rounds=2 --on my_questions.csv
"""


app = typer.Typer(
    name="collegium",
    cls=Commands,
    help="Published agent systems that run: try one, compare several honestly, read what they did.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
models = typer.Typer(cls=TyperGroup, help="The models there are: list, fetch, try, speed up.")
app.add_typer(models, name="models", rich_help_panel=LOOK)
app.add_typer(apps, name="app", rich_help_panel=TRY)
app.add_typer(kernels, name="kernel", rich_help_panel=TRY)
app.add_typer(guards, name="guard", rich_help_panel=TRY)
app.add_typer(worlds, name="world", rich_help_panel=TRY)
app.add_typer(routines, name="routine", rich_help_panel=TRY)
app.add_typer(taxonomies, name="taxonomy", rich_help_panel=LOOK)
app.add_typer(tool_servers, name="tools", rich_help_panel=TRY)
app.add_typer(interop, name="interop", rich_help_panel=LOOK)
app.add_typer(registries, name="registry", rich_help_panel=LOOK)
app.add_typer(optimise, name="optimise", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(ecosystem)
app.command(rich_help_panel=LOOK)(digest)

Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="local, local-small, local-tiny, openai:NAME, anthropic:NAME ...",
    ),
]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE=MODEL", help="The model of one role; repeatable."),
]
Cache = Annotated[
    bool, typer.Option("--cache", metavar="", help="Take repeated requests from the cache.")
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast",
        metavar="",
        help="Let agents share the embedded engine: quicker, not repeatable to the bit.",
    ),
]

Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--tools",
        metavar="SERVER",
        help="Give agents a server's tools: mcp:COMMAND or mcp:http://...; repeatable.",
    ),
]
Sampling = Annotated[
    bool,
    typer.Option(
        "--allow-sampling",
        metavar="",
        help="Let servers of tools ask the run's model, out of its budget.",
    ),
]

Host = Annotated[
    str, typer.Option(metavar="HOST", help="Where to listen; elsewhere needs a token.")
]
Port = Annotated[int, typer.Option(metavar="N", help="0 takes a free one.")]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Lines of NAME TOKEN [BUDGET]: who may come.")
]
ClientBudget = Annotated[
    int | None, typer.Option(metavar="TOKENS", help="Tokens that each client may spend.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="What agents may do; see collegium guard."),
]


def _version(asked: bool) -> None:
    if asked:
        from collegium import __version__

        typer.echo(f"collegium {__version__}")
        raise typer.Exit


@app.callback()
def collegium(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Published agent systems that run."""


@app.command(rich_help_panel=TRY)
def run(
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", help="A system, such as mad or mad:agents=4,rounds=2."),
    ],
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            show_default=False,
            help="The task; - reads standard input, @FILE a file. Left out with --world.",
        ),
    ] = "",
    world: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:ITEM]",
            help="Act in a world instead, such as maze:3; the benchmarks command lists them.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Where the world's task is from.")
    ] = "test",
    model: Model = "local",
    role: Roles = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the system; repeatable."),
    ] = None,
    answer: Annotated[
        str, typer.Option(metavar="KIND", help="text, number, choice, latex or code.")
    ] = "text",
    choice: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="One of the choices; repeatable.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens it may spend.")
    ] = None,
    max_calls: Annotated[
        int | None, typer.Option(metavar="N", help="Model calls it may make.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds it may take.")
    ] = None,
    max_money: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="US dollars it may spend.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Makes the run repeatable.")] = None,
    cache: Cache = False,
    fast: Fast = False,
    policy: PolicyFile = None,
    tools: Servers = None,
    allow_sampling: Sampling = False,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the trace to this file.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep what agents remember and store here, for later runs."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where files that the system makes go.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run one system on one task; see what its agents say, the answer and the bill."""
    from typing import cast, get_args

    from collegium.commands.run import run
    from collegium.errors import unknown_name
    from collegium.kernel import Limits
    from collegium.tasks.task import AnswerKind

    if answer not in get_args(AnswerKind):
        raise unknown_name("kind of answer", answer, get_args(AnswerKind))
    run(
        system,
        task,
        world=world,
        split=split,
        model=model,
        roles=role or [],
        settings=settings or [],
        answer=cast(AnswerKind, answer),
        choices=choice or [],
        limits=Limits(max_tokens, max_calls, max_seconds, max_money),
        seed=seed,
        cache=cache,
        fast=fast,
        policy=policy,
        servers=tools or [],
        sampling=allow_sampling,
        trace=trace,
        state=state,
        out_dir=out,
        as_json=as_json,
    )


@app.command(rich_help_panel=TRY)
def compare(
    *,
    systems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYSTEM", help="Systems, with parameters if wished: mad:agents=4,rounds=2."
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="BENCHMARK|FILE",
            help="A benchmark, or a .jsonl or .csv of your own: question, answer, "
            "optional choices, tests.",
        ),
    ],
    model: Model = "local",
    role: Roles = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="How many questions; all if not given.")
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="test, validation or train.")
    ] = "test",
    seed: Annotated[
        int, typer.Option(metavar="N", help="Fixes questions, sampling and statistics.")
    ] = 0,
    budget: Annotated[
        int | None, typer.Option(metavar="TOKENS", help="Tokens per question and system.")
    ] = None,
    generations: Annotated[
        int | None,
        typer.Option(
            metavar="B",
            help="Should I debate? All debates of B generations against sampling and refinement.",
        ),
    ] = None,
    equal_generations: Annotated[
        bool,
        typer.Option(
            "--equal-generations", metavar="", help="Refuse unlike numbers of generations."
        ),
    ] = False,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve", metavar="", help="Rank by accuracy against cost, whatever the spends."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the report and the trace go.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", metavar="", help="Go on with the last run of the same comparison."
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(metavar="N", help="Questions worked on at the same time.")
    ] = 1,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS|auto", help="Spread over a Ray cluster.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY", help="Whose call comes next, with --fast: fair, las, rr:quantum=32."
        ),
    ] = None,
    cache: Cache = False,
    fast: Fast = False,
    policy: PolicyFile = None,
    tools: Servers = None,
    as_json: Json = False,
) -> None:
    """Compare systems on the same questions with the same model, seed and budget."""
    from collegium.commands.compare import compare

    measured = compare(
        systems or [],
        on=on,
        model=model,
        roles=role or [],
        limit=limit,
        split=split,
        seed=seed,
        budget=budget,
        generations=generations,
        equal_generations=equal_generations,
        curve=curve,
        out=out,
        resume=resume,
        workers=workers,
        ray=ray,
        scheduler=scheduler,
        cache=cache,
        fast=fast,
        policy=policy,
        servers=tools or [],
        as_json=as_json,
    )
    if not measured:
        raise typer.Exit(1)


@app.command(rich_help_panel=TRY)
def serve(
    systems: Annotated[
        list[str],
        typer.Argument(metavar="SYSTEM", help="What to serve; the first is the default."),
    ],
    model: Model = "local",
    role: Roles = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="openai, mcp, a2a, acp, anp or all; repeatable."),
    ] = None,
    policy: PolicyFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8400,
    token_file: TokenFile = None,
    budget: ClientBudget = None,
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens that one run may spend.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds that one run may take.")
    ] = None,
    tools: Servers = None,
    allow_sampling: Sampling = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST", help="A host that messages may point to; repeatable. Default: none."
        ),
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST=ADDRESS",
            help="Where the host of a did:wba identifier is reached; repeatable.",
        ),
    ] = None,
    stdio: Annotated[
        bool,
        typer.Option("--stdio", metavar="", help="Speak MCP over standard input and output."),
    ] = False,
    only: Annotated[
        bool,
        typer.Option("--only", metavar="", help="Refuse systems that are not named here."),
    ] = False,
) -> None:
    """Serve systems to other programs: OpenAI's protocols, MCP, A2A, ACP and ANP."""
    from collegium.commands.serve import serve_systems
    from collegium.kernel import Limits

    serve_systems(
        systems,
        model=model,
        roles=role or [],
        protocols=protocol or [],
        policy=policy,
        host=host,
        port=port,
        token_file=token_file,
        budget=budget,
        limits=Limits(tokens=max_tokens, seconds=max_seconds),
        only=only,
        servers=tools or [],
        sampling=allow_sampling,
        stdio=stdio,
        allowed=allow_host or [],
        resolved=resolve or [],
    )


@app.command(rich_help_panel=TRY)
def studio(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    token_file: TokenFile = None,
    model: Model = "local",
    role: Roles = None,
    policy: PolicyFile = None,
    policies: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Open and save policies in this folder.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", metavar="", help="Open a browser.")
    ] = True,
) -> None:
    """Open the web interface: read papers, run them, compare, see what agents did."""
    from collegium.commands.studio import open_studio
    from collegium.kernel import Limits

    open_studio(
        host=host,
        port=port,
        token_file=token_file,
        model=model,
        roles=role or [],
        policy=policy,
        policies=policies,
        limits=Limits(),
        browser=browser,
    )


@app.command(rich_help_panel=TRY)
def call(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="An agent's address; a2a:, acp:, mcp: or anp: before it is quicker."
        ),
    ],
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="What it is to do; without it, say what it is."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Have an agent elsewhere work on a task, whatever protocol it speaks."""
    from collegium.commands.call import call

    call(url, task, as_json=as_json)


@app.command(rich_help_panel=TRY)
def gateway(
    agent: Annotated[
        list[str],
        typer.Argument(metavar="NAME=AGENT", help="Agents elsewhere: helper=a2a:http://host."),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What to speak: openai, mcp, a2a, acp, anp or all."),
    ] = None,
    policy: PolicyFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8401,
    token_file: TokenFile = None,
    budget: ClientBudget = None,
) -> None:
    """Serve agents elsewhere on over other protocols; what cannot be said is listed."""
    from collegium.commands.serve import serve_systems
    from collegium.commands.show import pairs
    from collegium.kernel import Limits

    serve_systems(
        [],
        relays=pairs(agent, "an agent", "NAME=AGENT"),
        model="local",
        roles=[],
        protocols=protocol or [],
        policy=policy,
        host=host,
        port=port,
        token_file=token_file,
        budget=budget,
        limits=Limits(),
        only=True,
        servers=[],
        sampling=False,
        stdio=False,
        allowed=[],
        resolved=[],
    )


@app.command(rich_help_panel=TRY)
def trace(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|FILE", help="A run's id or its beginning, 'last', or a trace file."
        ),
    ] = None,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Only this agent.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="generate, use-tool, send, receive or ask-human."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Only this system of a comparison.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="Only this question of a comparison.")
    ] = None,
    diff: Annotated[
        str | None, typer.Option(metavar="RUN|FILE", help="What this second run did differently.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the run as one page to share.")
    ] = None,
    inspect: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as a log of Inspect AI (.eval) instead."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read what a run did, call by call; without a run, list the last ones."""
    from collegium.commands.trace import Filters, list_runs, trace, write_inspect

    if inspect is not None:
        write_inspect(run or "last", Filters(agent, kind, system, task), inspect, as_json)
    elif diff is not None or html is not None:
        from collegium.commands.trace_more import print_diff, save_page

        filters = Filters(agent, kind, system, task)
        if diff is not None:
            print_diff(run, diff, filters, as_json)
        if html is not None:
            save_page(run, html)
    elif run is None:
        list_runs(as_json)
    else:
        trace(run, Filters(agent, kind, system, task), as_json)


@app.command(rich_help_panel=TRY)
def diagnose(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE", help="A run's id or its beginning, 'last', or a trace file."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Name the failure modes that a run's trace shows, with the calls that show them."""
    from collegium.commands.diagnose import diagnose_run

    diagnose_run(run, as_json)


@app.command(rich_help_panel=TRY)
def doctor(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The folder of an agent project, or one file.")
    ],
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings as SARIF 2.1.0.")
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", metavar="", help="Use the rules alone.")
    ] = False,
    model: Model = "local",
    as_json: Json = False,
) -> None:
    """Find defects in the code of an agent project, without running it."""
    from collegium.commands.doctor import doctor

    chosen = None if no_model else model
    if not doctor(path, model=chosen, sarif_file=sarif, as_json=as_json):
        raise typer.Exit(1)


@app.command(rich_help_panel=TRY)
def simulate(
    *,
    simulator: Annotated[
        str,
        typer.Argument(metavar="SIMULATOR", help="covid, social, market, scene, or a file."),
    ],
    agents: Annotated[
        int, typer.Option(metavar="N", help="How many, unless they come from a file.")
    ] = 10_000,
    steps: Annotated[int, typer.Option(metavar="T", help="Steps to take.")] = 60,
    population: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The agents, one a row; or marginals; or astoria."),
    ] = None,
    contacts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who is in contact with whom: CSV or Parquet."),
    ] = None,
    archetypes: Annotated[
        str,
        typer.Option(metavar="COLUMNS", help="Ask the model once per group of these, as age,sex."),
    ] = "",
    behaviour: Annotated[
        str, typer.Option(metavar="KIND", help="covid, unasked: constant, heuristic or none.")
    ] = "constant",
    infected: Annotated[
        float, typer.Option(metavar="SHARE", help="covid: infected at first.")
    ] = 0.001,
    labour: Annotated[
        bool, typer.Option("--labour", metavar="", help="covid: with a labour market.")
    ] = False,
    recommender: Annotated[
        str, typer.Option(metavar="KIND", help="social: x, reddit, random or trace.")
    ] = "x",
    thinking: Annotated[
        int, typer.Option(metavar="N", help="social: users who think with the model themselves.")
    ] = 0,
    scene: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Players who talk: alone, or inside a society."),
    ] = None,
    model: Model = "local",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter; repeatable."),
    ] = None,
    intervene: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What happens when: TOML or JSON.")
    ] = None,
    say: Annotated[
        list[str] | None,
        typer.Option(metavar="SENTENCE", help="The same in words, to be confirmed; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Fixes every random choice.")] = 0,
    repeats: Annotated[
        int | None, typer.Option(metavar="K", help="Seeds to run, for bands in the report.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep checkpoints here.")
    ] = None,
    every: Annotated[int, typer.Option(metavar="N", help="Steps between checkpoints.")] = 5,
    resume: Annotated[
        bool, typer.Option("--resume", metavar="", help="Go on from the checkpoints.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", metavar="", help="Steer the run at a prompt.")
    ] = False,
    fit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="covid: fit R to these cases by week.")
    ] = None,
    what_if: Annotated[
        bool,
        typer.Option("--what-if", metavar="", help="Run without the interventions too; compare."),
    ] = False,
    shards: Annotated[
        int, typer.Option(metavar="N", help="covid: processes that share a run, over Ray.")
    ] = 1,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="covid: compute with torch on cpu, cuda or auto.")
    ] = "",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the report and the tables go.")
    ] = Path("simulation"),
    as_json: Json = False,
) -> None:
    """Simulate a society of up to millions of agents; see its curves, get a report and tables."""
    from collegium.commands.simulate import run_simulation
    from collegium.society.simulate import Options

    if scene is None and Path(simulator).suffix in (".toml", ".json"):
        scene, simulator = Path(simulator), "scene"
    columns = tuple(filter(None, (c.strip() for c in archetypes.split(","))))
    run_simulation(
        Options(
            simulator=simulator,
            agents=agents,
            seed=seed,
            population=str(population or ""),
            contacts=str(contacts or ""),
            archetypes=columns,
            behaviour=behaviour,
            infected=infected,
            labour=labour,
            recommender=recommender,
            llm_users=thinking,
            scene=str(scene or ""),
            device=device,
            model=model if columns or thinking or say or scene or live else "",
        ),
        steps=steps,
        settings=settings or [],
        intervene=intervene,
        say=say or [],
        repeats=repeats,
        checkpoint=checkpoint,
        every=every,
        go_on=resume,
        out_dir=out,
        live=live,
        shards=shards,
        what_if=what_if,
        fit=fit,
        as_json=as_json,
    )


@app.command(rich_help_panel=LOOK)
def papers(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words to look for.")] = "",
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only this kind, such as 'guard'.")
    ] = None,
    facet: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only with this facet; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the papers, and how far each is implemented."""
    from collegium.commands.catalog import list_papers

    list_papers(query, kind, facet or [], as_json)


@app.command(rich_help_panel=LOOK)
def show(
    name: Annotated[str, typer.Argument(metavar="SLUG", help="A paper or a system.")],
    as_json: Json = False,
) -> None:
    """Show one paper or system in full: facts, parameters, published and measured figures."""
    from collegium.commands.catalog import show

    show(name, as_json)


@app.command(rich_help_panel=LOOK)
def systems(as_json: Json = False) -> None:
    """List the systems that run, with their parameters."""
    from collegium.commands.catalog import list_systems

    list_systems(as_json)


@app.command(rich_help_panel=LOOK)
def benchmarks(as_json: Json = False) -> None:
    """List the benchmarks, and what those that are not here need."""
    from collegium.commands.catalog import list_benchmarks

    list_benchmarks(as_json)


@models.callback(invoke_without_command=True)
def list_models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the models; fetch, try or speed them up with the commands below."""
    if ctx.invoked_subcommand is None:
        from collegium.commands.models import list_models

        list_models(as_json)


@models.command()
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="local, local-small or local-tiny.")],
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Fetch again what is here.")
    ] = False,
) -> None:
    """Fetch the weights of an embedded model; a broken download goes on where it ended."""
    from collegium.commands.models import pull

    pull(name, force)


@models.command(name="try")
def try_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Any model.")],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask it.")],
    max_tokens: Annotated[int, typer.Option(metavar="N", help="Longest answer.")] = 256,
    temperature: Annotated[
        float, typer.Option(metavar="T", help="0 for the likeliest words.")
    ] = 0.7,
    as_json: Json = False,
) -> None:
    """Ask a model something, and see how fast it reads and writes."""
    from collegium.commands.models import try_model

    try_model(name, prompt, max_tokens, temperature, as_json)


@models.command()
def tune(
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Measure with this one; the largest here if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the engine for this machine's processor; kept only if it is faster."""
    from collegium.commands.models import tune

    tune(model, as_json)


@models.command()
def untune() -> None:
    """Go back to the engine that was installed."""
    from collegium.commands.models import untune

    untune()


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
