"""MDAgents: routing, recruitment, discussion, review, teams, decision, and bad input."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collegium.errors import BadInput
from collegium.kernel import Call, Event, Generate, Kernel, Limits, Reply, Send, Unparsed
from collegium.models.model import Model
from collegium.systems.mdagents import mdagents, parse_label
from collegium.systems.mdagents.exemplars import Exemplar
from collegium.systems.mdagents.recruiting import (
    Expert,
    Member,
    Place,
    parse_experts,
    parse_hierarchy,
    seat,
)
from collegium.systems.mdagents.teams import Clinician, Team, in_order
from collegium.systems.solve import solve
from collegium.systems.system import get_system
from collegium.tasks.task import Task
from tests.kernel.support import Scripted, worked

TASK = Task(
    id="t",
    prompt="A man of 60 has chest pain that moves to his back. What is most likely?",
    answer="choice",
    choices=("Aortic dissection", "Gastritis", "Shingles"),
)
FREE = Task(id="free", prompt="Which vitamin prevents scurvy?", answer="text")

PANEL = [
    {"role": "Cardiologist", "expertise": "the heart", "hierarchy": "Independent"},
    {"role": "Surgeon", "expertise": "the aorta", "hierarchy": "Cardiologist > Surgeon"},
    {"role": "Radiologist", "expertise": "images", "hierarchy": "Cardiologist == Radiologist"},
]
SILENT = {"talk": False, "messages": []}


def team(goal: str, *roles: str) -> dict[str, Any]:
    """A planned team; the second member leads, so that the lead has to be found."""
    members = [{"role": r, "expertise": "much", "lead": i == 1} for i, r in enumerate(roles)]
    return {"goal": goal, "members": members}


PLAN = {
    "FRDT": team("to decide", "Auditor", "Chief", "Ethicist"),
    "specialists": [team("to look deeper", "Pharmacist", "Heart surgeon", "Anaesthetist")],
    "IAT": team("to look", "Nurse", "Emergency doctor", "Paramedic"),
}


class Hospital:
    """A scripted model that plays every part, and counts how often it played which.

    Args:
        label: What the moderator's check is answered with: a label, or any texts one by one.
        panel: What the recruiter answers.
        opinions: Letters by round and expert; None cannot be read.
        talks: Replies to "do you want to talk", by turn (over all rounds) and expert.
        decisions: Letters by temperature; None cannot be read.
    """

    def __init__(
        self,
        label: str | list[str] = "moderate",
        *,
        panel: Any = PANEL,
        opinions: list[list[str | None]] | None = None,
        talks: list[list[Any]] | None = None,
        decisions: list[str | None] | None = None,
    ) -> None:
        self.labels = label if isinstance(label, list) else [checked(label)]
        self.panel = panel if isinstance(panel, str) else json.dumps({"answer": panel})
        self.opinions = opinions or [["A", "A", "A"]]
        self.talks = talks or []
        self.decisions = decisions or ["A"]
        self.turn: Counter[str] = Counter()
        self.model = Scripted(self.answer)

    def answer(self, request: Generate, i: int) -> str:
        agent, text = request.agent, request.messages[-1].text
        if request.outcome == "fix" and agent != "moderator":
            return "still no idea"
        part = stage(request)
        n = self.turn[f"{agent} {part}"]
        self.turn[f"{agent} {part}"] += 1
        match part:
            case "check":
                return self.labels[min(n, len(self.labels) - 1)]
            case "recruit":
                return self.panel
            case "opinion" | "update":
                r = n + (part == "update")
                row = self.opinions[min(r, len(self.opinions) - 1)]
                said = row[int(agent[-1]) - 1]
                return "no idea" if said is None else worked(said, f"{agent} thinks so in {r}.")
            case "talk":
                row = self.talks[n] if n < len(self.talks) else [SILENT] * 9
                said = row[int(agent[-1]) - 1]
                return said if isinstance(said, str) else json.dumps(said)
            case "review":
                number = text.count("Expert ")
                critiques = [f"Critique {n + 1} of {k}" for k in range(1, number + 1)]
                return json.dumps({"critiques": critiques})
            case "decide":
                said = self.decisions[n % len(self.decisions)]
                return "no idea" if said is None else worked(said)
            case "merge":
                return worked("C", f"Report of {agent}: much was found.")
        return f"{part} by {agent}, number {n}"

    def asked(self, part: str) -> list[Generate]:
        """The requests of one stage."""
        return [r for r in self.model.requests if stage(r) == part]

    @property
    def parts(self) -> list[str]:
        """Who was asked, in order."""
        return [r.agent for r in self.model.requests]


def checked(label: str) -> str:
    """The moderator's reply with a label."""
    return json.dumps({"reason": "it seems so", "complexity": label})


