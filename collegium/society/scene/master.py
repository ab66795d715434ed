"""The Game Master: what happens, who notices, who moves next (Concordia, arXiv 2312.03664).

A step of a scene: is it over? - every player observes what is new to it - who acts next, and how is
it asked? - the player acts - the attempt is resolved by a chain of questions - those who are there
will notice.

Paper vs code vs ours
---------------------
* The code makes one call per player for observations, whoever is there and whether or not anything
  is new. Here a player to whom nothing is new is not told anything, and players who are in one
  place with the same news are told the same in one call (``batched``); with ``batched=False`` each
  is told in a call of its own, as in the code.
* An action specification that cannot be read ends a run of the code. Here it is asked for once
  more, and then the player is asked openly; both are counted.
* Lettered options end at 26 in the code, so that of 40 names 14 can never be chosen. Here a choice
  is bound to the names themselves.
* The code tells duplicates by a hash that changes with every process. Here texts are compared.
* Of the code's grounding components there are places, inventories and the pay-off of the pub game;
  clocks, questionnaires and markets are not here, nor the asynchronous engine. A forum is a society
  of its own here, see :mod:`collegium.society.scene.inside`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel import Kernel, Unparsed, gather
from collegium.kernel.atomic import replace
from collegium.society.scene.document import Document
from collegium.society.scene.entity import ActionSpec, Answer, Entity
from collegium.society.scene.ground import Inventory
from collegium.society.scene.memory import AssociativeMemory
from collegium.society.scene.player import RECENT, Remembering
from collegium.society.scene.together import act_together

PAPER = "concordia"

OPEN_CALL = "What does {name} do next?"

Rule = Callable[["Scene", Document, str, str], Awaitable[str]]
"""One question of the chain: (scene, document, text so far, who acted) -> text."""


class SpecForm(msgspec.Struct, frozen=True):
    """How the Game Master says what is asked of a player."""

    call: str
    output: Answer = "free"
    options: tuple[str, ...] = ()


class Gift(msgspec.Struct, frozen=True):
    """Things that change hands in an event."""

    target: str
    thing: str
    count: int


class Gifts(msgspec.Struct, frozen=True):
    """All that changes hands in an event."""

    gifts: tuple[Gift, ...] = ()


async def success_and_why(scene: Scene, page: Document, text: str, actor: str) -> str:
    """Ask whether it succeeds and, if not, why."""
    if await page.yes_no("success", f"Does {actor} succeed in this?") is not False:
        return text
    scene.failed = True
    why = await page.open_question("why", f"Why does {actor} fail?")
    return f"{text} But it fails. {why}".strip()


async def effect(scene: Scene, page: Document, text: str, actor: str) -> str:
    """What follows, and both in one sentence. Nobody is made to act who did not say so."""
    followed = await page.open_question(
        "effect",
        f"Because of that, what happens? Do not decide for anybody but {actor} what they do.",
    )
    told = await page.open_question("rewrite", "Tell what was done and what followed, in one line.")
    return told or f"{text} {followed}".strip()


async def transfer(scene: Scene, page: Document, text: str, actor: str) -> str:
    """What changes hands really does, or is refused with the reason."""
    if scene.inventory is None:
        return text
    found = await page.typed("transfer", f"What does {actor} give to whom, if anything?", Gifts)
    for gift in () if isinstance(found, Unparsed) else found.gifts:
        refused = scene.inventory.give(actor, gift.target, gift.thing, gift.count)
        if refused:
            text = f"{text} But {refused}."
    return text


async def movement(scene: Scene, page: Document, text: str, actor: str) -> str:
    """Where the actor is afterwards: in one of the places that are open."""
    places = [place for place in scene.known_places if place not in scene.closed]
    if len(places) < 2:
        return text
    place = await page.choice("movement", f"Where is {actor} after that?", places)
    if place is not None:
        scene.places[actor] = place
    return text


CHAIN: tuple[Rule, ...] = (success_and_why, effect)

RULES: Mapping[str, Rule] = {
    "success": success_and_why,
    "effect": effect,
    "transfer": transfer,
    "movement": movement,
}
"""The questions of a chain by name."""


class Happened(msgspec.Struct, frozen=True):
    """One line of a scene's log."""

    step: int
    actor: str
    attempt: str
    event: str
    observers: tuple[str, ...]
    failed: bool = False


class _Kept(msgspec.Struct):
    step: int
    log: list[Happened]
    queue: dict[str, list[str]]
    places: dict[str, str]
    memories: dict[str, list[str]]
    own: list[str]
    held: dict[str, dict[str, int]] | None
    repaired: int


