"""Run dylan through the client of every protocol, over real sockets, and find each run's trace.

The server is a process of its own with a real model; the clients are the official packages of
OpenAI, MCP and A2A, and that of ACP in an environment of its own (``make peers``). Every client is
told the run's id by its own protocol's means; the trace of that id must be there, and its tokens
must be those that the client was told. Run it with ``python -m collegium.bench.sdk_dylan``; it
writes ``results/interop/dylan.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from collegium.bench.machine import machine
from collegium.bench.speed_serve import process
from collegium.errors import BadInput
from collegium.kernel import Generate, RunStore, Usage

MODEL = "local-tiny"
SYSTEM = "dylan"
QUESTION = "Which planet is nearest to the sun? Answer with its name."

ACP_PROGRAM = """
import asyncio, json, sys
from acp_sdk.client import Client

async def main(address, question):
    async with Client(base_url=address, timeout=600) as client:
        run = await client.run_sync(question, agent="dylan")
    said = "".join(str(m) for m in run.output)
    print(json.dumps({"answer": said, "request": str(run.run_id)}))

asyncio.run(main(*sys.argv[1:]))
"""


class Told(msgspec.Struct, frozen=True):
    """What a client was told.

    Attributes:
        answer: The answer.
        run: The run's id; "" where the package hands on the protocol's own id alone.
        tokens: What it spent; None where the package has no place for that.
        request: The protocol's own id of the run, which is kept with it.
    """

    answer: str
    run: str = ""
    tokens: int | None = None
    request: str = ""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One client.

    Attributes:
        client: The package, with its version.
        protocol: What it speaks.
        answer: What it was told.
        run: The run's id.
        tokens: Tokens, as it was told; None: it was not.
        trace_calls: Model calls in the trace of that id.
        trace_tokens: Tokens in it.
        skipped: Why it did not run.
    """

    client: str
    protocol: str
    answer: str = ""
    run: str = ""
    tokens: int | None = None
    trace_calls: int = 0
    trace_tokens: int = 0
    skipped: str = ""


async def through_openai(address: str, question: str) -> Told:
    """OpenAI's package: the run's id is that of the request."""
    import openai

    async with openai.AsyncOpenAI(
        base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=600
    ) as client:
        done: Any = await client.chat.completions.create(
            model="collegium/dylan", messages=[{"role": "user", "content": question}]
        )
    return Told(done.choices[0].message.content, done._request_id, done.usage.total_tokens)


async def through_mcp(address: str, question: str) -> Told:
    """The package of MCP: the id is part of the tool's result."""
    import mcp

    async with mcp.Client(f"{address}/mcp", read_timeout_seconds=600) as client:
        done: Any = await client.call_tool("run", {"task": question})
    found = done.structured_content
    return Told(found["answer"], found["run"], found["tokens"])


async def through_a2a(address: str, question: str) -> Told:
    """The package of A2A: the id is in the metadata of the artifact, the tokens in the status's."""
    import httpx
    from a2a.client import ClientConfig, create_client
    from a2a.types import a2a_pb2 as pb

    http = httpx.AsyncClient(timeout=600)
    client = await create_client(
        address, client_config=ClientConfig(streaming=True, httpx_client=http)
    )
    message = pb.Message(message_id="m", role=pb.Role.ROLE_USER, parts=[pb.Part(text=question)])
    answer, run, tokens = "", "", None
    try:
        async for event in client.send_message(pb.SendMessageRequest(message=message)):
            if event.HasField("artifact_update"):
                artifact = event.artifact_update.artifact
                answer = "".join(part.text for part in artifact.parts)
                run = str(artifact.metadata["collegium/run"])
            elif event.HasField("status_update"):
                told: Any = event.status_update.metadata
                tokens = int(told["collegium/tokens"]) if "collegium/tokens" in told else tokens
    finally:
        await client.close()
        await http.aclose()
    return Told(answer, run, tokens)


