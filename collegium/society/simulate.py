"""Simulators by name, and runs of them that can be interrupted."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.errors import BadInput, CollegiumError, unknown_name
from collegium.society import checkpoint
from collegium.society.covid.behaviour import Isolation, isolation_archetypes
from collegium.society.covid.model import covid_model, covid_state
from collegium.society.covid.processor import processor
from collegium.society.engine import Model, Society
from collegium.society.labour import Labour, labour_archetypes, market_model, market_state
from collegium.society.operations import Scheduled, schedule
from collegium.society.population import Categories
from collegium.society.scene.inside import put_inside, with_scene
from collegium.society.scene.model import scene_model, scene_state
from collegium.society.scene.script import Script, read_script
from collegium.society.sources import layers_of, people_of
from collegium.society.state import State

if TYPE_CHECKING:
    from collegium.kernel import Kernel

SIMULATORS = {
    "covid": "an epidemic in a city whose people decide whether to isolate",
    "market": "a labour market whose people decide whether to work",
    "social": "a social platform whose users read feeds, post, repost and follow",
    "scene": "a few players who talk and act in words, and a Game Master who decides",
}

MONTH = 28


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is started with.

    Attributes:
        simulator: Name of the simulator.
        agents: How many, where the population is made up (a scene has as many as it has players).
        seed: Fixes everything.
        population: File with people or marginals, or "astoria" or "brooklyn" of agent-torch; ""
            makes a city up.
        contacts: File with edges between agents, by layer; "" makes networks up.
        archetypes: Columns that span the groups a language model is asked about; none: no model.
        behaviour: covid without archetypes: "constant", "heuristic" or "none".
        infected: covid: share of people infected at first.
        labour: covid: whether the labour market runs beside it.
        recommender: social: "x", "reddit", "random" or "trace".
        llm_users: social: users who think for themselves with a language model.
        scene: File with a scene: of the simulator "scene", or one that goes on inside another.
        device: covid: "" computes with compiled loops, "cpu", "cuda" or "auto" with torch there.
        model: Language model.
        parameters: Values of parameters that differ from the simulator's own.
    """

    simulator: str
    agents: int = 10_000
    seed: int = 0
    population: str = ""
    contacts: str = ""
    archetypes: tuple[str, ...] = ()
    behaviour: str = "constant"
    infected: float = 0.001
    labour: bool = False
    recommender: str = "x"
    llm_users: int = 0
    scene: str = ""
    device: str = ""
    model: str = ""
    parameters: dict[str, Any] = {}

    def check(self) -> None:
        """Make sure that the options are possible.

        Raises:
            UnknownName: There is no such simulator or behaviour.
            BadInput: A number is out of range.
        """
        if self.simulator not in SIMULATORS and not self.simulator.endswith(".py"):
            raise unknown_name("simulator", self.simulator, SIMULATORS)
        if not self.population and not 2 <= self.agents <= 100_000_000:
            raise BadInput(f"a society has 2 to 100,000,000 agents, not {self.agents}.")
        if self.behaviour not in ("none", "constant", "heuristic"):
            raise unknown_name("behaviour", self.behaviour, ("none", "constant", "heuristic"))
        if (self.archetypes or self.llm_users or self.scene) and not self.model:
            raise BadInput("archetypes, thinking users and scenes need a language model; name one.")
        if self.device and self.simulator != "covid":
            raise BadInput(f"--device computes covid; {self.simulator} has no use for it.")
        if self.simulator == "scene" and not self.scene:
            raise BadInput("the simulator scene plays a file; name it with --scene FILE.toml.")


def build(options: Options) -> tuple[Model, State]:
    """The model of a run and the state it begins with.

    Raises:
        BadInput: An option or a file is not what it must be.
        UnknownName: A name does not exist.
    """
    options.check()
    script = read_script(Path(options.scene)) if options.scene else None
    if options.simulator == "scene":
        assert script is not None
        return scene_model(), scene_state(script)
    if options.simulator == "social":
        from collegium.society.social.build import build_social

        model, state = build_social(options)
    else:
        model, state = _city(options)
    return put_scene(model, state, script, options.seed)


def put_scene(model: Model, state: State, script: Script | None, seed: int) -> tuple[Model, State]:
    """A society with a scene inside, if there is one."""
    if script is None:
        return model, state
    put_inside(state, script, seed=seed)
    return with_scene(model, state), state


def _city(options: Options) -> tuple[Model, State]:
    """An epidemic or a labour market."""
    source = people_of(options.population, options.agents, options.seed, ("age",))
    model = _model(options, source.categories)
    called = {c.column: list(c.names) for c in source.categories}
    if options.simulator == "market":
        state = market_state(source.people)
        state.values["categories"] = called
        return model, state
    layers = layers_of(source, options.contacts, options.seed)
    seed, infected = options.seed, options.infected
    state = covid_state(source.people, layers, seed=seed, infected=infected, labour=options.labour)
    if source.infected is not None:
        state.agents["stage"][:] = source.infected
    state.values["categories"] = called
    return model, state


