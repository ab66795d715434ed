"""Blueprints: reading them, the structural rules, the architectures."""

import msgspec
import pytest

from collegium.agents.umf import (
    RULES,
    architecture,
    architecture_of,
    check,
    check_trace,
    ensure,
    read_blueprint,
)
from collegium.errors import BadInput, UnknownName
from collegium.kernel import Kernel, tool
from tests.agents.umf.designs import TEAM, design
from tests.kernel.support import Scripted

ALL = ["planning", "memory", "profile", "action", "security"]


def found(blueprint, **options) -> list[tuple[str, str]]:
    return [(v.rule, str(v)) for v in check(blueprint, **options)]


@pytest.mark.must_show("umf", 1)
def test_a_planner_over_two_passive_core_agents_is_sound() -> None:
    team = read_blueprint(TEAM)
    assert architecture_of(team) == "one-active-many-passive"
    assert check(team) == ()
    ensure(team)
    assert read_blueprint(msgspec.json.encode(team).decode()) == team
    planning = team.core_agent("P").modules.planning
    assert planning is not None
    assert planning.strategy == ("single-path",)


@pytest.mark.must_show("umf", 1)
def test_a_passive_core_agent_with_a_memory() -> None:
    (fault,) = check(design(S={"modules": ["action", "security", "memory"]}))
    assert str(fault) == "passive with memory: S"
    assert (fault.rule, fault.where, fault.module) == ("passive-with-module", ("S",), "memory")


@pytest.mark.must_show("umf", 1)
@pytest.mark.parametrize("way", ["commands", "talks_to"])
def test_a_passive_core_agent_calls_another(way: str) -> None:
    links = ["S"] if way == "commands" else ["m", "calculator", "S"]
    (fault,) = check(design(C={way: links}, S={"talks_to": ["m", "web"]}))
    assert fault.rule == "passive-commands"
    assert str(fault) == "passive commands: C commands S"


@pytest.mark.must_show("umf", 1)
def test_without_security_on_the_way_one_path_is_open() -> None:
    bare = design(P={"modules": ALL[:4]}, C={"modules": ["action"]})
    faults = check(bare)
    (path,) = [v for v in faults if v.rule == "unguarded-path"]
    assert path.where == ("P", "C", "calculator")
    assert str(path) == "unguarded path: P -> C -> calculator"
    # The two that lack security are named too; nothing else is wrong.
    assert [str(v) for v in faults if v is not path] == [
        "active without security: P",
        "passive without security: C",
    ]


def test_the_commander_guards_a_passive_core_agent() -> None:
    bare = design(C={"modules": ["action"]})
    assert found(bare) == [("passive-without-security", "passive without security: C")]
    assert found(bare, version="v1") == []  # optional in the first version of the paper
    # A second commander without security opens a second way, and that one only.
    second = {
        "id": "Q", "kind": "active", "modules": ALL[:4], "commands": ["C"], "talks_to": ["m"]
    }  # fmt: skip
    raw = msgspec.to_builtins(bare)
    raw["core_agents"] = [*raw["core_agents"], second]
    raw["synchronisation"] = "leader election"
    blueprint = read_blueprint(msgspec.json.encode(raw).decode())
    assert [v.where for v in check(blueprint) if v.rule == "unguarded-path"] == [
        ("Q", "C", "calculator")
    ]


@pytest.mark.must_show("umf", 2)
@pytest.mark.parametrize(
    ("actives", "passives", "name"),
    [
        (0, 1, "single-passive"),
        (0, 3, "uniform multi-passive"),
        (1, 0, "single-active"),
        (3, 0, "uniform multi-active"),
        (1, 4, "one-active-many-passive"),
        (2, 5, "many-active-many-passive"),
        (1, 1, "one-active-many-passive"),
        (2, 1, "many-active-many-passive"),
    ],
)
def test_the_architecture_follows_from_the_kinds(actives: int, passives: int, name: str) -> None:
    assert architecture(actives, passives) == name


@pytest.mark.must_show("umf", 2)
@pytest.mark.parametrize(("actives", "passives"), [(0, 0), (-1, 3), (2, -1)])
def test_no_architecture_without_core_agents(actives: int, passives: int) -> None:
    with pytest.raises(BadInput, match="at least one core-agent"):
        architecture(actives, passives)


@pytest.mark.must_show("umf", 7)
def test_an_unknown_value_is_located() -> None:
    text = TEAM.replace("scope: short-term", "scope: mid-term")
    with pytest.raises(UnknownName) as error:
        read_blueprint(text)
    for part in ("core-agent 'P'", "module memory", "field scope", "'mid-term'", "short-term"):
        assert part in str(error.value)


@pytest.mark.must_show("umf", 7)
def test_a_command_cycle_is_located_unless_it_is_synchronised() -> None:
    two = {
        "llms": ["m"],
        "core_agents": [
            {"id": a, "kind": "active", "modules": ALL, "commands": [b], "talks_to": ["m"]}
            for a, b in (("A", "B"), ("B", "D"), ("D", "A"))
        ],
    }
    text = msgspec.json.encode(two).decode()
    (fault,) = check(read_blueprint(text))
    assert fault.rule == "command-cycle"
    assert fault.where in {("A", "B", "D", "A"), ("B", "D", "A", "B"), ("D", "A", "B", "D")}
    agreed = msgspec.json.encode(two | {"synchronisation": "raft"}).decode()
    assert check(read_blueprint(agreed)) == ()


