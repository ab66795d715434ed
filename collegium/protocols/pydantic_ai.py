"""Systems as tools of pydantic-ai: ``Agent(model, tools=[as_tool("mad")])``.

The tool's model is the calling agent's own unless another is named. What the agent's run may still
spend is what the system may; what it spends counts to that run. What its agents write is in the
run's event stream; a run that is cancelled cancels it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from collegium.api import Run, arun
from collegium.bench.jobs import answer_text
from collegium.errors import BadInput, missing_extra
from collegium.kernel import Generate, Limits, Reply, RunStore
from collegium.kernel.kernel import gather
from collegium.models.model import OnText
from collegium.models.remote_messages import read_reply, wire_messages, wire_parameters
from collegium.systems import parse_system
from collegium.tasks.task import AnswerKind

try:
    from pydantic_ai import ModelRetry, RunContext, RunUsage, Tool, ToolReturn, UsageLimitExceeded
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import CustomEvent
    from pydantic_ai.models import Model as TheirModel
    from pydantic_ai.settings import ModelSettings
except ImportError:
    raise missing_extra("frameworks", "a tool of pydantic-ai") from None


@dataclass(kw_only=True)
class SystemWrote(CustomEvent):
    """An agent of a system wrote something.

    Attributes:
        system: The system.
        agent: The agent.
        text: What it wrote.
    """

    system: str = ""
    agent: str = ""
    text: str = ""


class AgentModel:
    """The model of a pydantic-ai agent as one of ours.

    Args:
        model: The model.
    """

    def __init__(self, model: TheirModel) -> None:
        self.model = model
        self.name = f"{model.system}:{model.model_name}"
        self.context = 0
        self.fingerprint = f"{self.name}:{uuid.uuid4().hex}"  # its settings are not known here

    async def generate(self, request: Generate, on_text: OnText | None = None) -> tuple[Reply, ...]:
        """Ask for every sample; results come in their order.

        Raises:
            BadInput: The request has a grammar, adapters, beams or an unfinished turn.
        """
        if request.grammar or request.adapters or request.beams > 1 or request.prefill:
            raise BadInput(
                f"{self.name} answers plain requests alone; name a model of ours for this system: "
                "as_tool(..., model='local')."
            )
        return tuple(await gather(*(self._sample(request, i, on_text) for i in range(request.n))))

    async def aclose(self) -> None:
        """The agent closes its model itself."""

    async def _sample(self, request: Generate, number: int, on_text: OnText | None) -> Reply[Any]:
        settings: ModelSettings = {"temperature": request.temperature}
        if request.top_p < 1:
            settings["top_p"] = request.top_p
        if request.max_tokens is not None:
            settings["max_tokens"] = request.max_tokens
        if request.stop:
            settings["stop_sequences"] = list(request.stop)
        if request.seed is not None:
            settings["seed"] = (request.seed + number) % (1 << 31)
        response = await model_request(
            self.model,
            wire_messages(request),
            model_settings=settings,
            model_request_parameters=wire_parameters(request, self.model),
        )
        reply = read_reply(response, request)
        if on_text is not None and reply.text:
            on_text(number, reply.text)
        return reply


def as_tool(
    system: str,
    *,
    name: str = "",
    description: str = "",
    model: str | None = None,
    roles: Mapping[str, str] | None = None,
    answer: AnswerKind = "text",
    limits: Limits = Limits(),
    seed: int | None = None,
    policy: Path | str | None = None,
    store: RunStore | Path | None = None,
    **parameters: Any,
) -> Tool[Any]:
    """A system as a tool that takes a task and returns the answer.

    Args:
        system: Name, with parameters if wished: "mad:rounds=3".
        name: Of the tool; by default the system's.
        description: What the model is told; by default the system's summary.
        model: The system's model; None: that of the agent that calls the tool.
        roles: Models of particular agents or roles.
        answer: Kind of answer wanted.
        limits: What one run may spend, besides what the calling run has left.
        seed: Makes every run repeatable.
        policy: A policy file: what the agents may do.
        store: The run store or its path; None: the user's own.
        parameters: Of the system.

    Returns:
        The tool. The metadata of what it returns has the run's id, calls, tokens, and what cut it
        short.

    Raises:
        BadInput: The system or a parameter is unknown.
    """
    chosen, _ = parse_system(system)
    chosen.bind(parameters)

    async def solve(ctx: RunContext[Any], task: str) -> ToolReturn[str]:
        """Solve a task.

        Args:
            ctx: The run that asks.
            task: The task, complete with all that is needed to solve it.
        """
        if not task.strip():
            raise ModelRetry("the task is empty; write it out in full.")
        used: Any = model
        if used is None:
            if not isinstance(ctx.model, TheirModel):
                raise BadInput("this agent's model answers no requests; as_tool(..., model=...).")
            used = AgentModel(ctx.model)
        async with _heard(ctx, chosen.name) as hear:
            run = await arun(
                system,
                task,
                model=used,
                roles=roles,
                params=parameters,
                answer=answer,
                limits=left(limits, ctx),
                seed=seed,
                policy=policy,
                store=store,
                on_text=hear,
                origin={"protocol": "pydantic-ai"},
            )
        ctx.usage.incr(
            RunUsage(
                requests=run.calls,
                input_tokens=run.usage.prompt,
                cache_read_tokens=run.usage.cached,
                output_tokens=run.usage.completion,
            )
        )
        said = answer_text(run.answer) or f"There is no answer. {run.limited}".strip()
        return ToolReturn(return_value=said, metadata=_account(run))

    return Tool(
        solve,
        name=name or chosen.name.replace("-", "_"),
        description=description or chosen.summary,
        takes_ctx=True,
    )


def left(limits: Limits, ctx: RunContext[Any]) -> Limits:
    """What a system may spend: its own limits, and no more than the calling run has left.

    Args:
        limits: Its own.
        ctx: The calling run.

    Raises:
        UsageLimitExceeded: The run has nothing left.
    """
    theirs, spent = ctx.usage_limits, ctx.usage
    tokens, calls = [limits.tokens], [limits.calls]
    if theirs is not None and theirs.total_tokens_limit is not None:
        tokens.append(theirs.total_tokens_limit - spent.total_tokens)
    if theirs is not None and theirs.request_limit is not None:
        calls.append(theirs.request_limit - spent.requests - 1)  # one is to read the answer
    rest = {
        "tokens": min((t for t in tokens if t is not None), default=None),
        "calls": min((c for c in calls if c is not None), default=None),
        "seconds": min(
            (s for s in (limits.seconds, ctx.remaining_time()) if s is not None), default=None
        ),
    }
    for what, value in rest.items():
        if value is not None and value <= 0:
            raise UsageLimitExceeded(f"the run has no {what} left for {ctx.tool_name}")
    return msgspec.structs.replace(limits, **rest)


@asynccontextmanager
async def _heard(
    ctx: RunContext[Any], system: str
) -> AsyncIterator[Callable[[str, int, str], None]]:
    """Gives what takes pieces of text, and puts them into the run's event stream in their order."""
    pieces: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def emit() -> None:
        while True:
            agent, text = await pieces.get()
            await ctx.emit(SystemWrote(system=system, agent=agent, text=text))
            pieces.task_done()

    def hear(agent: str, sample: int, text: str) -> None:
        pieces.put_nowait((agent, text))

    emitting = asyncio.create_task(emit())
    try:
        yield hear
        joining = asyncio.ensure_future(pieces.join())
        await asyncio.wait({joining, emitting}, return_when=asyncio.FIRST_COMPLETED)
        joining.cancel()
        if emitting.done():
            await emitting  # what went wrong
    finally:
        emitting.cancel()


def _account(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "calls": run.calls,
        "tokens": run.usage.tokens,
        "limited": run.limited,
    }