def stage(request: Generate) -> str:
    """Which step of the method a request belongs to."""
    agent, text = request.agent, prompt(request)
    if agent == "moderator":
        return "check" if "who should work on it" in text else "review"
    if agent in ("clinician", "decision-maker"):
        return "decide"
    if agent in ("recruiter", "summariser"):
        return {"recruiter": "recruit", "summariser": "summary"}[agent]
    if agent.startswith("expert-"):
        if request.schema is not None and "messages" in request.schema["properties"]:
            return "talk"
        return "update" if "Your last opinion was" in text else "opinion"
    if "-assistant-" in agent:
        return "investigation"
    return "assignment" if "not answer the question yet" in text else "merge"


def prompt(request: Generate) -> str:
    """The user's turn of a request: the last one that is not a repair."""
    return next(m.text for m in request.messages if m.role == "user")


def said(*messages: tuple[int, str]) -> dict[str, Any]:
    """An expert that wants to talk."""
    return {"talk": True, "messages": [{"to": to, "text": text} for to, text in messages]}


def sends(kernel: Kernel) -> list[tuple[str, str, str]]:
    """All messages: from, to, text."""
    calls = [e.call for e in kernel.trace.events]
    return [(c.agent, c.to, c.text) for c in calls if isinstance(c, Send)]


# -- check 1: routing ---------------------------------------------------------------------


@pytest.mark.must_show("mdagents", 1)
async def test_a_simple_question_costs_two_calls_and_no_recruiter() -> None:
    hospital = Hospital("low", decisions=["B"])
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel)
    assert hospital.parts == ["moderator", "clinician"]
    assert kernel.meter.calls == 2
    assert result.answer == "B"
    assert (result.notes["complexity"], result.notes["structure"]) == ("low", "PCC")
    assert result.notes["reason"] == "it seems so"
    assert sends(kernel) == []


@pytest.mark.must_show("mdagents", 1)
async def test_a_panel_that_agrees_at_once_costs_seven_calls() -> None:
    hospital = Hospital("moderate", opinions=[["A", "A", "A"]])
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, experts=3)
    assert kernel.meter.calls == 7
    stages = [stage(r) for r in hospital.model.requests]
    assert stages == ["check", "recruit", *["opinion"] * 3, "summary", "decide"]
    assert result.answer == "A"
    assert result.notes["structure"] == "MDT"
    assert (result.notes["consensus"], result.notes["rounds"]) == (True, 1)


@pytest.mark.must_show("mdagents", 1)
async def test_three_teams_of_three_cost_fifteen_calls_in_order() -> None:
    hospital = Hospital("high", panel=PLAN, decisions=["C"])
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, teams=3, members=3)
    assert kernel.meter.calls == 15
    team_calls = [
        [f"team-{g}-lead", f"team-{g}-assistant-1", f"team-{g}-assistant-2", f"team-{g}-lead"]
        for g in (1, 2, 3)
    ]
    assert hospital.parts == [
        "moderator",
        "recruiter",
        *(a for t in team_calls for a in t),
        "decision-maker",
    ]
    assert [r["team"] for r in result.notes["reports"]] == [
        "Initial Assessment Team",
        "Specialist Team",
        "Final Review and Decision Team",
    ]
    assert (result.answer, result.notes["structure"]) == ("C", "ICT")
    reports = [r["text"] for r in result.notes["reports"]]
    assert len(set(reports)) == 3
    final = [r for r in hospital.model.requests if r.agent.startswith("team-3")]
    assert len(final) == 4
    for request in final:
        assert reports[0] in prompt(request)
        assert reports[1] in prompt(request)
    first = [r for r in hospital.model.requests if r.agent.startswith("team-1")]
    assert not any("Report of the" in prompt(r) for r in first)
    # The decision is made from all reports, that of the final review included.
    (last,) = hospital.asked("decide")
    assert all(report in prompt(last) for report in reports)


async def test_a_fixed_complexity_saves_the_check() -> None:
    for label, calls in (("low", 1), ("moderate", 6), ("high", 14)):
        hospital = Hospital(panel=PLAN if label == "high" else PANEL)
        kernel = Kernel(hospital.model)
        result = await mdagents(TASK, kernel, complexity=label)  # type: ignore[arg-type]
        assert kernel.meter.calls == calls
        assert hospital.asked("check") == []
        assert result.notes["complexity"] == label
    cost = get_system("mdagents").cost
    assert cost is not None
    bound = get_system("mdagents").bind({"complexity": "low", "temperatures": "[0.3,0.7,1.2]"})
    assert cost(bound) == 3
    assert cost(get_system("mdagents").bind({})) is None


