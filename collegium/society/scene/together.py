"""The simultaneous engine: in a step everybody acts, and what they do together is resolved at once.

Everybody is asked the same, without knowing what the others do. Those who are in one place are
resolved together: each attempt by the chain's own questions, then one question for what follows
from all of them, and one line that tells it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collegium.kernel import gather

if TYPE_CHECKING:
    from collegium.society.scene.master import Scene

EVERYBODY = "everybody"


async def act_together(scene: Scene) -> None:
    """Let all players act, and resolve what they did, place by place."""
    spec = await scene.spec_for(EVERYBODY)
    actors = scene.present
    for name in actors:
        scene.players[name].acting.step = scene.step
    attempts = await gather(*(scene.players[name].act(spec) for name in actors))
    await scene.own.add(attempts)
    by_place: dict[str, list[tuple[str, str]]] = {}
    for name, attempt in zip(actors, attempts, strict=True):
        by_place.setdefault(scene.places[name], []).append((name, attempt))
    for place, acts in by_place.items():
        await _resolve(scene, place, acts)
    scene.step += 1


async def _resolve(scene: Scene, place: str, acts: list[tuple[str, str]]) -> None:
    from collegium.society.scene.master import Happened, effect

    page = scene.page()
    for actor, attempt in acts:
        page.statement(f"{actor} attempts: {attempt}")
    texts, failed = [], []
    for actor, attempt in acts:
        scene.failed, text = False, attempt
        for rule in scene.chain:
            if rule is not effect:
                text = await rule(scene, page, text, actor)
        texts.append(text)
        failed.append(scene.failed)
    event = " ".join(texts)
    if effect in scene.chain:
        event = await effect(scene, page, event, ", ".join(actor for actor, _ in acts))
    await scene.own.add([event])
    there = {place, *(scene.places[actor] for actor, _ in acts)}
    observers = tuple(n for n in scene.present if scene.places[n] in there)
    for name in observers:
        scene.queue[name].append(event)
    for (actor, attempt), fails in zip(acts, failed, strict=True):
        scene.log.append(Happened(scene.step, actor, attempt, event, observers, fails))
