"""What ACP sends and gets, as types: requests are read by them, replies described."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec

from collegium.protocols.acp_wire import AcpMessage

Mode = Literal["sync", "async", "stream"]

Status = Literal[
    "created", "in-progress", "awaiting", "cancelling", "cancelled", "completed", "failed"
]


class SessionGiven(msgspec.Struct):
    """A session that a run is to go on with."""

    id: UUID
    history: list[str] = []
    state: str | None = None


class Create(msgspec.Struct):
    """What starts a run."""

    agent_name: str
    input: list[AcpMessage]
    mode: Mode = "sync"
    session_id: UUID | None = None
    session: SessionGiven | None = None


class AwaitResume(msgspec.Struct):
    """The answer to a question."""

    type: Literal["message"]
    message: AcpMessage


class Resume(msgspec.Struct):
    """What a run goes on with."""

    await_resume: AwaitResume
    mode: Mode


# -- replies: what is written, field by field, so that a description of it can be checked


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing more to say."""


class AboutAgent(msgspec.Struct, forbid_unknown_fields=True):
    """What is told of an agent besides."""

    framework: str
    programming_language: str
    tags: list[str]


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What is told of an agent."""

    name: str
    description: str
    metadata: AboutAgent
    input_content_types: list[str]
    output_content_types: list[str]


class Agents(msgspec.Struct, forbid_unknown_fields=True):
    """All agents."""

    agents: list[Manifest]


class RunError(msgspec.Struct, forbid_unknown_fields=True):
    """Why a run failed."""

    code: Literal["server_error", "invalid_input"]
    message: str


class AwaitRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a run asks."""

    type: Literal["message"]
    message: AcpMessage


class Run(msgspec.Struct, forbid_unknown_fields=True):
    """A run as it stands."""

    run_id: UUID
    agent_name: str
    session_id: UUID | None
    status: Status
    await_request: AwaitRequest | None
    output: list[AcpMessage]
    error: RunError | None
    created_at: str
    finished_at: str | None
    metadata: dict[str, Any]


class Events(msgspec.Struct, forbid_unknown_fields=True):
    """What happened in a run."""

    events: list[dict[str, Any]]


class Session(msgspec.Struct, forbid_unknown_fields=True):
    """A session: the addresses of its runs."""

    id: UUID
    history: list[str]
    state: None


class AcpError(msgspec.Struct):
    """An error as the protocol has it."""

    code: str
    message: str