async def test_leads_and_assistants_work_for_each_other_by_messages() -> None:
    hospital = Hospital("high", panel=PLAN)
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel)
    assignment, *_ = hospital.asked("assignment")
    asked = "assignment by team-1-lead, number 0"
    assert asked not in prompt(assignment)
    for request in hospital.asked("investigation")[:2]:
        assert asked in prompt(request)
    merge = hospital.asked("merge")[0]
    assert "Nurse found:\ninvestigation by team-1-assistant-1, number 0" in prompt(merge)
    assert "Paramedic found:\ninvestigation by team-1-assistant-2, number 0" in prompt(merge)
    assert "as its Emergency doctor" in prompt(merge)  # the one that the plan says leads
    # 2 assignments, 2 investigations and the reports to 6, 3 and 0 later members and the decision
    assert len(sends(kernel)) == 3 * 4 + 6 + 3 + 3
    assert result.notes["experts"][0] == {
        "role": "Emergency doctor",
        "expertise": "much",
        "hierarchy": "lead of the Initial Assessment Team",
    }


# -- check 2: discussion ------------------------------------------------------------------


@pytest.mark.must_show("mdagents", 2)
async def test_a_message_reaches_whom_it_is_for_and_the_panel_comes_to_agree() -> None:
    hospital = Hospital(
        opinions=[["A", "A", "B"], ["A", "A", "A"]],
        talks=[[SILENT, SILENT, said((1, "Look at the skin."), (2, "Ask about a rash."))]],
    )
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, experts=3, rounds=5, turns=5)
    log = result.notes["log"]
    assert log["1"]["1"]["3"] == {"1": "Look at the skin.", "2": "Ask about a rash."}
    assert log["1"]["1"]["1"] == {"2": None, "3": None}
    assert log["1"]["1"]["2"] == {"1": None, "3": None}
    assert all(t is None for row in log["1"]["2"].values() for t in row.values())
    assert set(log) == {"1"} and set(log["1"]) == {"1", "2"}

    # The next prompt of each expert: the second turn of talk.
    first, second, third = (r for r in hospital.asked("talk")[3:6])
    assert "Message to you from expert 3, Radiologist: Look at the skin." in prompt(first)
    assert "Ask about a rash." not in prompt(first)
    assert "Message to you from expert 3, Radiologist: Ask about a rash." in prompt(second)
    assert "Look at the skin." not in prompt(second)
    assert "Message to you" not in prompt(third)
    for request in hospital.asked("talk")[:3]:
        assert "Message to you" not in prompt(request)
    # And the updated opinions are made from them too.
    update = hospital.asked("update")[0]
    assert "Look at the skin." in prompt(update)
    assert "expert-1 thinks so in 0." in prompt(update)

    assert result.notes["opinions"] == [["A", "A", "B"], ["A", "A", "A"]]
    assert (result.notes["consensus"], result.notes["rounds"]) == (True, 2)
    # check, recruit, 3 opinions, summary, 2 turns of 3, review, 3 updates, summary, decision
    assert kernel.meter.calls == 1 + 1 + 3 + 1 + 6 + 1 + 3 + 1 + 1


@pytest.mark.must_show("mdagents", 2)
async def test_a_later_round_debates_the_new_opinions() -> None:
    hospital = Hospital(opinions=[["A", "A", "B"], ["A", "B", "B"], ["B", "B", "B"]])
    result = await mdagents(TASK, Kernel(hospital.model), rounds=3, turns=1)
    summaries = [prompt(r) for r in hospital.asked("summary")]
    assert len(summaries) == 3
    for r, text in enumerate(summaries):
        for k in (1, 2, 3):
            assert f"expert-{k} thinks so in {r}." in text
            assert f"expert-{k} thinks so in {r - 1}." not in text
    (last,) = hospital.asked("decide")
    for text in result.notes["summaries"]:
        assert text in prompt(last)
    assert "Answers of the experts: 1: A, 2: B, 3: B" in prompt(last)


async def test_the_decision_maker_reads_every_message_and_critique() -> None:
    hospital = Hospital(
        opinions=[["A", "A", "B"]],
        talks=[[said((2, "I differ.")), SILENT, SILENT]],
        decisions=["B"],
    )
    result = await mdagents(TASK, Kernel(hospital.model), rounds=2, turns=1)
    (last,) = hospital.asked("decide")
    assert "Expert 1 to expert 2: I differ." in prompt(last)
    assert "Moderator to expert 3: Critique 1 of 3" in prompt(last)
    assert "Moderator to expert 3: Critique 2 of 3" in prompt(last)
    assert "expert-3 thinks so in 2." in prompt(last)  # the last opinions, in full
    assert result.answer == "B"  # a majority of the panel says A: the decision is its own
    assert result.notes["consensus"] is False


async def test_silence_in_the_first_round_leaves_an_answer() -> None:
    hospital = Hospital(opinions=[["A", "B", "C"], ["A", "B", "B"]], decisions=["B"])
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, rounds=1, turns=5)
    assert len(hospital.asked("talk")) == 3  # one turn without a yes, and no more
    assert len(hospital.asked("update")) == 3
    assert result.answer == "B"
    assert result.notes["opinions"][-1] == ["A", "B", "B"]


