"""The model's part: typed verdicts, temperature 0, one question for each code."""

import json

from collegium.guard.doctor import scan_project
from collegium.guard.doctor.judge import Judge, decide
from collegium.guard.doctor.scan import scan_with_model
from collegium.kernel import Generate, Kernel
from collegium.models import ScriptedModel


def answering(verdict: str, about: str = ""):
    def script(request: Generate) -> str:
        said = verdict if about in request.messages[-1].text else "yes"
        return json.dumps({"reason": "It says so.", "verdict": said})

    return script


async def test_a_verdict_becomes_a_finding(desk, written):
    kernel = Kernel(ScriptedModel(answering("no", "name: Notebook")))
    report = await scan_with_model(written(desk), kernel)
    (finding,) = report.findings
    assert (finding.type, finding.symbol, finding.llm_verdict) == ("IETI", "NotesTool", "no")
    assert report.unknown == ()
    assert all(e.call.temperature == 0 for e in kernel.trace.events)
    assert all(e.call.schema for e in kernel.trace.events)


async def test_unknown_stays_open(desk):
    report = scan_project(desk)
    judged = await decide(report, Judge(Kernel(ScriptedModel(answering("unknown")))))
    assert judged.findings == ()
    assert judged.unknown == report.unknown


async def test_the_same_code_is_asked_about_once(desk):
    kernel = Kernel(ScriptedModel(answering("yes")))
    judge = Judge(kernel)
    report = scan_project(desk)
    await decide(report, judge)
    await decide(scan_project(desk), judge)
    assert kernel.meter.calls == len(report.unknown)
