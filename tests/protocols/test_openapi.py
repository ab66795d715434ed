"""The server's description: complete, served openly, and true to what a real server replies."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("starlette")
pytest.importorskip("schemathesis")

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from collegium.kernel import RunStore
from collegium.protocols import Clients, Hub, application
from collegium.protocols.openapi import ACP, ALWAYS, OPENAI, PARTS, describe

TOKEN = "a-token-for-the-fuzzer-0123"
UUID = "7d9fbd24-6e6c-4a3e-9d38-8e2f1bb4f8b5"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 12


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server of all protocols in a process of its own, that wants a token."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(f"fuzzer {TOKEN}\n")
    return serve("words", "direct", "mad", "--token-file", str(file))


@pytest.fixture(scope="module")
def document(server) -> Any:
    return httpx.get(f"{server.address}/openapi.json", timeout=20).json()


CASES = [
    pytest.param(o.method, o.path, mode, id=f"{o.method} {o.path} {mode.value}")
    for o in (*ALWAYS, *OPENAI, *ACP)
    for mode in GenerationMode
    if mode.is_positive or o.body or o.names  # what takes nothing cannot be given it wrongly
]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_replies_are_as_described(server, document, method, path, mode) -> None:
    schema = schemathesis.openapi.from_dict(document)
    operation = schema[path][method]

    @seed(7)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        case.call_and_validate(
            base_url=server.address,
            headers={"Authorization": f"Bearer {TOKEN}"},
            checks=CHECKS,
            timeout=20,
        )

    check()


def test_a_token_is_asked_for_wherever_the_description_says_so(server, document) -> None:
    asked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            url = server.address + re.sub(r"{\w+}", UUID, path)
            answer = httpx.request(method, url, json={} if method == "post" else None, timeout=20)
            if "security" in operation:
                asked += 1
                assert answer.status_code == 401, path
                assert answer.headers["content-type"] == "application/json"
                assert answer.headers["www-authenticate"] == "Bearer"
            else:
                assert answer.status_code == 200, path
    assert asked == len(OPENAI) + len(ACP)


def test_every_route_is_described(scripts: Path, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs.db")
    hub = Hub(["direct"], model=f"script:{scripts}:words", store=store)
    app = application(
        hub, ("openai", "acp"), clients=Clients(), host="127.0.0.1", address="http://x"
    )
    routes = {
        (re.sub(r":path}", "}", route.path), method.lower())
        for route in app._app.routes
        for method in route.methods - {"HEAD"}
    }
    store.close()
    assert routes == {(o.path, o.method) for o in (*ALWAYS, *OPENAI, *ACP)}


def test_only_what_is_spoken_is_described() -> None:
    for spoken in (["openai"], ["acp"], ["mcp"]):
        found = describe(spoken, "http://x", secured=False)
        described = {o.path for p in spoken for o in PARTS.get(p, ())}
        assert set(found["paths"]) == {o.path for o in ALWAYS} | described
        assert "securitySchemes" not in found["components"]


def test_nothing_is_answered_in_json_too(server) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/v1/models", 405)):
        answer = httpx.request(method, f"{server.address}{path}", headers=headers, timeout=20)
        assert answer.status_code == status
        assert answer.json()["error"]["message"] == answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"stream_options": "all"},
        {"text": 5},
        {"response_format": "json"},
        {"collegium": []},
        {"collegium": {"tokens": 0}},
        {"max_tokens": -1},
        {"temperature": -1},
        {"model": 5},
        {"seed": 1 << 70},
        {"stream": "yes"},
    ],
)
def test_wrong_values_are_refused_in_both_protocols(server, body) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for path, asked in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/responses", {"input": "hi"}),
    ):
        if path == "/v1/responses" and body.keys() & {
            "stream_options",
            "max_tokens",
            "response_format",
        }:
            continue  # no fields of that protocol
        if path == "/v1/chat/completions" and "text" in body:
            continue
        answer = httpx.post(
            f"{server.address}{path}", json={**asked, **body}, headers=headers, timeout=20
        )
        assert answer.status_code == 400, (path, answer.text)
        assert answer.json()["error"]["type"] == "invalid_request_error"