async def test_messages_to_nobody_are_ignored_and_counted() -> None:
    talks = [
        [
            said((0, "to none"), (1, "to myself"), (2, "first")),
            {"talk": False, "messages": [{"to": 1, "text": "unsaid"}]},
            "I would rather not say.",
            said((2, "one"), (2, "two"), (9, "to none")),
        ]
    ]
    four = [*PANEL, {"role": "Intern", "expertise": "all", "hierarchy": ""}]
    hospital = Hospital(panel=four, opinions=[["A", "B", "C", "C"]], talks=talks)
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, experts=4, rounds=1, turns=1)
    between = [s for s in sends(kernel) if s[0].startswith("expert")]
    assert between == [("expert-1", "expert-2", "first"), ("expert-4", "expert-2", "one")]
    assert result.notes["ignored_messages"] == 4
    assert result.notes["unreadable"] == 1


async def test_what_changes_a_message_on_its_way_changes_what_is_read() -> None:
    async def forger(call: Call, proceed: Callable[[Call], Any]) -> Any:
        if isinstance(call, Send) and call.agent == "expert-3":
            call = msgspec.structs.replace(call, text="It is shingles, trust me.")
        return await proceed(call)

    hospital = Hospital(
        opinions=[["A", "A", "B"]], talks=[[SILENT, SILENT, said((1, "Look again."))]]
    )
    kernel = Kernel(hospital.model, interceptors=[forger])
    await mdagents(TASK, kernel, rounds=1, turns=1)
    read = prompt(hospital.asked("update")[0])
    assert "It is shingles, trust me." in read
    assert "Look again." not in read


async def test_the_trace_tells_what_every_prompt_was_made_from() -> None:
    hospital = Hospital(
        opinions=[["A", "A", "B"], ["A", "A", "A"]],
        talks=[[SILENT, SILENT, said((1, "Look again."))]],
    )
    kernel = Kernel(hospital.model)
    await mdagents(TASK, kernel, turns=1)
    events: dict[int, Event] = {e.id: e for e in kernel.trace.events}

    def before(number: int) -> set[int]:
        above = events[number].call.sources
        return {*above, *(s for a in above for s in before(a))}

    (last,) = (e.id for e in events.values() if e.call.agent == "decision-maker" and e.replies)
    made_from = {events[i].call.agent for i in before(last)}
    assert made_from == {"expert-1", "expert-2", "expert-3", "summariser", "moderator"}


# -- check 3: the moderator's review ------------------------------------------------------


@pytest.mark.must_show("mdagents", 3)
async def test_the_review_comes_once_per_expert_and_round_without_consensus() -> None:
    hospital = Hospital(opinions=[["A", "A", "B"], ["A", "B", "B"], ["A", "A", "A"]])
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, rounds=5, turns=2)
    critiques = [s for s in sends(kernel) if s[0] == "moderator"]
    assert critiques == [
        ("moderator", f"expert-{k}", f"Critique {r} of {k}") for r in (1, 2) for k in (1, 2, 3)
    ]
    assert len(hospital.asked("review")) == 2  # the third round has consensus
    assert list(result.notes["reviews"]) == ["1", "2"]
    for r in (0, 1):
        for k, request in enumerate(hospital.asked("update")[3 * r : 3 * r + 3], 1):
            heard = prompt(request).count("Message to you from moderator")
            assert heard == 1
            assert f"Message to you from moderator: Critique {r + 1} of {k}" in prompt(request)


@pytest.mark.must_show("mdagents", 3)
@pytest.mark.parametrize(
    ("label", "parameters", "opinions"),
    [
        ("low", {}, [["A", "B", "C"]]),
        ("moderate", {}, [["B", "B", "B"]]),
        ("moderate", {"review": False}, [["A", "B", "C"]]),
    ],
)
async def test_no_review_of_one_clinician_of_consensus_or_when_off(
    label: str, parameters: dict[str, Any], opinions: list[list[str | None]]
) -> None:
    hospital = Hospital(label, opinions=opinions)
    kernel = Kernel(hospital.model)
    await mdagents(TASK, kernel, **parameters)
    assert hospital.asked("review") == []
    assert not any(s[0] == "moderator" for s in sends(kernel))


# -- check 4: the label -------------------------------------------------------------------


@pytest.mark.must_show("mdagents", 4)
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("low", "low"),
        (" 'High.' ", "high"),
        ("**Moderate**", "moderate"),
        ("basic", "low"),
        ("advanced", "high"),
        ("not basic, rather high", None),
        ("not low", None),
        ("low or moderate", None),
        ("highly complex", None),
        ("", None),
        ("urgent", None),
    ],
)
def test_a_label_is_one_word_or_none(text: str, label: str | None) -> None:
    assert parse_label(text) == label


