"""What the guard lets through, and what becomes of what it does not."""

import asyncio
from enum import Enum
from typing import Any, ClassVar

import pytest

from collegium.errors import BadInput, Blocked, PolicyError, Stopped
from collegium.guard import Ask, Budget, Compiled, Guard, Guarding, Policy, Rule, Update
from collegium.kernel import Call, Kernel, UseTool, tool
from collegium.kernel.calls import ToolCall
from collegium.kernel.toolcalls import answer_calls
from collegium.models import ScriptedModel
from tests.guard.bank import LANDLORD, THIEF, Bank, run_clerk

ANY = (Rule(effect="allow"),)


def decide(rules: tuple[Rule, ...], **arguments: Any) -> bool:
    return Compiled(Policy(tools={"send_money": rules})).decide("send_money", arguments).allowed


def kernel_with(policy: Policy, *tools: Any, **options: Any) -> Kernel:
    by_name = {t.spec.name: t for t in tools}
    guard = Guard(policy, tools=by_name, **options)
    return Kernel(ScriptedModel(lambda r: "ok"), tools=tools, interceptors=[guard])


# -- rules ----------------------------------------------------------------------------------------

SWEDEN = Rule(effect="forbid", priority=1, when={"recipient": {"pattern": "^SE"}})
SMALL = Rule(effect="allow", priority=2, when={"amount": {"maximum": 100}})


@pytest.mark.must_show("progent", 1)
@pytest.mark.parametrize("rules", [(SWEDEN, SMALL), (SMALL, SWEDEN)])
def test_rules_in_order_of_priority(rules: tuple[Rule, ...]) -> None:
    compiled = Compiled(Policy(tools={"send_money": rules}))
    kingdom = "UK12345678901234567890"
    assert compiled.decide("send_money", {"recipient": kingdom, "amount": 50}).allowed
    over = compiled.decide("send_money", {"recipient": kingdom, "amount": 150})
    assert not over.allowed and over.number == 0 and '"maximum":100' in over.reason
    to_sweden = {"recipient": "SE3550000000054910000003", "amount": 10}
    blocked = compiled.decide("send_money", to_sweden)
    assert not blocked.allowed and rules[blocked.number - 1] is SWEDEN


@pytest.mark.must_show("progent", 1)
def test_forbid_wins_at_equal_priority_whatever_the_order() -> None:
    allow = Rule(effect="allow", when={"amount": {"maximum": 100}})
    forbid = Rule(effect="forbid", when={"recipient": {"pattern": "^SE"}})
    for rules in ((allow, forbid), (forbid, allow)):
        assert not decide(rules, recipient="SE3550", amount=10)
        assert decide(rules, recipient="UK12", amount=10)


@pytest.mark.must_show("progent", 2)
def test_a_pattern_is_searched_for_unless_it_is_anchored() -> None:
    iban = "UK12345678901234567890"
    loose = (Rule(effect="allow", when={"recipient": {"pattern": iban}}),)
    assert decide(loose, recipient=f"xx{iban}zz")
    tight = (Rule(effect="allow", when={"recipient": {"pattern": f"^{iban}$"}}),)
    assert decide(tight, recipient=iban)
    assert not decide(tight, recipient=f"xx{iban}zz")
    assert not decide(tight, recipient=f"{iban}\n")


def test_an_argument_that_is_left_out() -> None:
    strict = Rule(effect="allow", when={"amount": {"maximum": 100}})
    lenient = Rule(effect="allow", when={"amount": {"maximum": 100}}, missing="holds")
    assert not decide((strict,))
    assert decide((lenient,))
    assert not decide((lenient,), amount=101)


def test_tools_without_rules() -> None:
    assert not Compiled(Policy()).decide("anything", {}).allowed
    assert Compiled(Policy(default="allow")).decide("anything", {}).allowed
    # an empty list is a decision: nothing is allowed
    assert not Compiled(Policy(default="allow", tools={"t": ()})).decide("t", {}).allowed


def test_many_turns_between_allow_and_forbid() -> None:
    rules = tuple(
        Rule(effect=e, priority=n, when={"n": {"minimum": n}})
        for n in range(300, 0, -1)
        for e in ("allow" if n % 2 else "forbid",)
    )
    compiled = Compiled(Policy(tools={"t": rules}))
    assert compiled.decide("t", {"n": 1}).allowed
    assert not compiled.decide("t", {"n": 0}).allowed
    assert compiled.decide("t", {"n": 301}).number == 300


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x", {1: 2}, "\ud800", object()])
def test_what_cannot_be_checked_is_blocked(value: Any) -> None:
    everything = (Rule(effect="allow"),)
    assert not decide(everything, amount=value)
    assert not decide((Rule(effect="allow", when={"amount": {"maximum": 9}}),), amount=value)