class Scene:
    """A Game Master and its players.

    Args:
        kernel: Carries all questions.
        players: By name; each holds a component "memory".
        own: The Game Master's own memory.
        premise: What everybody knows at first.
        places: Where everybody is; empty: all are in one place.
        inventory: Who has what; None: nothing is owned.
        chain: How attempts are resolved.
        batched: Whether players with the same news are told in one call.
        closed: Places where nobody can go.
        absent: Players who take no part: they are asked nothing and notice nothing.
        together: Whether everybody acts in every step, not knowing what the others do.

    Raises:
        BadInput: There are no players, or a player has no place.
    """

    def __init__(
        self,
        kernel: Kernel,
        players: Mapping[str, Entity],
        own: AssociativeMemory,
        *,
        premise: str = "",
        places: Mapping[str, str] | None = None,
        inventory: Inventory | None = None,
        chain: Sequence[Rule] = CHAIN,
        batched: bool = True,
        closed: Collection[str] = (),
        absent: Collection[str] = (),
        together: bool = False,
    ) -> None:
        if not players:
            raise BadInput("a scene needs players.")
        self.places = dict(places or dict.fromkeys(players, "here"))
        lost = [name for name in players if name not in self.places]
        if lost:
            raise BadInput(f"{lost[0]} has no place; give every player one.")
        self.kernel, self.players, self.own = kernel, dict(players), own
        self.inventory, self.chain, self.batched = inventory, tuple(chain), batched
        self.queue: dict[str, list[str]] = {n: [premise] if premise else [] for n in players}
        self.known_places = tuple(dict.fromkeys(self.places.values()))
        self.closed, self.absent, self.together = frozenset(closed), frozenset(absent), together
        self.step = 0
        self.log: list[Happened] = []
        self.repaired = 0
        self.over = self.failed = False

    @property
    def present(self) -> list[str]:
        """The players who take part."""
        return [name for name in self.players if name not in self.absent]

    async def run(self, steps: int) -> list[Happened]:
        """Take steps until the scene is over."""
        while self.step < steps and not self.over:
            await self.advance()
        return self.log

    async def advance(self) -> None:
        """Take one step."""
        if not self.present or await self.page().yes_no("terminate", "Is the scene over?"):
            self.over = True
            return
        self.failed = False
        await self._observe()
        if self.together:
            await act_together(self)
            return
        actor = await self._next()
        spec = await self.spec_for(actor)
        entity = self.players[actor]
        entity.acting.step = self.step
        attempt = await entity.act(spec)
        await self.own.add([attempt])
        page = self.page()
        page.statement(f"{actor} attempts: {attempt}")
        event, before = attempt, self.places[actor]
        for rule in self.chain:
            event = await rule(self, page, event, actor)
        await self.own.add([event])
        # who leaves a place is seen where it was and where it went
        there = (before, self.places[actor])
        observers = [n for n in self.present if self.places[n] in there]
        for name in observers:
            self.queue[name].append(event)
        happened = Happened(self.step, actor, attempt, event, tuple(observers), self.failed)
        self.log.append(happened)
        self.step += 1

    def tell(self, event: str, names: Sequence[str]) -> None:
        """Let some players notice something, and nobody else: a secret."""
        for name in names:
            self.queue[name].append(event)

    async def _observe(self) -> None:
        """Tell every player what is new to it; players with the same news together."""
        groups: dict[Any, list[str]] = {}
        for name in self.present:
            news = self.queue[name]
            if news:
                key = (self.places[name], tuple(news)) if self.batched else name
                groups.setdefault(key, []).append(name)
        told = await gather(*(self._tell(names) for names in groups.values()))
        for names, text in zip(groups.values(), told, strict=True):
            for name in names:
                self.queue[name] = []
                await self.players[name].observe(text)

    async def _tell(self, names: list[str]) -> str:
        page = Document(self.kernel, "gm", self.step, "game-master")
        news = self.queue[names[0]]
        page.statement(f"Place: {self.places[names[0]]}\nNews: {' '.join(news)}")
        who = names[0] if len(names) == 1 else ", ".join(names)
        said = await page.open_question(
            f"observe-{names[0]}", f"What do they see and hear who are there ({who})?"
        )
        return said or " ".join(news)

    async def _next(self) -> str:
        names = self.present
        chosen = await self.page().choice("next-acting", "Who acts next?", names)
        if chosen is None:
            self.repaired += 1
            return names[self.step % len(names)]
        return chosen

    async def spec_for(self, actor: str) -> ActionSpec:
        """How a player is asked to act; openly where that cannot be read."""
        form = await self.page().typed(
            "next-action-spec", f"What is {actor} asked to do, and how?", SpecForm
        )
        if not isinstance(form, Unparsed):
            spec = ActionSpec(form.call or OPEN_CALL, form.output, form.options)
            try:
                spec.check()
            except BadInput:
                pass
            else:
                return spec
        self.repaired += 1
        return ActionSpec(OPEN_CALL)

    def page(self) -> Document:
        """A document that begins with what the Game Master remembers."""
        page = Document(self.kernel, "gm", self.step, "game-master")
        page.statement("\n".join(self.own.recent(RECENT)))
        return page

    # -- checkpoints --------------------------------------------------------------------------

    def save(self, file: Path) -> None:
        """Keep the scene in a file.

        Raises:
            BadInput: It cannot be written.
        """
        kept = _Kept(
            self.step,
            self.log,
            self.queue,
            self.places,
            {name: memory_of(entity).texts for name, entity in self.players.items()},
            self.own.texts,
            self.inventory.held if self.inventory else None,
            self.repaired,
        )
        try:
            replace(file, msgspec.json.encode(kept))
        except OSError as error:
            raise BadInput(f"cannot write {file}: {error.strerror}.") from None

    async def load(self, file: Path) -> None:
        """Go on from a file: into a scene made anew with the same players.

        Raises:
            BadInput: It cannot be read, or is of other players.
        """
        kept = _read(file)
        if set(kept.memories) != set(self.players):
            raise BadInput(f"{file} is of the players {', '.join(sorted(kept.memories))}.")
        self.step, self.log, self.queue = kept.step, kept.log, kept.queue
        self.places, self.repaired = kept.places, kept.repaired
        for name, texts in kept.memories.items():
            await memory_of(self.players[name]).add(texts)
        await self.own.add(kept.own)
        if kept.held is not None:
            self.inventory = Inventory(kept.held)


def _read(file: Path) -> _Kept:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"the scene {file} cannot be read: {error}.") from None


def memory_of(entity: Entity) -> AssociativeMemory:
    """What a player remembers.

    Raises:
        BadInput: It has no component "memory" of the usual kind.
    """
    component = entity.components.get("memory")
    if not isinstance(component, Remembering):
        raise BadInput(f"{entity.name} has no memory.")
    return component.memory