@pytest.mark.must_show("mdagents", 4)
@given(st.text(), st.sampled_from(["low", "basic", "moderate", "high"]), st.text())
def test_a_label_among_other_words_is_none(before: str, word: str, after: str) -> None:
    text = f"{before}x {word} x{after}"
    assert parse_label(text) is None


@pytest.mark.must_show("mdagents", 4)
@pytest.mark.parametrize(
    "reply",
    [
        "not basic, rather high",
        "urgent",
        checked("not basic, rather high"),
        checked("urgent"),
        "",
    ],
)
async def test_an_unknown_label_is_asked_once_more_and_then_moderate(reply: str) -> None:
    hospital = Hospital([reply])
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, review=False)
    assert len(hospital.asked("check")) == 2
    assert (result.notes["complexity"], result.notes["flagged"]) == ("moderate", True)
    assert "no label that can be read" in result.account
    assert kernel.meter.calls == 8


@pytest.mark.must_show("mdagents", 4)
@pytest.mark.parametrize("second", [checked("low"), "low"])
async def test_a_label_in_the_second_try_counts(second: str) -> None:
    hospital = Hospital(["not basic, rather high", second])
    result = await mdagents(TASK, Kernel(hospital.model))
    assert hospital.parts == ["moderator", "moderator", "clinician"]
    assert (result.notes["complexity"], result.notes["flagged"]) == ("low", False)


# -- check 5: recruitment -----------------------------------------------------------------


@pytest.mark.must_show("mdagents", 5)
@pytest.mark.parametrize(
    ("text", "number", "place", "warned"),
    [
        ("", 2, Place(), False),
        ("Independent", 2, Place(), False),
        ("independent.", 1, Place(), False),
        ("Cardiologist > Surgeon", 2, Place("under", 1), False),
        ("Cardiologist > Surgeon", 1, Place("over", 2), False),
        ("cardiologist  >  SURGEON", 2, Place("under", 1), False),
        ("1 > 3", 3, Place("under", 1), False),
        ("Surgeon == Radiologist", 3, Place("beside", 2), False),
        ("Surgeon == Radiologist", 2, Place("beside", 3), False),
        ("Neurologist > Surgeon", 2, Place(), True),
        ("7 > 2", 2, Place(), True),
        ("Surgeon > Surgeon", 2, Place(), True),
        ("Cardiologist > Radiologist", 2, Place(), True),
        ("Cardiologist > Surgeon > Radiologist", 2, Place(), True),
        ("reports to nobody", 2, Place(), True),
    ],
)
def test_a_hierarchy_names_a_colleague_or_is_independent(
    text: str, number: int, place: Place, warned: bool
) -> None:
    found, warning = parse_hierarchy(text, number, ["Cardiologist", "Surgeon", "Radiologist"])
    assert found == place
    assert bool(warning) is warned
    assert not warning or "independent" in warning


@pytest.mark.must_show("mdagents", 5)
@given(
    st.lists(
        st.builds(Member, st.sampled_from("abcd "), st.just("x"), st.text("abcd123 >=", max_size=8))
    ),
    st.integers(1, 5),
)
def test_nobody_is_placed_beside_oneself_or_nobody(members: list[Member], experts: int) -> None:
    panel = seat(members, experts)
    assert len(panel.experts) <= experts
    for number, expert in enumerate(panel.experts, 1):
        if expert.place.kind == "independent":
            assert expert.place.other == 0
        else:
            assert 1 <= expert.place.other <= len(panel.experts)
            assert expert.place.other != number


@pytest.mark.must_show("mdagents", 5)
def test_the_lines_of_the_paper_are_read() -> None:
    text = (
        "Here is the panel:\n"
        "1. Cardiologist - knows the heart - Hierarchy: Independent\n"
        "2. Surgeon - knows the aorta - Hierarchy: Cardiologist > Surgeon\n"
        "3. Radiologist - knows images\n"
        "0. Nobody - knows nothing\n"
        "4. Dermatologist - knows the skin - Hierarchy: Independent\n"
        "2. Urologist - came too late - Hierarchy: Independent\n"
    )
    members, warnings = parse_experts(text, 3)
    panel = seat(members, 3)
    assert panel.experts == (
        Expert("Cardiologist", "knows the heart"),
        Expert("Surgeon", "knows the aorta", Place("under", 1)),
        Expert("Radiologist", "knows images"),
    )
    assert panel.warnings == ()
    assert [w[:22] for w in warnings] == [f"expert number {n} ignored"[:22] for n in (0, 4, 2)]


@pytest.mark.must_show("mdagents", 5)
async def test_fewer_experts_than_asked_for_will_do_and_are_reported() -> None:
    two = [
        PANEL[0],
        {"role": "Surgeon", "expertise": "the aorta", "hierarchy": "Oncologist > Surgeon"},
    ]
    hospital = Hospital(panel=two, opinions=[["A", "A"]])
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, experts=3)
    assert kernel.meter.calls == 6
    assert [e["hierarchy"] for e in result.notes["experts"]] == ["independent", "independent"]
    unknown, fewer = result.notes["warnings"]
    assert "Oncologist > Surgeon" in unknown
    assert fewer == "3 experts were asked for, 2 were named"
    assert fewer in result.account


