"""The integrated care teams (ICT) of the system "mdagents": a chain of teams, step 3c.

The Initial Assessment Team (IAT) works first, then the others, then the Final Review and Decision
Team (FRDT). A lead says what to look into, its assistants report to it, it writes the team's
report; whoever works later has all reports before its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from collegium.agents import answer_of, closing, worked_type
from collegium.kernel import Agent, Mail, Reply, Unparsed, gather
from collegium.systems.mdagents.case import (
    NOTE_TOKENS,
    Case,
    Finding,
    in_time,
    listing,
    plain_answer,
    shown,
    wording,
)

Kind = Literal["IAT", "specialist", "FRDT"]

TITLES: dict[Kind, str] = {
    "IAT": "Initial Assessment Team",
    "specialist": "Specialist Team",
    "FRDT": "Final Review and Decision Team",
}
ORDER: tuple[Kind, ...] = ("IAT", "specialist", "FRDT")

GOALS: dict[Kind, str] = {
    "IAT": "a first assessment of the case",
    "specialist": "the specialist questions of the case",
    "FRDT": "a final review and the decision",
}
STAFF: dict[Kind, tuple[str, ...]] = {
    "IAT": ("Emergency physician", "General practitioner", "Nurse practitioner"),
    "specialist": ("Internist", "Clinical pharmacologist", "Radiologist"),
    "FRDT": ("Chief physician", "General practitioner", "Patient safety officer"),
}
"""Goal and members of a team that the recruiter left out; the first member leads."""


class Clinician(msgspec.Struct, frozen=True):
    """A member of a team."""

    role: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 40})]
    expertise: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 80})]
    lead: bool = False


class Team(msgspec.Struct, frozen=True):
    """A team of the plan; once it is in order its lead comes first."""

    kind: Kind
    goal: str
    members: list[Clinician]

    @property
    def title(self) -> str:
        """The name of the team in the paper."""
        return TITLES[self.kind]


async def integrated_care_teams(
    case: Case,
    decision_maker: Agent,
    *,
    teams: int,
    members: int,
    keep: Callable[[Finding], None],
) -> Finding:
    """Let teams work one after another, each with all reports before its own.

    Args:
        case: The case.
        decision_maker: Who is sent every report.
        teams: How many teams to recruit.
        members: How many clinicians each has, its lead included.
        keep: Told of every report, which states an answer.
    """
    plan, warnings = await recruit_teams(case, teams, members)
    crews = [
        [
            case.staff(f"team-{g}-lead", "lead"),
            *(case.staff(f"team-{g}-assistant-{i}", "assistant") for i in range(1, len(t.members))),
        ]
        for g, t in enumerate(plan, 1)
    ]
    replies: list[Reply[Any]] = []
    mail: list[Mail] = []
    found: Finding | None = None
    for g, (team, crew) in enumerate(zip(plan, crews, strict=True)):
        reply = await work(case, team, crew)
        replies.append(reply)
        readers = [agent for later in crews[g + 1 :] for agent in later]
        for reader in (*readers, decision_maker):
            await crew[0].send(reader, f"{team.title}:\n{reply.text}", sources=[reply.call])
        mail += await decision_maker.receive()
        found = finding(plan, warnings, replies, mail)
        keep(found)
    assert found is not None  # a plan always has an IAT and an FRDT
    return found


@lru_cache(maxsize=32)
def plan_type(teams: int, members: int) -> Any:
    """A plan with a first, a last and the other teams; a part that is left out can be read too."""
    fields: list[Any] = [("goal", wording(120)), ("members", listing(Clinician, members, members))]
    team = msgspec.defstruct("Planned", fields, frozen=True)
    one: Any = team | msgspec.UnsetType
    parts: dict[str, Any] = {"IAT": one, "specialists": listing(team, teams - 2, teams - 2)}
    parts["FRDT"] = one
    if teams == 2:
        del parts["specialists"]
    named = [(k, v, [] if k == "specialists" else msgspec.UNSET) for k, v in parts.items()]
    bounds = msgspec.Meta(extra_json_schema={"required": list(parts)})
    return Annotated[msgspec.defstruct("Plan", named, frozen=True), bounds]


def planned_teams(plan: Any) -> list[Team]:
    """The teams of a plan that was read, without those it leaves out."""
    others = getattr(plan, "specialists", ())
    found: list[tuple[Kind, Any]] = [
        ("IAT", plan.IAT),
        *(("specialist", t) for t in others),
        ("FRDT", plan.FRDT),
    ]
    return [Team(k, t.goal, t.members) for k, t in found if t is not msgspec.UNSET]


async def recruit_teams(case: Case, teams: int, members: int) -> tuple[list[Team], list[str]]:
    """Plan the teams, one call; what is missing from the plan is put in by rule.

    Returns:
        The teams in order, and what had to be put right.
    """
    reply = await case.staff("recruiter").ask(
        f"{case.task.text}\n\n"
        f"You plan {teams} medical teams of {members} clinicians that work on this question one "
        "after another; do not answer it. IAT is the Initial Assessment Team, FRDT the Final "
        "Review and Decision Team; any others are specialists. Give each team a goal (what it is "
        "to find out, at most 10 words) and its members: role (which kind of doctor), expertise "
        "(at most 6 words), and lead: true for one of them.",
        output=plan_type(teams, members),
        temperature=0.0,
        max_tokens=64 + teams * (32 + 48 * members),
        images=case.images,
    )
    if isinstance(reply.data, Unparsed):
        return in_order([], teams, members, ["the recruiter's plan could not be read"])
    return in_order(planned_teams(reply.data), teams, members, [])


def in_order(
    named: Sequence[Team], teams: int, members: int, warnings: Sequence[str]
) -> tuple[list[Team], list[str]]:
    """Put a plan in order: IAT, others, FRDT, each led by one member.

    Args:
        named: The teams as the recruiter named them.
        teams: How many were asked for; they are filled up only where nothing was named.
        members: How many clinicians a team was to have.
        warnings: What is wrong so far.

    Returns:
        The teams, and what was wrong with them.
    """
    noted = list(warnings)
    kinds = [t.kind for t in named]
    missing: list[Kind] = [k for k in ("IAT", "FRDT") if k not in kinds]
    if not named:
        missing = ["IAT", *["specialist"] * (teams - 2), "FRDT"]  # type: ignore[list-item]
    noted += [f"the {TITLES[k]} was missing from the plan and was added" for k in missing]
    plan = []
    added = [Team(k, GOALS[k], stock(k, members)) for k in missing]
    for team in sorted([*named, *added], key=lambda t: ORDER.index(t.kind)):
        crew = [m for m in team.members if m.role.strip()][:members]
        if not crew:
            noted.append(f"the {team.title} had no members: it was given some")
            crew = stock(team.kind, members)
        elif len(crew) < members:
            noted.append(f"the {team.title} has {len(crew)} members, not {members}")
        lead = next((m for m in crew if m.lead), crew[0])
        others = [m for m in crew if m is not lead]
        plan.append(Team(team.kind, team.goal, [lead, *others]))
    return plan, noted


def stock(kind: Kind, members: int) -> list[Clinician]:
    """The members of a team that nobody named; those beyond the third are general practitioners."""
    roles = (*STAFF[kind], *["General practitioner"] * members)[:members]
    return [Clinician(role, GOALS[kind]) for role in roles]


async def work(case: Case, team: Team, crew: Sequence[Agent]) -> Reply[Any]:
    """One team: the lead's assignment, the assistants' investigations, the team report."""
    lead, *assistants = crew
    reports = in_time(await lead.receive())
    before = team_block(case, team, reports)
    named = ", ".join(m.role for m in team.members[1:])
    helpers = f"Your assistants: {named}." if named else "You have no assistants."
    assignment = await lead.ask(
        f"{before}\n\nYou lead this team as its {team.members[0].role}. {helpers} Which facts must "
        "be known to answer the question? Ask for them in one short sentence to each of the team. "
        "Do not answer the question yet.",
        temperature=case.temperature,
        max_tokens=NOTE_TOKENS,
        images=case.images,
        sources=[m.call for m in reports],
    )
    for assistant in assistants:
        await lead.send(assistant, assignment.text, sources=[assignment.call])
    found = await gather(
        *(
            investigate(case, team, a, member, lead)
            for a, member in zip(assistants, team.members[1:], strict=True)
        )
    )
    for assistant, reply in zip(assistants, found, strict=True):
        await assistant.send(lead, reply.text, sources=[reply.call])
    mail = in_time(await lead.receive())
    roles = {a.name: m.role for a, m in zip(assistants, team.members[1:], strict=True)}
    findings = "".join(f"{roles.get(m.sender, m.sender)} found:\n{m.text}\n\n" for m in mail)
    return await lead.ask(
        f"{before}\n\n{findings}You lead this team as its {team.members[0].role}. Merge all this "
        f"into the team's report and state the team's answer. {closing(case.task)}",
        output=worked_type(case.task),
        temperature=case.temperature,
        max_tokens=case.max_tokens,
        images=case.images,
        sources=[assignment.call, *(m.call for m in (*reports, *mail))],
    )


async def investigate(
    case: Case, team: Team, assistant: Agent, member: Clinician, lead: Agent
) -> Reply[str]:
    """A short investigation by an assistant, as its lead asked for."""
    mail = in_time(await assistant.receive())
    reports = [m for m in mail if m.sender != lead.name]
    asked = "\n".join(m.text for m in mail if m.sender == lead.name)
    return await assistant.ask(
        f"{team_block(case, team, reports)}\n\nThe lead asks for:\n{asked}\n\n"
        f"You are the team's {member.role} ({member.expertise}). Look into what concerns you and "
        "report it in at most 4 short sentences.",
        temperature=case.temperature,
        max_tokens=NOTE_TOKENS,
        images=case.images,
        sources=[m.call for m in mail],
    )


def team_block(case: Case, team: Team, reports: Sequence[Mail]) -> str:
    """What a whole team reads first: the question, all earlier reports, its goal."""
    members = ", ".join(m.role for m in team.members)
    earlier = [f"Report of the {m.text}" for m in reports]
    goal = f"{team.title}: {members}. Its goal: {team.goal}."
    return "\n\n".join([case.task.text, *earlier, goal])


def finding(
    plan: Sequence[Team],
    warnings: Sequence[str],
    replies: Sequence[Reply[Any]],
    mail: Sequence[Mail],
) -> Finding:
    """What the teams have to show so far: all reports, and the last answer they stated."""
    answers = [answer_of(r) for r in replies]
    stated = [a for a in answers if not isinstance(a, Unparsed)]
    reports = [
        {"team": t.title, "text": r.text, "answer": plain_answer(a)}
        for t, r, a in zip(plan, replies, answers, strict=False)
    ]
    return Finding(
        "\n\n".join(f"Report of the {m.text}" for m in in_time(mail)),
        stated[-1] if stated else Unparsed("", "no team stated a readable answer"),
        tuple(replies),
        {
            "experts": [
                {
                    "role": m.role,
                    "expertise": m.expertise,
                    "hierarchy": f"{'lead' if i == 0 else 'assistant'} of the {t.title}",
                }
                for t in plan
                for i, m in enumerate(t.members)
            ],
            "warnings": list(warnings),
            "reports": reports,
            "abstentions": len(answers) - len(stated),
        },
        (
            *(
                f"Team {g} (ICT): {t.title}, led by {t.members[0].role}"
                f"{' with ' + ', '.join(m.role for m in t.members[1:]) if t.members[1:] else ''}; "
                f"goal: {t.goal}."
                for g, t in enumerate(plan, 1)
            ),
            *(f"Note: {w}." for w in warnings),
            *(f"Report of the {t.title}: {shown(a)}." for t, a in zip(plan, answers, strict=False)),
        ),
        tuple(m.call for m in mail),
    )
