"""Judging the outcome of a web task: the answer, where the run ended, and what pages hold now.

All of a task's evaluators have to be content (section 3.2 of WebArena: the score is a product).
What pages hold is looked at in tabs of their own, so that judging changes nothing. The score is
that of the world's mode; what either mode says stands beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from collegium.errors import BadInput, CollegiumError
from collegium.tasks.task import Score
from collegium.worlds.web import helpers as helping
from collegium.worlds.web.matching import exact_match, html_match, must_include, url_match
from collegium.worlds.web.site import Helper, Place
from collegium.worlds.web.task import Mode, Target, WebTask

if TYPE_CHECKING:
    from playwright.async_api import Page

    from collegium.worlds.web.session import Session

NOT_ACHIEVABLE = "N/A"
"""What is to be answered where a task cannot be done."""

Judge = Callable[[str], Coroutine[Any, Any, str]]
"""A model: a question in, its answer out."""

_JS = ("document.", "[...document.")


class Unjudged(CollegiumError):
    """A judgement needs a model, and none was given; or the model said nothing that can be read."""


class _Apart(msgspec.Struct):
    """A page as helpers see it."""

    page: Any
    patience: float

    async def goto(self, url: str) -> None:
        """Go to an address."""
        await self.page.goto(url, timeout=self.patience * 1000, wait_until="load")

    async def evaluate(self, script: str) -> Any:
        """Run an expression of JavaScript."""
        return await self.page.evaluate(f"() => ({script})")


async def evaluate(
    task: WebTask,
    answer: str,
    session: Session,
    *,
    mode: Mode,
    hosts: Mapping[str, str],
    helpers: Mapping[str, Helper],
    judge: Judge | None,
) -> Score:
    """Judge a task.

    Args:
        task: With real addresses.
        answer: What was answered; "" for nothing.
        session: The browser as the run left it; to be called in its thread.
        mode: Whose rules the score follows.
        hosts: The real addresses, for helpers.
        helpers: What tasks may call besides WebArena's own.
        judge: A model for answers that code cannot compare; None: such a task is not judged, and
            the score says so.
    """
    url = session.tab.page.url
    known = {**helping.HELPERS, **helpers}
    texts: list[str | None] = []  # None: it cannot be looked at as the task says
    problems: list[str] = []
    facts: dict[str, bool | float] = {}
    for target in task.eval.program_html if "program_html" in task.eval.eval_types else ():
        try:
            texts.append(await _text(target, url, session, hosts, known))
        except CollegiumError as error:
            facts["unjudged"] = True
            texts.append(None)
            problems.append(str(error))
    values: dict[Mode, float] = {}
    for rules in get_args(Mode):
        parts: dict[str, bool] = {}
        for kind in task.eval.eval_types:
            try:
                if kind == "string_match":
                    parts[kind] = await string_match(task, answer, rules, judge)
                elif kind == "url_match":
                    parts[kind] = url_match(task.eval.reference_url or "", url, rules)
                else:
                    pairs = zip(task.eval.program_html, texts, strict=True)
                    parts[kind] = all(
                        text is not None and html_match(target.required_contents, text, rules)
                        for target, text in pairs
                    )
            except (CollegiumError, KeyError) as error:
                parts[kind] = False
                problems.append(f"{kind}: {error}")
                facts["unjudged"] = True
        values[rules] = float(all(parts.values()))
        if rules == mode:
            facts |= parts
    facts |= {f"score_{rules}": value for rules, value in values.items()}
    failed = [kind for kind in task.eval.eval_types if not facts.get(kind)]
    said = "; ".join(dict.fromkeys(problems))
    reason = said or (f"not right: {', '.join(failed)}" if failed else "")
    value = values[mode]
    return Score(value, value == 1.0, f"web task {task.task_id}: {reason}" if reason else "", facts)


async def string_match(task: WebTask, answer: str, mode: Mode, judge: Judge | None) -> bool:
    """Judge an answer.

    Raises:
        Unjudged: A model is needed and not there, or cannot be read.
        KeyError: The task compares in an unknown way.
        MissingExtra: The tokenizer of ``compat`` is not installed.
    """
    for kind, wanted in (task.eval.reference_answers or {}).items():
        match kind:
            case "exact_match":
                good = exact_match(wanted, answer)
            case "must_include":
                good = must_include(wanted, answer, mode)
            case "fuzzy_match" if wanted == NOT_ACHIEVABLE:
                good = exact_match(NOT_ACHIEVABLE, answer) or await ua_match(task, answer, judge)
            case "fuzzy_match":
                wanted = [wanted] if isinstance(wanted, str) else wanted
                good = True
                for one in wanted:
                    good = good and await fuzzy_match(task, one, answer, mode, judge)
            case "ua_match":
                good = await ua_match(task, answer, judge)
            case _:
                raise KeyError(f"unknown kind of reference answer {kind!r}")
        if not good:
            return False
    return True


async def fuzzy_match(
    task: WebTask, reference: str, answer: str, mode: Mode, judge: Judge | None
) -> bool:
    """Whether a model takes an answer for the same as the reference.

    In ``fixed`` the same words need no model.

    Raises:
        Unjudged: There is no model, or what it says cannot be read.
    """
    if not answer.strip() or (mode == "fixed" and exact_match(reference, answer)):
        return bool(answer.strip())
    said = await _ask(
        judge,
        "Judge an answer to a question by the reference answer. Other words for the same facts are "
        f"correct.\nQuestion: {task.intent}\nReference: {reference}\nAnswer: {answer}\n"
        "Reply with one of: correct, incorrect, partially correct.",
    )
    if "partially correct" in said or "incorrect" in said:
        return False
    if "correct" not in said:
        raise Unjudged(f"the judge said neither correct nor incorrect: {said[:80]!r}")
    return True


async def ua_match(task: WebTask, answer: str, judge: Judge | None) -> bool:
    """Whether an answer gives the true reason why a task cannot be done.

    Raises:
        Unjudged: There is no model, or what it says cannot be read.
    """
    if not answer.strip():
        return False
    said = await _ask(
        judge,
        f"A task cannot be done.\nTask: {task.intent}\nTrue reason: {task.eval.string_note}\n"
        f"Reason that was reported: {answer}\nDoes the report name the true reason, or follow from "
        "it? Reply with one of: same, different.",
    )
    if "different" in said:
        return False
    if "same" not in said:
        raise Unjudged(f"the judge said neither same nor different: {said[:80]!r}")
    return True


async def _ask(judge: Judge | None, question: str) -> str:
    if judge is None:
        raise Unjudged("this answer is judged by a model, and none was given")
    return (await judge(question)).lower()


async def _text(
    target: Target,
    last_url: str,
    session: Session,
    hosts: Mapping[str, str],
    helpers: Mapping[str, Helper],
) -> str:
    """What a target's locator finds; "" when it throws.

    Raises:
        BadInput: A helper is unknown, or cannot work.
    """
    async with session.apart() as page, session.apart() as other:
        aside = Place(_Apart(other, session.patience), hosts)
        at: Page = page
        url = target.url
        if url == "last" and not target.prep_actions:
            at = session.tab.page
        else:
            if url.startswith(helping.PREFIX):
                here = Place(_Apart(page, session.patience), hosts)
                url = await helping.call(url, helpers, last_url, here, aside)
            url = last_url if url == "last" else url
            try:
                await page.goto(url, timeout=session.patience * 1000, wait_until="load")
            except Exception:  # what it cannot reach holds nothing
                return ""
            for script in target.prep_actions:
                with contextlib.suppress(Exception):  # on another page; the locator will tell
                    await page.evaluate(f"() => {{ {script} }}")
        if target.locator.startswith(helping.PREFIX):
            here = Place(_Apart(at, session.patience), hosts)
            return await helping.call(target.locator, helpers, last_url, here, aside)
        locator = target.locator.strip().rstrip(";")
        if locator and not locator.startswith(_JS):
            raise BadInput(f"the locator {locator[:60]!r} is neither JavaScript nor a helper.")
        work = at.evaluate(f"() => ({locator})") if locator else at.content()
        try:
            found = await asyncio.wait_for(work, session.patience)
        except Exception:  # a locator that throws finds nothing
            found = ""
        return html.unescape("" if found is None else str(found))