@pytest.mark.must_show("mdagents", 5)
async def test_a_panel_named_in_lines_is_a_panel() -> None:
    class Lines(Hospital):
        def answer(self, request: Generate, i: int) -> str:
            return self.panel if request.agent == "recruiter" else super().answer(request, i)

    hospital = Lines(panel="1. Surgeon - cuts - Hierarchy: 2 > 1\n2. Intern - learns")
    result = await mdagents(TASK, Kernel(hospital.model), experts=2)
    assert [e["role"] for e in result.notes["experts"]] == ["Surgeon", "Intern"]
    assert result.notes["experts"][0]["hierarchy"] == "directed by 2"


async def test_a_panel_that_cannot_be_read_is_replaced_and_that_is_said() -> None:
    hospital = Hospital(panel="I know nobody.")
    result = await mdagents(TASK, Kernel(hospital.model))
    assert [e["role"] for e in result.notes["experts"]] == ["General practitioner"] * 3
    assert "could not be read" in result.account


# -- check 6: the decision ----------------------------------------------------------------


@pytest.mark.must_show("mdagents", 6)
@pytest.mark.parametrize(("label", "agent"), [("low", "clinician"), ("moderate", "decision-maker")])
async def test_the_majority_over_temperatures_decides(label: str, agent: str) -> None:
    hospital = Hospital(label, decisions=["B", "B", "C"])
    result = await mdagents(TASK, Kernel(hospital.model), temperatures=(0.3, 0.7, 1.2))
    assert result.answer == "B"
    assert result.notes["votes"] == {"B": 2, "C": 1}
    assert [r.temperature for r in hospital.model.requests if r.agent == agent] == [0.3, 0.7, 1.2]


@pytest.mark.must_show("mdagents", 6)
async def test_the_same_seed_gives_the_same_votes() -> None:
    async def votes(seed: int) -> tuple[Any, Any]:
        def answer(request: Generate, i: int) -> str:
            draw = (request.seed or 0) % 7 % 3
            return worked("ABC"[draw]) if request.agent == "clinician" else checked("low")

        kernel = Kernel(Scripted(answer), seed=seed)
        result = await mdagents(TASK, kernel, temperatures=(0.3,) * 9)
        return result.answer, result.notes["votes"]

    runs = {seed: await votes(seed) for seed in range(5)}
    assert all([await votes(seed) == run for seed, run in runs.items()])
    assert len({str(v) for v in runs.values()}) > 1
    assert sum(runs[0][1].values()) == 9


@pytest.mark.parametrize(("label", "answer"), [("low", None), ("moderate", "B"), ("high", "C")])
async def test_a_decision_that_cannot_be_read_falls_back_on_the_team(
    label: str, answer: str | None
) -> None:
    panel = PLAN if label == "high" else PANEL
    hospital = Hospital(label, panel=panel, opinions=[["B", "B", "A"]], decisions=[None])
    result = await mdagents(TASK, Kernel(hospital.model), rounds=1)
    assert result.answer == answer or (answer is None and isinstance(result.answer, Unparsed))
    assert (result.notes["votes"], result.notes["cast"]) == ({}, 0)
    assert result.notes["decided"] is (label == "low")
    assert "could not be read" in result.account


async def test_an_expert_that_cannot_be_read_has_not_agreed() -> None:
    hospital = Hospital(opinions=[["A", None, "A"], ["A", "A", "A"]])
    result = await mdagents(TASK, Kernel(hospital.model), turns=1)
    assert result.notes["opinions"] == [["A", None, "A"], ["A", "A", "A"]]
    assert (result.notes["abstentions"], result.notes["consensus"]) == (1, True)


# -- few-shot prompting and pictures ------------------------------------------------------


async def test_solved_questions_come_before_the_question_of_the_clinician_alone() -> None:
    solved = Exemplar("Which organ pumps blood?", "B", ("Liver", "Heart"), "It beats.")
    hospital = Hospital("low")
    await mdagents(TASK, Kernel(hospital.model), exemplars=(solved,))
    check, answer = hospital.model.requests
    shown = "Example 1: Which organ pumps blood?\nA. Liver\nB. Heart\nIt beats.\nAnswer: B"
    assert prompt(answer).startswith(shown)
    assert prompt(answer).index(shown) < prompt(answer).index(TASK.text)
    assert "Which organ" not in prompt(check)
    given = '[{"question": "Q?", "answer": "A", "options": ["yes", "no"]}]'
    bound = get_system("mdagents").bind({"exemplars": given})
    assert bound["exemplars"] == (Exemplar("Q?", "A", ("yes", "no")),)


