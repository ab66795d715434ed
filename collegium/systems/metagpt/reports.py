"""The review of a file and the report on a test run, as types."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from collegium.systems.metagpt.documents import field

Line = Annotated[str, Meta(max_length=140)]


class Review(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "requirements": "Requirements met",
        "logic": "Logic right",
        "interfaces": "Follows the interfaces",
        "implemented": "All functions implemented",
        "imports": "All imports there",
        "reuse": "Other files reused rightly",
        "actions": "Actions",
        "result": "Code Review Result",
    },
):
    """The review of a file (WriteCodeReview): six fixed questions, actions, verdict."""

    requirements: Literal["yes", "no"]
    logic: Literal["yes", "no"]
    interfaces: Literal["yes", "no"]
    implemented: Literal["yes", "no"]
    imports: Literal["yes", "no"]
    reuse: Literal["yes", "no"]
    actions: Annotated[list[Line], field("what to change; [] when nothing", max_length=2)]
    result: Annotated[
        Literal["LGTM", "LBTM"], field("LGTM: it is good; LBTM: it must be rewritten")
    ]


class RunReport(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "instruction": "Instruction",
        "file_to_rewrite": "File To Rewrite",
        "status": "Status",
        "send_to": "Send To",
    },
):
    """What a failed test run means (RunCode), and who is to mend it."""

    instruction: Annotated[str, field("what is wrong and how to mend it")]
    file_to_rewrite: Annotated[str, field("the file to change")]
    status: Annotated[Literal["PASS", "FAIL"], field("FAIL: something must be mended")]
    send_to: Annotated[
        Literal["NoOne", "Engineer", "QaEngineer"],
        field("Engineer if the code is wrong, QaEngineer if the test is wrong"),
    ]


@functools.lru_cache(maxsize=64)
def report_on(files: tuple[str, ...]) -> type[RunReport]:
    """A short type of report whose File To Rewrite is one of these files."""
    made: Any = msgspec.defstruct(
        "RunReportOn",
        [
            (
                "instruction",
                Annotated[str, field("what is wrong and how to mend it, in short", max_length=240)],
            ),
            ("file_to_rewrite", Annotated[Literal[files], field(f"one of {', '.join(files)}")]),
        ],
        bases=(RunReport,),
        frozen=True,
        kw_only=True,
        rename={"instruction": "Instruction", "file_to_rewrite": "File To Rewrite"},
    )
    return made