def test_a_nested_argument_without_end_is_blocked() -> None:
    value: list[Any] = []
    value.append(value)
    assert not decide((Rule(effect="allow"),), amount=value)


def test_a_check_that_breaks_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Compiled(Policy(tools={"t": ANY}, default="allow"))

    def broken(rule: Rule) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("collegium.guard.decide._whole", broken)
    decision = compiled.decide("t", {})
    assert not decision.allowed and "out of memory" in decision.reason


def test_a_policy_outside_the_language_is_refused_with_its_place() -> None:
    rules = (Rule(effect="allow"), Rule(effect="allow", when={"to": {"format": "email"}}))
    with pytest.raises(PolicyError, match=r"tool 't', rule 2, argument 'to'.*'format'"):
        Compiled(Policy(tools={"t": rules}))
    update = Update(tool="u", rules=(Rule(effect="allow", when={"x": {"pattern": "("}}),))
    with pytest.raises(PolicyError, match="tool 't', rule 1, update: tool 'u', rule 1"):
        Compiled(Policy(tools={"t": (Rule(effect="allow", update=(update,)),)}))


# -- what a tool would really get -----------------------------------------------------------------


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


async def test_arguments_are_judged_as_the_tool_takes_them() -> None:
    got: list[float] = []

    @tool
    def pay(amount: float, folder: str = "/", colour: Colour = Colour.RED) -> str:
        """Pay."""
        got.append(amount)
        return "paid"

    rules = (
        Rule(effect="forbid", when={"folder": {"const": "/"}}),
        Rule(effect="forbid", when={"colour": {"const": "blue"}}),
        Rule(effect="allow", when={"amount": {"maximum": 100}}),
    )
    kernel = kernel_with(Policy(tools={"pay": rules}), pay)
    agent = kernel.agent("a", tools=("pay",))
    with pytest.raises(Blocked, match="rule 1"):  # the default would have been used
        await agent.use("pay", amount=5)
    with pytest.raises(Blocked, match="rule 2"):
        await agent.use("pay", amount=5, folder="/tmp", colour="blue")
    with pytest.raises(Blocked, match="maximum"):  # a text that the tool would read as a number
        await agent.use("pay", amount="150", folder="/tmp")
    assert await agent.use("pay", amount="50", folder="/tmp") == "paid"
    with pytest.raises(BadInput, match="amount"):
        await agent.use("pay", amount=[], folder="/tmp")
    assert got == [50]


async def test_a_name_that_poses_as_a_call_of_the_kernel() -> None:
    ran: list[str] = []

    def sneaky() -> str:
        """Sneak."""
        ran.append("x")
        return ""

    import msgspec

    made = tool(sneaky)
    made = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, name="@send"))
    kernel = kernel_with(Policy(tools={"@send": ANY}, default="allow"), made)
    with pytest.raises(Blocked, match="begins with @"):
        await kernel.agent("a", tools=("@send",)).use("@send")
    assert ran == []


# -- all kinds of calls ---------------------------------------------------------------------------


class Move(Call, frozen=True, kw_only=True, tag="move-of-a-test"):
    """A move in a world."""

    result: ClassVar[Any] = str

    to: str


async def test_every_call_that_acts_is_guarded_and_reading_is_not() -> None:
    moved: list[str] = []

    async def move(call: Move) -> str:
        moved.append(call.to)
        return "there"

    kernel = Kernel(
        ScriptedModel(lambda r: "hello"), interceptors=[Guard(Policy())], drivers={Move: move}
    )
    ann, bob = kernel.agent("ann"), kernel.agent("bob")
    acting = (
        lambda: ann.send(bob, "hi"),
        lambda: ann.remember("x"),
        lambda: ann.store("a.txt", "x"),
        lambda: ann.ask_human("?"),
        lambda: kernel.call(Move(agent="ann", to="door")),
    )
    for act in acting:
        with pytest.raises(Blocked):
            await act()
    assert (await ann.ask("say hello")).text == "hello"
    assert await bob.receive() == ()
    assert await ann.recall("x") == ()
    assert moved == []


async def test_other_calls_have_rules_by_name_and_fields() -> None:
    rules = {
        "@send": (Rule(effect="allow", when={"to": {"const": "bob"}, "text": {"maxLength": 5}}),),
        "@recall": (),
        "@move-of-a-test": (Rule(effect="allow", when={"to": {"enum": ["door"]}}),),
        "@generate": (Rule(effect="allow", when={"temperature": {"maximum": 0.5}}),),
    }

    async def move(call: Move) -> str:
        return call.to

    kernel = Kernel(
        ScriptedModel(lambda r: "hello"),
        interceptors=[Guard(Policy(tools=rules))],
        drivers={Move: move},
    )
    ann, bob, eve = (kernel.agent(n) for n in ("ann", "bob", "eve"))
    await ann.send(bob, "hi")
    assert [m.text for m in await bob.receive()] == ["hi"]
    for blocked in (
        ann.send(eve, "hi"),
        ann.send(bob, "a long text"),
        ann.recall("x"),
        kernel.call(Move(agent="ann", to="window")),
        ann.ask("x", temperature=1.0),
    ):
        with pytest.raises(Blocked):
            await blocked
    assert await kernel.call(Move(agent="ann", to="door")) == "door"
    assert (await ann.ask("x", temperature=0.0)).text == "hello"