async def test_shots_are_drawn_from_the_examples_of_mmlu(collegium_data: Path) -> None:
    async def shown(seed: int) -> str:
        hospital = Hospital("low")
        await mdagents(TASK, Kernel(hospital.model, seed=seed), shots=3)
        return prompt(hospital.model.requests[-1])

    text = await shown(1)
    assert text.count("Example ") == 3
    assert text.count("\nAnswer: ") == 3
    assert text == await shown(1)
    assert text != await shown(2)
    with pytest.raises(BadInput, match="multiple-choice"):
        await mdagents(FREE, Kernel(Hospital("low").model), shots=3)
    with pytest.raises(BadInput, match="examples of MMLU's medical subjects, not 1000"):
        await mdagents(TASK, Kernel(Hospital("low").model), shots=1000)


async def test_a_picture_is_shown_to_everybody(tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    scan.write_bytes(b"a picture")
    hospital = Hospital(opinions=[["A", "B", "C"]])
    await mdagents(TASK, Kernel(hospital.model), rounds=1, image_ref=str(scan))
    for request in hospital.model.requests:
        images = [i for m in request.messages for i in m.images]
        assert [(i.data, i.media_type) for i in images] == [(b"a picture", "image/png")]
    for wrong, problem in (("notes.txt", "must name a picture"), ("gone.png", "cannot read")):
        with pytest.raises(BadInput, match=problem):
            await mdagents(TASK, Kernel(hospital.model), image_ref=str(tmp_path / wrong))


# -- check 8: bad input -------------------------------------------------------------------


@pytest.mark.must_show("mdagents", 8)
@pytest.mark.parametrize("label", ["low", "moderate", "high"])
async def test_a_question_without_options_is_answered_in_words(label: str) -> None:
    def answer(request: Generate, i: int) -> str | Reply:
        part = stage(request)
        if part == "recruit":
            return json.dumps({"answer": PLAN if label == "high" else PANEL})
        replies = {"check": checked(label), "opinion": worked("Vitamin C"), "merge": worked("C.")}
        return replies.get(part, worked("vitamin C.") if part == "decide" else "some words")

    kernel = Kernel(Scripted(answer))
    result = await mdagents(FREE, kernel)
    assert result.answer == "vitamin C."
    assert result.notes["votes"] == {"vitamin c": 1}
    assert kernel.meter.calls == {"low": 2, "moderate": 7, "high": 15}[label]


@pytest.mark.must_show("mdagents", 8)
async def test_a_final_review_that_the_plan_forgot_is_added() -> None:
    hospital = Hospital("high", panel={k: t for k, t in PLAN.items() if k != "FRDT"})
    kernel = Kernel(hospital.model)
    result = await mdagents(TASK, kernel, teams=3, members=3)
    assert [r["team"] for r in result.notes["reports"]] == [
        "Initial Assessment Team",
        "Specialist Team",
        "Final Review and Decision Team",
    ]
    assert result.notes["warnings"] == [
        "the Final Review and Decision Team was missing from the plan and was added"
    ]
    assert kernel.meter.calls == 15
    assert result.notes["warnings"][0] in result.account


@pytest.mark.must_show("mdagents", 8)
@pytest.mark.parametrize(
    ("named", "members", "kinds", "sizes", "warned"),
    [
        ([], 3, ["IAT", "specialist", "FRDT"], [3, 3, 3], 3),
        ([], 4, ["IAT", "specialist", "FRDT"], [4, 4, 4], 3),
        (["FRDT"], 1, ["IAT", "FRDT"], [1, 1], 1),
        (["FRDT", "specialist", "IAT"], 2, ["IAT", "specialist", "FRDT"], [1, 1, 1], 3),
    ],
)
def test_a_plan_is_put_in_order(
    named: list[Any], members: int, kinds: list[str], sizes: list[int], warned: int
) -> None:
    teams = [Team(kind, "a goal", [Clinician("Nurse", "care")]) for kind in named]
    plan, warnings = in_order(teams, 3, members, [])
    assert [t.kind for t in plan] == kinds
    assert [len(t.members) for t in plan] == sizes
    assert len(warnings) == warned


async def test_a_plan_that_cannot_be_read_is_replaced_and_that_is_said() -> None:
    hospital = Hospital("high", panel="Teams? No.")
    result = await mdagents(TASK, Kernel(hospital.model), teams=4)
    assert len(result.notes["reports"]) == 4
    assert result.notes["warnings"][0] == "the recruiter's plan could not be read"


def test_a_team_without_members_is_given_some() -> None:
    empty = [Team("IAT", "look", []), Team("FRDT", "decide", [Clinician(" ", "")])]
    plan, warnings = in_order(empty, 2, 2, [])
    assert [[m.role for m in t.members] for t in plan] == [
        ["Emergency physician", "General practitioner"],
        ["Chief physician", "General practitioner"],
    ]
    assert len(warnings) == 2


@pytest.mark.must_show("mdagents", 8)
@pytest.mark.parametrize(
    ("task", "parameters", "problem"),
    [
        (msgspec.structs.replace(TASK, prompt=" \n"), {}, "needs a question; the task is empty"),
        (TASK, {"experts": 0}, "experts >= 1, not 0"),
        (TASK, {"rounds": 0}, "rounds >= 1, not 0"),
        (TASK, {"turns": 0}, "turns >= 1, not 0"),
        (TASK, {"teams": 1}, "teams >= 2, not 1"),
        (TASK, {"members": 0}, "members >= 1, not 0"),
        (TASK, {"shots": -1}, "shots >= 0, not -1"),
        (TASK, {"temperatures": ()}, "at least one temperature"),
        (TASK, {"temperatures": (0.3, -1.0)}, "none below 0"),
    ],
)
async def test_bad_input_costs_nothing(
    task: Task, parameters: dict[str, Any], problem: str
) -> None:
    hospital = Hospital()
    with pytest.raises(BadInput, match=problem):
        await mdagents(task, Kernel(hospital.model), **parameters)
    assert hospital.model.requests == []


async def test_code_is_refused() -> None:
    task = Task(id="c", prompt="Write a sort.", answer="code")
    kernel = Kernel(Hospital().model)
    with pytest.raises(BadInput, match="a letter, a number or words, not code"):
        await solve(get_system("mdagents"), task, kernel, {})


# -- limits and account -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "calls", "answer"),
    [("moderate", 5, "B"), ("moderate", 13, "A"), ("high", 6, "C"), ("high", 14, "C")],
)
async def test_a_limit_leaves_the_best_answer_so_far(label: str, calls: int, answer: str) -> None:
    hospital = Hospital(
        label,
        panel=PLAN if label == "high" else PANEL,
        opinions=[["A", "B", "B"], ["A", "A", "B"]],
    )
    kernel = Kernel(hospital.model, limits=Limits(calls=calls))
    system = get_system("mdagents")
    solved = await solve(system, TASK, kernel, system.bind({"turns": 1}))
    assert solved.result.answer == answer
    assert "generations is used up" in solved.limited
    assert solved.result.notes["decided"] is False
    assert "was not reached" in solved.result.account