async def through_acp(address: str, question: str) -> Told:
    """The package of ACP, in its own environment: it hands on the protocol's id of the run."""
    python = acp_python()
    running = await asyncio.create_subprocess_exec(
        str(python), "-c", ACP_PROGRAM, address, question, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    out, _ = await running.communicate()
    if running.returncode:
        raise BadInput(f"the ACP client failed with status {running.returncode}.")
    found = json.loads(out.splitlines()[-1])
    return Told(found["answer"], request=found["request"])


def acp_python() -> Path | None:
    """The Python in which the package of ACP lives; None: there is none."""
    named = os.environ.get("COLLEGIUM_PEERS")
    python = Path(named) if named else Path("out") / "peers" / "bin" / "python"
    return python if python.exists() else None


def versions() -> dict[str, str]:
    """Packages with their versions, by protocol; "" where one is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for protocol, package in (("openai", "openai"), ("mcp", "mcp"), ("a2a", "a2a-sdk")):
        try:
            found[protocol] = f"{package} {version(package)}"
        except PackageNotFoundError:
            found[protocol] = ""
    found["acp"] = ""
    if python := acp_python():
        asked = "from importlib.metadata import version; print('acp-sdk', version('acp-sdk'))"
        done = subprocess.run(
            [str(python), "-c", asked],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": ""},
        )
        found["acp"] = done.stdout.strip()
    return found


CLIENTS: dict[str, Callable[[str, str], Coroutine[Any, Any, Told]]] = {
    "openai": through_openai,
    "mcp": through_mcp,
    "a2a": through_a2a,
    "acp": through_acp,
}


def measure(model: str, system: str = SYSTEM, question: str = QUESTION) -> list[Row]:
    """Run the system once through every client that is installed.

    Args:
        model: The model behind the server.
        system: The system, which is served as the default one.
        question: The task.

    Raises:
        BadInput: The server or a client failed, or a trace is not what the client was told.
    """
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        arguments = ("-m", "collegium.cli", "serve", system, "--model", model, "--port", "0")
        with process(*arguments, home=home) as address:
            for protocol, package in versions().items():
                if not package:
                    reason = "its package is not installed"
                    rows.append(Row(protocol, protocol, skipped=reason))
                    continue
                told = asyncio.run(CLIENTS[protocol](address, question))
                rows.append(_row(package, protocol, told, home))
    return rows


def _row(package: str, protocol: str, told: Told, home: Path) -> Row:
    store = RunStore(home / "runs.db")
    try:
        if told.run:
            row = store.run(told.run)
        else:
            asked = {r.spec.get("origin", {}).get("request"): r for r in store.runs(1000)}
            row = asked[told.request]
        events = [e for _, _, e in store.events(row.id)]
    finally:
        store.close()
    calls = [e for e in events if isinstance(e.call, Generate)]
    tokens = sum((e.usage for e in calls), Usage()).tokens
    if row.status != "done" or not calls:
        raise BadInput(f"{package}: the trace of run {row.id} is {row.status}, and not whole.")
    if told.tokens is not None and told.tokens != tokens:
        raise BadInput(f"{package} was told {told.tokens} tokens, and the trace has {tokens}.")
    return Row(
        client=package,
        protocol=protocol,
        answer=told.answer,
        run=row.id,
        tokens=told.tokens,
        trace_calls=len(calls),
        trace_tokens=tokens,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run it and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--system", default=SYSTEM)
    parser.add_argument("--out", type=Path, default=Path("results/interop/dylan.json"))
    options = parser.parse_args(arguments)
    rows = measure(options.model, options.system)
    result = {
        "command": f"python -m collegium.bench.sdk_dylan --model {options.model}",
        "machine": machine(),
        "model": options.model,
        "system": options.system,
        "question": QUESTION,
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    for row in rows:
        said = row.skipped or f"{row.trace_calls} calls, {row.trace_tokens} tokens: {row.answer!r}"
        print(f"{row.client:20} {said}")


if __name__ == "__main__":
    main()