def _model(options: Options, categories: Sequence[Categories]) -> Model:
    """The model alone, as a resumed run needs it."""
    by_work = labour_archetypes(options.archetypes, categories) if options.archetypes else None
    if options.simulator == "market":
        return market_model(by_work)
    computes = processor(options.device)
    if options.archetypes:
        groups = isolation_archetypes(options.archetypes, categories)
        isolation = Isolation("archetypes", groups, computes)
    else:
        isolation = Isolation(options.behaviour, processor=computes)  # type: ignore[arg-type]
    labour = Labour(MONTH, by_work) if options.labour else None
    return covid_model(isolation, labour=labour, processor=computes)


def start(options: Options, kernel: Kernel | None = None) -> Society:
    """A society at its first step.

    Raises:
        CollegiumError: An option, a file or a parameter is not what it must be.
    """
    if options.simulator.endswith(".py"):
        society = own_simulator(options, kernel)
        for name, value in options.parameters.items():
            society.set(name, value)
        if options.scene:
            script = read_script(Path(options.scene))
            society.model, _ = put_scene(society.model, society.state, script, options.seed)
        return society
    model, state = build(options)
    return Society(model, state, seed=options.seed, parameters=options.parameters, kernel=kernel)


def own_simulator(options: Options, kernel: Kernel | None) -> Society:
    """The society that a user's own file makes: its function ``society(agents, seed, kernel)``.

    Raises:
        BadInput: The file cannot be read or run, or makes something else.
    """
    file = Path(options.simulator)
    if not file.is_file():
        raise BadInput(f"there is no file {file} with a simulator.")
    spec = importlib.util.spec_from_file_location(f"simulator_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        make = getattr(module, "society", None)
        if not callable(make):
            raise BadInput(f"{file} has no function society(agents, seed, kernel).")
        made = make(agents=options.agents, seed=options.seed, kernel=kernel)
    except CollegiumError:
        raise
    except Exception as error:
        raise BadInput(f"{file}: {type(error).__name__}: {error}") from error
    if not isinstance(made, Society):
        raise BadInput(f"society() in {file} must make a Society, not {type(made).__name__}.")
    return made


def resume(folder: Path, kernel: Kernel | None = None) -> tuple[Society, Options]:
    """A society as its newest checkpoint left it, and the options it was started with.

    Raises:
        BadInput: There is no checkpoint, or it cannot be read.
    """
    saved, state = checkpoint.load(folder)
    options = msgspec.convert(saved.options, Options)
    if options.simulator.endswith(".py"):
        model = own_simulator(options, kernel).model
    elif options.simulator == "scene":
        model = scene_model()
    elif options.simulator == "social":
        from collegium.society.social.build import social_model_of

        model = social_model_of(options, state)
    else:
        called = state.values.get("categories", {})
        categories = [Categories(c, tuple(names)) for c, names in called.items()]
        model = _model(options, categories)
    if options.scene and options.simulator != "scene":
        model = with_scene(model, state)
    society = Society(
        model,
        state,
        seed=saved.seed,
        parameters=saved.parameters,
        kernel=kernel,
        t=saved.t,
        curves=saved.curves,
    )
    return society, options


async def simulate(
    society: Society,
    steps: int,
    *,
    options: Options | None = None,
    folder: Path | None = None,
    every: int = 5,
    interventions: Sequence[Scheduled] = (),
    on_step: Callable[[Society], None] | None = None,
) -> Society:
    """Run a society up to a step, keeping checkpoints on the way.

    Args:
        society: Where it stands.
        steps: Number of steps it is to have taken in the end.
        options: What it was started with; kept in the checkpoints.
        folder: Where checkpoints go; None: none are made.
        every: Steps between checkpoints.
        interventions: What happens when. Those of steps that are over are taken to be done.
        on_step: Called after every step.

    Raises:
        BadInput: An intervention is impossible, or a checkpoint cannot be written.
    """
    arrange(society, interventions)
    ended = society.model.over
    while society.t < steps and not (ended is not None and ended(society)):
        await society.step()
        if on_step is not None:
            on_step(society)
        last = society.t == steps or (ended is not None and ended(society))
        if folder is not None and (society.t % every == 0 or last):
            checkpoint.save(society, folder, msgspec.to_builtins(options) if options else None)
    return society


def arrange(society: Society, interventions: Sequence[Scheduled]) -> None:
    """Schedule what is not over, and not scheduled already by a run that is resumed.

    Raises:
        BadInput: An intervention is impossible.
    """
    known = society.state.values.get("schedule", [])
    for entry in interventions:
        if entry.at >= society.t and msgspec.to_builtins(entry) not in known:
            schedule(society, entry.at, entry.operation)


def steps_of(simulator: str) -> str:
    """What one step of a simulator is, in words."""
    names = {"covid": "a day", "market": "a month", "social": "3 minutes", "scene": "a turn"}
    return names.get(simulator, "a step")