async def test_the_account_tells_the_whole_story() -> None:
    hospital = Hospital(
        opinions=[["A", "A", "B"], ["A", "A", "A"]],
        talks=[[SILENT, SILENT, said((1, "x"), (2, "y"))]],
    )
    result = await mdagents(TASK, Kernel(hospital.model), turns=1)
    assert result.account.splitlines() == [
        "Complexity: moderate (it seems so).",
        "Panel (MDT): 1. Cardiologist, independent; 2. Surgeon, directed by 1; "
        "3. Radiologist, equal to 1.",
        "Round 1: answers A, A, B; 2 messages in 1 turn; 3 critiques by the moderator.",
        "Round 2: answers A, A, A.",
        "The panel agreed.",
        "The decision maker's votes, one per temperature: A 1.",
    ]
    assert json.loads(json.dumps(result.notes)) == result.notes  # plain data


# -- real text ----------------------------------------------------------------------------

PLAIN = Task(
    id="plain",
    prompt="Which organ makes insulin?",
    answer="choice",
    choices=("Liver", "Pancreas", "Spleen", "Kidney"),
)


@pytest.mark.parametrize(
    ("complexity", "parameters", "calls"),
    [
        ("adaptive", {"experts": 2, "rounds": 1, "turns": 1, "teams": 2, "members": 1}, 12),
        ("high", {"teams": 2, "members": 2}, 8),
    ],
    ids=["adaptive", "high"],
)
async def test_on_the_embedded_model(
    recorded: Callable[[str], Model], complexity: str, parameters: dict[str, Any], calls: int
) -> None:
    kernel = Kernel(recorded("local-small"), seed=11)
    chosen = get_system("mdagents")
    bound = chosen.bind({"complexity": complexity, "max_tokens": 160, **parameters})
    result = (await solve(chosen, PLAIN, kernel, bound)).result
    assert result.answer in PLAIN.letters
    assert (
        result.notes["structure"]
        == {"low": "PCC", "moderate": "MDT", "high": "ICT"}[result.notes["complexity"]]
    )
    assert result.notes["decided"] and not result.notes["flagged"]
    events = [e for e in kernel.trace.events if isinstance(e.call, Generate)]
    assert sum(e.outcome == "ok" for e in events) <= calls
    if complexity == "high":
        reports = result.notes["reports"]
        assert reports[0]["team"] == "Initial Assessment Team"
        assert reports[-1]["team"] == "Final Review and Decision Team"
        (last,) = (e.call for e in events if e.call.agent == "decision-maker" and e.outcome == "ok")
        assert isinstance(last, Generate)
        assert all(r["text"] in last.messages[-1].text for r in reports)