@pytest.mark.must_show("umf", 7)
def test_a_tool_without_a_core_agent_is_located() -> None:
    loose = design(S={"talks_to": ["m"]})
    assert found(loose) == [("tool-without-core-agent", "tool without core-agent: web")]
    with pytest.raises(BadInput, match="tool without core-agent: web"):
        ensure(loose)


def test_every_other_rule() -> None:
    cases = [
        ({"P": {"modules": ALL[1:]}}, "active without planning: P"),
        ({"C": {"modules": ["security"]}}, "passive without action: C"),
        ({"P": {"commands": ["C"]}}, "passive without commander: S"),
        ({"blueprint": {"humans": [{"id": "user", "commands": ["C"]}]}}, "human instructs passive"),
        ({"blueprint": {"llms": [{"id": "m", "talks_to": ["web"]}]}}, "m -> web"),
        ({"blueprint": {"tools": ["calculator", {"id": "web", "talks_to": ["m"]}]}}, "web -> m"),
        ({"blueprint": {"humans": [{"id": "user", "talks_to": ["m"]}]}}, "user -> m"),
        ({"blueprint": {"llms": ["m", "idle"]}}, "LLM without core-agent: idle"),
        (
            {"blueprint": {"llms": [{"id": "m", "modules": ["memory"]}]}},
            "boundary: m owns memory",
        ),
        (
            {"blueprint": {"tools": ["calculator", {"id": "web", "modules": ["planning"]}]}},
            "boundary: web owns planning",
        ),
    ]  # fmt: skip
    seen = set()
    for changes, said in cases:
        faults = check(design(**changes))
        assert any(said in str(v) for v in faults), (said, faults)
        seen |= {v.rule for v in faults}
    equals = design(
        C={"kind": "active", "modules": ALL},
        S={"kind": "active", "modules": ALL},
    )
    (fault,) = check(equals)
    assert (fault.rule, fault.where) == ("no-synchronisation", ("C", "S"))
    shown_elsewhere = {
        "passive-with-module",
        "active-without-security",
        "passive-without-security",
        "passive-commands",
        "unguarded-path",
        "command-cycle",
        "no-synchronisation",
    }
    assert seen | shown_elsewhere == set(RULES)
    assert all(rule.since in ("v1", "v3", "ours") for rule in RULES.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("core_agents: [", "neither YAML nor JSON"),
        ('{"core_agents": [', "neither YAML nor JSON"),
        ("[1, 2]", "a blueprint is a mapping"),
        ("llms: [m]", "at least one entry under core_agents"),
        ("core_agents: [{kind: active}]", "entry 1: expected a mapping with an id"),
        ("core_agents: [{id: A, kind: lazy}]", "unknown kind of core-agent 'A' 'lazy'"),
        ("core_agents: [{id: A, kind: active, modules: {plan: }}]", "did you mean 'planning'"),
        ("core_agents: [{id: A, kind: active, modules: {action: {goals: x}}}]", "module action"),
        ("core_agents: [{id: A, kind: active, modules: {action: tools}}]", "expected fields"),
        ("core_agents: [{id: A, kind: active, command: [B]}]", "did you mean 'commands'"),
        ("core_agents: [{id: A, kind: active, commands: [B]}]", "core-agent that 'A' commands"),
        ("core_agents: [{id: A, kind: active, talks_to: [B]}]", "part that 'A' talks to"),
        ("{core_agents: [{id: A, kind: active}], llms: [A]}", "the id 'A' is used twice"),
        ("{core_agents: [{id: A, kind: active}], llms: [{name: m}]}", "llms, entry 1"),
        ("core_agents: [{id: A, kind: active, modules: {action: {goal: [1]}}}]", "field goal"),
    ],
)
def test_bad_input_says_where(text: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        read_blueprint(text)
    assert said in str(error.value)


async def test_a_run_is_held_against_its_blueprint() -> None:
    def calculator(x: int) -> int:
        """Double."""
        return 2 * x

    kernel = Kernel(Scripted("yes"), tools=[tool(calculator)])
    c, stranger = kernel.agent("C", tools=["calculator"]), kernel.agent("X", tools=["calculator"])
    await c.ask("?")
    await c.use("calculator", x=1)
    await kernel.agent("m").ask("?")  # the LLM's own turn
    assert check_trace(read_blueprint(TEAM), kernel.trace.events) == ()
    await stranger.ask("?")
    await stranger.use("calculator", x=1)
    await kernel.agent("S", tools=["calculator"]).use("calculator", x=1)
    faults = check_trace(read_blueprint(TEAM), kernel.trace.events)
    assert [(v.rule, v.where) for v in faults] == [
        ("llm-bypasses-core-agent", ("X",)),
        ("tool-bypasses-core-agent", ("X", "calculator")),
        ("tool-bypasses-core-agent", ("S", "calculator")),
    ]