# -- what follows a block -------------------------------------------------------------------------

PAYMENTS = {
    "read_file": ANY,
    "send_money": (
        Rule(effect="allow", when={"recipient": {"enum": [LANDLORD]}, "amount": {"maximum": 100}}),
    ),
}


@pytest.mark.must_show("progent", 5)
async def test_an_injected_order_is_carried_out_without_a_guard() -> None:
    bank = Bank()
    solved, _ = await run_clerk(bank)
    assert bank.sent == [(THIEF, 30.0), (LANDLORD, 98.7)]
    assert solved.result.answer == "The rent is paid."


@pytest.mark.must_show("progent", 5)
async def test_with_a_guard_it_is_not_and_the_task_is_still_done() -> None:
    bank = Bank()
    guarding = Guarding(Policy(tools=PAYMENTS), tools={t.spec.name: t for t in bank.tools})
    solved, kernel = await run_clerk(bank, interceptors=guarding.interceptors)
    assert bank.sent == [(LANDLORD, 98.7)]
    assert bank.balance == 1000 - 98.7
    assert solved.result.answer == "The rent is paid." and not solved.limited
    # the agent was told, as an answer of the tool, and went on
    told = solved.result.notes["observed"][1]
    assert told.startswith("Error: the policy blocked send_money: no rule allows it; rule 1 would")
    assert "Go on with the user's task" in told
    # and the refusal stands in the trace and in the account
    (event,) = [e for e in kernel.trace.events if e.failure == "Blocked"]
    assert isinstance(event.call, UseTool) and event.call.arguments["recipient"] == THIEF
    (refusal,) = guarding.refusals
    assert (refusal.agent, refusal.call, refusal.ended) == ("clerk", "send_money", False)


@pytest.mark.must_show("progent", 5)
async def test_terminate_ends_the_run_with_a_recorded_reason() -> None:
    bank = Bank()
    stop = Rule(
        effect="forbid",
        when={"recipient": {"not": {"const": LANDLORD}}},
        fallback="terminate",
        why="only the landlord is paid",
    )
    policy = Policy(tools={**PAYMENTS, "send_money": (stop, *PAYMENTS["send_money"])})
    guarding = Guarding(policy)
    solved, kernel = await run_clerk(bank, interceptors=guarding.interceptors)
    assert bank.sent == []
    assert solved.result.answer == "nothing was done"  # what it had kept is what it is scored on
    assert solved.limited.startswith("the policy ended the run when 'clerk' called send_money")
    assert "only the landlord is paid" in solved.limited
    assert [r.ended for r in guarding.refusals] == [True]
    with pytest.raises(Stopped):  # nothing passes any more
        await kernel.agent("late").ask("hello")


@pytest.mark.must_show("progent", 5)
@pytest.mark.parametrize(
    ("answer", "sent", "said"),
    [
        ("yes", 2, ""),
        ("no", 1, "said no"),
        ("", 1, "said no"),
        (None, 1, "did not answer within 0.05 seconds"),
        ("nobody", 1, "nobody to ask"),
        ("broken", 1, "could not be asked: no terminal"),
    ],
)
async def test_asking_the_user(answer: str | None, sent: int, said: str) -> None:
    bank, questions = Bank(), []

    async def human(question: str) -> str:
        questions.append(question)
        if answer is None:
            await asyncio.sleep(60)
        if answer == "broken":
            raise OSError("no terminal")
        return answer or ""

    ask = Rule(effect="forbid", when={"recipient": {"const": THIEF}}, fallback="ask")
    policy = Policy(
        tools={**PAYMENTS, "send_money": (ask, *PAYMENTS["send_money"])}, ask=Ask(seconds=0.05)
    )
    guarding = Guarding(policy, human=None if answer == "nobody" else human)
    await run_clerk(bank, interceptors=guarding.interceptors)
    assert len(bank.sent) == sent
    assert len(questions) == (answer != "nobody")
    if said:
        assert said in guarding.refusals[0].reason
    else:
        assert guarding.refusals == () and guarding.guard.consents == [("clerk", "send_money")]


