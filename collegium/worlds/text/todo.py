"""A service that keeps lists of things to do, used with typed tools.

Questions and orders, as in the to-do part of AgentGym: how many, which one, add, move, finish,
delete. The service and its lists are ours, made by a seed. The answer of a question is compared
with what code counts; an order with what the lists hold when code has carried it out.
"""

from __future__ import annotations

import random
from typing import Any, Literal

import msgspec

from collegium.errors import BadInput
from collegium.kernel.tool import Tool, tool
from collegium.tasks.task import Score
from collegium.worlds.text.kind import Kind, mixed

LISTS = ("garden", "kitchen", "office", "trip", "workshop", "reading")
THINGS = (
    "water the herbs", "call the plumber", "sharpen the saw", "book the ferry", "file the invoices",
    "repot the fern", "order new chalk", "oil the hinge", "pack the tent", "return the atlas",
    "clean the kettle", "sort the seeds", "print the tickets", "mend the fence", "draft the notes",
    "buy candles", "check the tyres", "sand the shelf", "review the plan", "label the jars",
)  # fmt: skip
COUNTS = {"train": 120, "validation": 40, "test": 40}

RULES = """You look after somebody's lists of things to do, with tools. Answer a question with the
value alone: a number, or the exact title. An order is carried out by changing the lists."""

Job = Literal["count", "next", "add", "finish", "move", "delete"]
JOBS: tuple[Job, ...] = ("count", "next", "add", "finish", "move", "delete")


class Thing(msgspec.Struct):
    """One thing to do; ``name`` is that of its list."""

    number: int
    title: str
    name: str
    day: int
    done: bool = False


class State(msgspec.Struct):
    """All things, and the number of the next one."""

    things: list[Thing]
    following: int


class Case(msgspec.Struct, frozen=True):
    """A task: what is asked, the answer (None for an order), and what the lists hold at the end."""

    job: Job
    text: str
    answer: str | None
    end: State


class Todo:
    """The service, for one task.

    Args:
        start: What the lists hold at first.
        case: The task.
    """

    snapshots: Literal["state"] = "state"

    def __init__(self, start: State, case: Case) -> None:
        self.case = case
        self._start = msgspec.msgpack.encode(start)
        self.state = start

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What the service can do."""

        async def lists() -> list[str]:
            """The names of all lists."""
            return sorted({t.name for t in self.state.things})

        async def things(name: str) -> list[dict[str, Any]]:
            """The things of a list, with number, title, day (1 to 30) and whether they are done."""
            found = [msgspec.to_builtins(t) for t in self.state.things if t.name == name]
            if not found:
                raise BadInput(f"there is no list {name!r}.")
            return found

        async def add(title: str, name: str, day: int) -> str:
            """Put a new thing into a list, for a day."""
            if not 1 <= day <= 30:
                raise BadInput(f"a day is 1 to 30, not {day}.")
            number = self.state.following
            self.state.things.append(Thing(number, title, name, day))
            self.state.following += 1
            return f"added as number {number}"

        async def finish_thing(number: int) -> str:
            """Mark a thing as done."""
            self._of(number).done = True
            return "done"

        async def move(number: int, name: str) -> str:
            """Put a thing into another list."""
            self._of(number).name = name
            return "moved"

        async def delete(number: int) -> str:
            """Take a thing off its list for ever."""
            self.state.things.remove(self._of(number))
            return "deleted"

        return tuple(map(tool, (lists, things, add, finish_thing, move, delete)))

    def actions(self) -> tuple[str, ...]:
        """Moves with the numbers and names there are, and answers that a question could have."""
        names = sorted({t.name for t in self.state.things})
        numbers = [t.number for t in self.state.things]
        moves = ["lists", *(f'things {{"name": "{n}"}}' for n in names)]
        moves += [f'{m} {{"number": {n}}}' for m in ("finish_thing", "delete") for n in numbers]
        answers = [*range(6), *(t.title for t in self.state.things)]
        return (*moves, *(f'finish {{"answer": "{a}"}}' for a in answers))

    async def reset(self, seed: int | None = None) -> str:
        """The lists as they were at first, and the task."""
        self.state = msgspec.msgpack.decode(self._start, type=State)
        return self.case.text

    async def snapshot(self) -> bytes:
        """All the lists."""
        return msgspec.msgpack.encode(self.state)

    async def restore(self, snapshot: bytes) -> None:
        """Go back to them."""
        self.state = msgspec.msgpack.decode(snapshot, type=State)

    async def judge(self, answer: Any) -> Score:
        """Right when the lists hold what they should, and a question has its answer."""
        kept = self.state == self.case.end
        said = str(answer if answer is not None else "").strip().strip("\"'.").lower()
        if said.endswith(".0"):
            said = said.removesuffix(".0")
        told = self.case.answer is None or said == self.case.answer.lower()
        return Score(float(kept and told), kept and told, facts={"lists": kept})

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _of(self, number: int) -> Thing:
        for thing in self.state.things:
            if thing.number == number:
                return thing
        raise BadInput(f"there is no thing with the number {number}.")


def case(split: str, number: int) -> tuple[State, Case]:
    """What the lists hold, and a task on them."""
    draw = random.Random(mixed("todo", split, number))
    names = draw.sample(LISTS, 4)
    titles = draw.sample(THINGS, 12)
    things = [
        Thing(i, title, names[i % 4 if i < 4 else draw.randrange(4)], day, draw.random() < 0.25)
        for i, (title, day) in enumerate(zip(titles, draw.sample(range(1, 31), 12), strict=True), 1)
    ]
    things[0].done = False  # something is always left
    start = State(things, len(things) + 1)
    end = msgspec.convert(msgspec.to_builtins(start), State)
    job = JOBS[number % len(JOBS)]
    name = draw.choice(names)
    chosen = draw.choice(end.things)
    answer: str | None = None
    match job:
        case "count":
            answer = str(sum(t.name == name and not t.done for t in things))
            text = f"How many things on the list {name} are not done yet?"
        case "next":
            left = [t for t in things if not t.done]
            answer = min(left, key=lambda t: t.day).title
            text = "Which thing that is not done comes first, by its day, on all lists together?"
        case "add":
            title, day = draw.choice([t for t in THINGS if t not in titles]), draw.randint(1, 30)
            end.things.append(Thing(end.following, title, name, day))
            end.following += 1
            text = f"Put a new thing on the list {name}: {title}, for day {day}."
        case "finish":
            chosen = draw.choice([t for t in end.things if not t.done])
            for thing in end.things:
                thing.done = thing.done or thing.name == chosen.name
            text = f"Mark everything on the list {chosen.name} as done."
        case "move":
            target = draw.choice([n for n in names if n != chosen.name])
            text = f"Move {chosen.title!r} to the list {target}."
            chosen.name = target
        case "delete":
            end.things.remove(chosen)
            text = f"Delete {chosen.title!r}."
    return start, Case(job, text, answer, end)


def _make(split: str, number: int) -> Todo:
    return Todo(*case(split, number))


KINDS = (
    Kind(
        name="todo",
        description="questions and orders to a service of lists, with typed tools",
        rules=RULES,
        rounds=15,
        size=COUNTS.__getitem__,
        make=_make,
        tools=("lists", "things", "add", "finish_thing", "move", "delete"),
        source="service and lists of ours",
        licence="Apache-2.0",
        stratum=lambda split, number: JOBS[number % len(JOBS)],
    ),
)