async def test_two_questions_are_not_asked_at_once() -> None:
    asking = most = 0

    async def human(question: str) -> str:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        await asyncio.sleep(0.01)
        asking -= 1
        return "yes"

    done: list[int] = []

    @tool
    def act(n: int) -> str:
        """Act."""
        done.append(n)
        return "done"

    policy = Policy(
        tools={"act": (Rule(effect="forbid", fallback="ask"),)}, limits=Budget(tools={"act": 2})
    )
    kernel = kernel_with(policy, act, human=human)
    agent = kernel.agent("a", tools=("act",))
    calls = [ToolCall(str(n), "act", {"n": n}) for n in range(4)]
    answers = await answer_calls(agent, calls)
    assert most == 1
    # two were let through by the user; the limit that they used up holds for the others
    assert len(done) == 2
    assert sum("may be called 2 times" in a.text for a in answers) == 2


async def test_calls_of_tools_are_counted() -> None:
    @tool
    def act() -> str:
        """Act."""
        return "done"

    @tool
    def other() -> str:
        """Act."""
        return "done"

    policy = Policy(default="allow", limits=Budget(tools={"act": 1, "*": 3}))
    kernel = kernel_with(policy, act, other)
    agent = kernel.agent("a", tools=("act", "other"))
    await agent.use("act")
    with pytest.raises(Blocked, match="it may be called 1 time in a run"):
        await agent.use("act")
    await agent.use("other")
    await agent.use("other")
    with pytest.raises(Blocked, match="tools may be called 3 times"):
        await agent.use("other")


# -- updates --------------------------------------------------------------------------------------


async def test_a_rule_changes_the_policy_of_its_own_run_alone() -> None:
    @tool
    def login(user: str) -> str:
        """Log in."""
        return "welcome"

    @tool
    def delete(name: str) -> str:
        """Delete."""
        return "gone"

    opened = Update(tool="delete", rules=(Rule(effect="allow", when={"name": {"const": "a"}}),))
    closed = Update(tool="login", rules=())
    policy = Policy(tools={"login": (Rule(effect="allow", update=(opened, closed)),)})
    compiled = Compiled(policy)
    tools = {"login": login, "delete": delete}
    guards = [Guard(compiled, tools=tools) for _ in range(2)]
    kernels = [
        Kernel(ScriptedModel(lambda r: ""), tools=tools.values(), interceptors=[g]) for g in guards
    ]
    first, second = (k.agent("a", tools=("login", "delete")) for k in kernels)
    with pytest.raises(Blocked):
        await first.use("delete", name="a")
    await first.use("login", user="ann")
    assert await first.use("delete", name="a") == "gone"
    with pytest.raises(Blocked):
        await first.use("delete", name="b")
    with pytest.raises(Blocked):
        await first.use("login", user="ann")
    with pytest.raises(Blocked):  # the other run knows nothing of it
        await second.use("delete", name="a")
    assert [(c.cause, c.tool) for c in guards[0].changes] == [
        ("login, rule 1", "delete"),
        ("login, rule 1", "login"),
    ]
    assert guards[1].changes == [] and compiled.policy == policy


async def test_a_resumed_run_is_guarded_as_before() -> None:
    done: list[int] = []

    @tool
    def act(n: int) -> str:
        """Act."""
        done.append(n)
        return f"did {n}"

    close = Update(tool="act", rules=(Rule(effect="allow", when={"n": {"maximum": 2}}),))
    policy = Policy(tools={"act": (Rule(effect="allow", update=(close,)),)})

    async def steps(kernel: Kernel) -> list[str]:
        agent, said = kernel.agent("a", tools=("act",)), []
        for n in (5, 7, 1):
            try:
                said.append(await agent.use("act", n=n))
            except Blocked:
                said.append("blocked")
        return said

    first = kernel_with(policy, act)
    assert await steps(first) == ["did 5", "blocked", "did 1"]
    again = Kernel(
        ScriptedModel(lambda r: "ok"), tools=[act], interceptors=[Guard(policy)],
        journal=[first.trace.events[:2]],
    )  # fmt: skip
    # what was recorded is not done again, but its rules are installed again
    assert await steps(again) == ["did 5", "blocked", "did 1"]
    assert done == [5, 1, 1]


async def test_an_update_may_add() -> None:
    @tool
    def read(name: str) -> str:
        """Read."""
        return "text"

    more = Update(
        tool="read", rules=(Rule(effect="allow", when={"name": {"const": "b"}}),), replace=False
    )
    first = Rule(effect="allow", when={"name": {"const": "a"}}, update=(more,))
    kernel = kernel_with(Policy(tools={"read": (first,)}), read)
    agent = kernel.agent("x", tools=("read",))
    with pytest.raises(Blocked):
        await agent.use("read", name="b")
    await agent.use("read", name="a")
    assert await agent.use("read", name="b") == "text"
    assert await agent.use("read", name="a") == "text"
