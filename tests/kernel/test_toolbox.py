"""The tool manager: parallel limits, time-outs, errors, permission, and the cache of results."""

import asyncio
import functools
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collegium.errors import BadInput, Denied, LimitReached, ToolError, UnknownName
from collegium.kernel import Access, Kernel, Permission, RunStore, ToolCall, tool
from collegium.kernel.fingerprint import fingerprint
from collegium.kernel.gate import Gate
from collegium.kernel.toolbox import Instances, MemoryResults, Toolbox
from collegium.kernel.toolcalls import answer_calls
from tests.kernel.support import Scripted


class Busy:
    """Counts how many instances of a tool run at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.order: list[int] = []
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.now -= 1

    def tool(self, parallel: int | None, **options: Any) -> Any:
        @tool(parallel=parallel, **options)
        def work(number: int) -> int:
            """Work for a moment."""
            with self:
                self.order.append(number)
                time.sleep(0.02)
            return number

        return work


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


# -- limits on instances ------------------------------------------------------------------


@pytest.mark.must_show("aios", 6)
async def test_with_parallel_limit_1_two_agents_runs_are_serialised_and_both_get_results() -> None:
    busy = Busy()
    kernel = Kernel(Scripted("hi"), tools=[busy.tool(1)])
    a, b = (kernel.agent(name, tools=["work"]) for name in "ab")
    assert await asyncio.gather(a.use("work", number=1), b.use("work", number=2)) == [1, 2]
    assert (busy.most, busy.order) == (1, [1, 2])
    first, second = kernel.trace.events
    assert [e.value for e in (first, second)] == [1, 2]
    # Each slept for 0.02 s, one after the other, and the times in the trace say so.
    assert min(first.seconds, second.seconds) >= 0.02
    ends = [e.started + e.seconds for e in (first, second)]
    assert max(ends) - first.started >= 0.04


@pytest.mark.must_show("aios", 6)
@pytest.mark.parametrize("exception", [ValueError("bad luck"), StopIteration(), SystemExit(3)])
async def test_a_raising_tool_is_an_error_in_bounded_time(exception: BaseException) -> None:
    def plain_one() -> None:
        """Fail."""
        raise exception

    async def async_one() -> None:
        """Fail."""
        raise exception

    kernel = Kernel(Scripted("hi"), tools=[tool(plain_one, parallel=1), tool(async_one)])
    for name in ("plain_one", "async_one", "plain_one"):
        agent = kernel.agent(f"{name}{len(kernel.trace.events)}", tools=[name])
        with pytest.raises(ToolError, match=rf"^tool '{name}' failed: ") as caught:
            async with asyncio.timeout(5):
                await agent.use(name)
        assert isinstance(caught.value.__cause__, type(exception) | RuntimeError)
        event = kernel.trace.events[-1]
        assert (event.outcome, event.error) == ("error", str(caught.value))
        assert 0 < event.started < event.started + event.seconds < 5
        assert kernel.tools.instances(name) == Instances(0, 0, 0)


async def test_over_the_limit_calls_wait_in_arrival_order_and_none_is_dropped() -> None:
    busy = Busy()
    toolbox = Toolbox([busy.tool(3)])
    calls = [asyncio.create_task(toolbox.run("work", {"number": i})) for i in range(30)]
    await until(lambda: toolbox.instances("work").waiting == 27)
    assert toolbox.instances("work") == Instances(3, 27, 0)
    assert await asyncio.gather(*calls) == list(range(30))
    assert busy.most == 3
    assert [sorted(busy.order[i : i + 3]) for i in range(0, 30, 3)] == [
        [i, i + 1, i + 2] for i in range(0, 30, 3)
    ]
    assert toolbox.instances("work") == Instances(0, 0, 0)


async def test_without_a_limit_calls_run_side_by_side() -> None:
    busy = Busy()
    toolbox = Toolbox([busy.tool(None)])
    await asyncio.gather(*(toolbox.run("work", {"number": i}) for i in range(6)))
    assert busy.most > 1


async def test_no_more_threads_than_the_toolbox_may_have() -> None:
    busy = Busy()
    toolbox = Toolbox([busy.tool(None)], threads=4)
    await asyncio.gather(*(toolbox.run("work", {"number": i}) for i in range(12)))
    assert busy.most == 4


async def test_who_stops_waiting_leaves_the_queue() -> None:
    busy = Busy()
    toolbox = Toolbox([busy.tool(1)])
    calls = [asyncio.create_task(toolbox.run("work", {"number": i})) for i in range(4)]
    await until(lambda: toolbox.instances("work").waiting == 3)
    calls[1].cancel()
    calls[3].cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert (results[0], results[2], busy.order) == (0, 2, [0, 2])
    assert toolbox.instances("work") == Instances(0, 0, 0)


def test_event_loops_in_several_threads_share_a_limit() -> None:
    busy = Busy()
    toolbox = Toolbox([busy.tool(2)])
    results: list[list[int]] = []

    async def several(first: int) -> None:
        runs = (toolbox.run("work", {"number": first + i}) for i in range(5))
        results.append(await asyncio.gather(*runs))

    threads = [threading.Thread(target=asyncio.run, args=(several(10 * t),)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == [[10 * t + i for i in range(5)] for t in range(4)]
    assert busy.most == 2
    assert toolbox.instances("work") == Instances(0, 0, 0)


def test_a_gate_keeps_its_limit_whoever_stops_waiting_and_from_whatever_thread() -> None:
    gate, busy = Gate(3), Busy()

    async def visit(rng: random.Random) -> None:
        assert await gate.enter(rng.choice([None, 0.001]))
        try:
            with busy:
                await asyncio.sleep(rng.random() * 0.002)
        finally:
            gate.leave()

    async def crowd(seed: int) -> None:
        rng = random.Random(seed)
        visits = [asyncio.create_task(visit(rng)) for _ in range(150)]
        while not all(v.done() for v in visits):
            rng.choice(visits).cancel()
            await asyncio.sleep(rng.random() * 0.002)
        await asyncio.gather(*visits, return_exceptions=True)
        failed = [v.exception() for v in visits if not v.cancelled()]
        assert failed == [None] * len(failed)

    async def main() -> None:
        threads = [asyncio.to_thread(asyncio.run, crowd(seed)) for seed in range(4)]
        async with asyncio.timeout(60):
            await asyncio.gather(*threads)

    asyncio.run(main())
    assert busy.most == 3
    assert (gate.inside, gate.waiting, gate.given_up) == (0, 0, 0)


# -- time-outs ----------------------------------------------------------------------------


async def test_a_hanging_plain_function_is_given_up_and_counted_until_it_ends() -> None:
    release = threading.Event()

    @tool(seconds=0.1, parallel=2)
    def hang(wait: bool) -> str:
        """Hang."""
        if wait:
            release.wait(20)
        return "done"

    kernel = Kernel(Scripted("hi"), tools=[hang])
    agent = kernel.agent("a", tools=["hang"])
    with pytest.raises(ToolError, match=r"^tool 'hang' ran over its time-out of 0\.1 seconds\.$"):
        await agent.use("hang", wait=True)
    event = kernel.trace.events[0]
    assert event.outcome == "error" and 0.1 <= event.seconds < 2
    assert kernel.tools.instances("hang") == Instances(1, 0, 1)
    assert await agent.use("hang", wait=False) == "done"  # the other place is free
    release.set()
    await until(lambda: kernel.tools.instances("hang") == Instances(0, 0, 0))


async def test_waiting_does_not_count_as_time_of_the_tool() -> None:
    @tool(seconds=1, parallel=1)
    def nap() -> str:
        """Sleep."""
        time.sleep(0.15)
        return "rested"

    toolbox = Toolbox([nap])
    started = time.monotonic()
    assert await asyncio.gather(*(toolbox.run("nap", {}) for _ in range(8))) == ["rested"] * 8
    assert time.monotonic() - started >= 1.2


async def test_a_tool_whose_instances_all_hang_is_stuck_and_says_so() -> None:
    release = threading.Event()

    @tool(seconds=0.1, parallel=1)
    def hang() -> str:
        """Hang."""
        release.wait(20)
        return "done"

    toolbox = Toolbox([hang])
    calls = (toolbox.run("hang", {}) for _ in range(3))
    async with asyncio.timeout(5):
        first, *others = await asyncio.gather(*calls, return_exceptions=True)
    assert "time-out of 0.1 seconds" in str(first)
    assert all(
        isinstance(e, ToolError) and "'hang' is stuck: it may run 1" in str(e) for e in others
    )
    release.set()
    await until(lambda: toolbox.instances("hang").running == 0)
    assert await toolbox.run("hang", {}) == "done"


async def test_a_late_end_lets_the_next_one_in_before_it_counts_as_stuck() -> None:
    sleeps = iter([0.4, 0.0])

    @tool(seconds=0.3, parallel=1)
    def slow() -> str:
        """Sleep."""
        time.sleep(next(sleeps))
        return "done"

    toolbox = Toolbox([slow])
    late, next_one = await asyncio.gather(
        toolbox.run("slow", {}), toolbox.run("slow", {}), return_exceptions=True
    )
    assert isinstance(late, ToolError)
    assert next_one == "done"


async def test_an_async_function_is_cancelled_at_its_time_out() -> None:
    ended: list[str] = []

    @tool(seconds=0.05)
    async def hang() -> None:
        """Hang."""
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append("cleaned up")

    toolbox = Toolbox([hang])
    with pytest.raises(ToolError, match=r"'hang' ran over its time-out of 0\.05 seconds"):
        await toolbox.run("hang", {})
    assert ended == ["cleaned up"]
    assert toolbox.instances("hang") == Instances(0, 0, 0)


async def test_a_run_that_is_cancelled_ends_its_tools() -> None:
    ended: list[str] = []
    release = threading.Event()

    @tool
    async def wait_for_it() -> None:
        """Wait."""
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("async")

    @tool
    def hang() -> None:
        """Hang."""
        release.wait(20)

    toolbox = Toolbox([wait_for_it, hang])
    kernel = Kernel(Scripted("hi"), tools=toolbox)
    agent = kernel.agent("a", tools=["wait_for_it", "hang"])
    calls = [asyncio.create_task(agent.use(name)) for name in ("wait_for_it", "hang")]
    await until(lambda: all(toolbox.instances(n).running for n in toolbox))
    await kernel.aclose()
    assert all(c.cancelled() for c in calls)
    assert ended == ["async"]
    assert toolbox.instances("hang") == Instances(1, 0, 1)
    release.set()


async def test_the_time_out_of_the_toolbox_holds_for_tools_that_state_none() -> None:
    async def hang() -> None:
        """Hang."""
        await asyncio.sleep(60)

    toolbox = Toolbox([tool(hang)], seconds=0.05)
    with pytest.raises(ToolError, match=r"time-out of 0\.05 seconds"):
        await toolbox.run("hang", {})


def test_a_hanging_tool_does_not_keep_the_program_from_ending() -> None:
    program = """
        import asyncio, threading
        from collegium.errors import ToolError
        from collegium.kernel import tool
        from collegium.kernel.toolbox import Toolbox

        @tool(seconds=0.1)
        def hang() -> None:
            "Hang for ever."
            threading.Event().wait()

        async def main() -> None:
            toolbox = Toolbox([hang])
            try:
                await toolbox.run("hang", {})
            except ToolError as error:
                print(error, toolbox.instances("hang").left)

        asyncio.run(main())
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "tool 'hang' ran over its time-out of 0.1 seconds. 1\n"
    assert (done.returncode, done.stderr) == (0, "")


# -- what a tool raises -------------------------------------------------------------------


async def test_errors_of_the_house_pass_as_they_are() -> None:
    def refuse(kind: str) -> None:
        """Refuse."""
        raise {"input": BadInput("no such page."), "limit": LimitReached("all used up.")}[kind]

    toolbox = Toolbox([tool(refuse)])
    with pytest.raises(BadInput, match=r"^no such page\.$"):
        await toolbox.run("refuse", {"kind": "input"})
    with pytest.raises(LimitReached):
        await toolbox.run("refuse", {"kind": "limit"})


async def test_a_tool_that_cancels_itself_has_failed() -> None:
    async def give_up() -> None:
        """Give up."""
        raise asyncio.CancelledError

    with pytest.raises(ToolError, match="'give_up' failed: it cancelled itself"):
        await Toolbox([tool(give_up)]).run("give_up", {})


async def test_every_tool_call_of_a_reply_runs_and_each_gets_a_result() -> None:
    def divide(x: float, y: float) -> float:
        """Divide."""
        return x / y

    kernel = Kernel(Scripted("hi"), tools=[tool(divide, parallel=1)])
    agent = kernel.agent("a", tools=["divide"])
    calls = [
        ToolCall("1", "divide", {"x": 1, "y": 2}),
        ToolCall("2", "divide", {"x": 1, "y": 0}),
        ToolCall("3", "divide", {"x": "one", "y": 2}),
        ToolCall("4", "divid", {}),
        ToolCall("5", "divide", {"x": 1, "y": 2}),
    ]
    messages = await answer_calls(agent, calls)
    assert [(m.role, m.tool_call_id) for m in messages] == [("tool", c.id) for c in calls]
    assert messages[0].text == messages[4].text == "0.5"
    assert (
        messages[1].text == "Error: tool 'divide' failed: ZeroDivisionError: float division by zero"
    )
    assert messages[2].text.startswith("Error: tool 'divide': Expected `float`, got `str`")
    assert messages[3].text == "Error: unknown tool 'divid'; did you mean 'divide'?"
    assert len(kernel.trace.events) == 5


async def test_a_used_up_limit_is_no_answer_to_a_tool_call() -> None:
    def spend() -> None:
        """Spend."""
        raise LimitReached("all used up.")

    kernel = Kernel(Scripted("hi"), tools=[tool(spend)])
    with pytest.raises(LimitReached):
        await answer_calls(kernel.agent("a", tools=["spend"]), [ToolCall("1", "spend", {})])


# -- permission ---------------------------------------------------------------------------


async def test_an_irreversible_tool_runs_with_permission_only() -> None:
    wiped: list[str] = []
    asked: list[Permission] = []

    @tool(irreversible=True)
    def wipe(disk: str) -> str:
        """Wipe a disk."""
        wiped.append(disk)
        return "gone"

    async def ask(permission: Permission) -> bool:
        asked.append(permission)
        return permission.agent == "root"

    kernel = Kernel(Scripted("hi"), tools=Toolbox([wipe], access=Access(ask=ask)))
    root, guest = (kernel.agent(name, tools=["wipe"]) for name in ("root", "guest"))
    with pytest.raises(BadInput):
        await root.use("wipe", disk=[])
    assert asked == []  # nobody is asked about what cannot be done anyway
    with pytest.raises(Denied, match="'guest' wants to use wipe: permission was refused"):
        await guest.use("wipe", disk="a")
    assert await root.use("wipe", disk="b") == "gone"
    assert wiped == ["b"]
    assert asked == [Permission("guest", "use", "wipe"), Permission("root", "use", "wipe")]
    assert [e.outcome for e in kernel.trace.events] == ["error", "error", "observation"]
    with pytest.raises(Denied, match="nobody to permit it"):
        await Toolbox([wipe], access=Access()).run("wipe", {"disk": "c"}, agent="root")
    assert await Toolbox([wipe]).run("wipe", {"disk": "d"}) == "gone"


# -- the cache of pure tools --------------------------------------------------------------


def squares(factor: float = 1.0) -> tuple[Any, list[int]]:
    """A pure tool, and a list of what it was run for."""
    runs: list[int] = []
    note = runs.append

    @tool(pure=True)
    def square(x: int, how: str = "fast") -> float:
        """Square."""
        note(x)
        return factor * x * x

    # The list is only how the test looks on; a pure function would not have it.
    return msgspec.structs.replace(square, fingerprint=f"square-{factor}"), runs


async def test_a_pure_result_is_kept_by_what_decides_it() -> None:
    square, runs = squares()
    toolbox = Toolbox([square])
    for arguments in ({"x": 3}, {"x": "3"}, {"x": 3, "how": "fast"}):
        assert await toolbox.run("square", arguments) == 9
    assert runs == [3]
    assert await toolbox.run("square", {"x": 4}) == 16
    assert await toolbox.run("square", {"x": 3, "how": "slowly"}) == 9
    assert runs == [3, 4, 3]


async def test_the_order_of_keys_decides_nothing() -> None:
    runs: list[int] = []

    def total(of: dict[str, int]) -> int:
        """Add up."""
        runs.append(1)
        return sum(of.values())

    toolbox = Toolbox([msgspec.structs.replace(tool(total, pure=True), fingerprint="1")])
    for of in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        assert await toolbox.run("total", {"of": of}) == 3
    assert len(runs) == 1


async def test_a_kept_result_is_nobodys_to_change() -> None:
    def table() -> dict[str, list[int]]:
        """Give a table."""
        return {"a": [1]}

    toolbox = Toolbox([tool(table, pure=True)])
    for _ in range(3):
        result = await toolbox.run("table", {})
        assert result == {"a": [1]}
        result["a"].append(2)


async def test_results_outlive_the_process_in_the_run_store(tmp_path: Path) -> None:
    square, runs = squares()
    store = RunStore(tmp_path / "runs.db")
    assert await Toolbox([square], store=store).run("square", {"x": 5}) == 25
    store.close()
    other, others_runs = squares(2.0)
    store = RunStore(tmp_path / "runs.db")
    assert await Toolbox([square], store=store).run("square", {"x": 5}) == 25
    assert await Toolbox([other], store=store).run("square", {"x": 5}) == 50
    store.close()
    assert (runs, others_runs) == ([5], [5])


async def test_the_same_question_asked_at_once_is_worked_out_once() -> None:
    runs: list[int] = []

    def slow(x: int) -> int:
        """Take a while."""
        runs.append(x)
        time.sleep(0.05)
        return -x

    toolbox = Toolbox([msgspec.structs.replace(tool(slow, pure=True), fingerprint="1")])
    asked = [1, 1, 2, 1, 2]
    assert await asyncio.gather(*(toolbox.run("slow", {"x": x}) for x in asked)) == [
        -x for x in asked
    ]
    assert sorted(runs) == [1, 2]


async def test_a_failure_is_not_kept_and_not_shared() -> None:
    tries: list[int] = []

    def flaky() -> str:
        """Fail at first."""
        tries.append(1)
        time.sleep(0.02)
        if len(tries) == 1:
            raise OSError("not yet")
        return "now"

    toolbox = Toolbox([msgspec.structs.replace(tool(flaky, pure=True), fingerprint="1")])
    results = await asyncio.gather(
        *(toolbox.run("flaky", {}) for _ in range(3)), return_exceptions=True
    )
    assert isinstance(results[0], ToolError)
    assert results[1:] == ["now", "now"]
    assert await toolbox.run("flaky", {}) == "now"


async def test_an_impure_tool_is_run_every_time() -> None:
    runs: list[int] = []

    def look(x: int) -> int:
        """Look."""
        runs.append(x)
        return len(runs)

    toolbox = Toolbox([tool(look)])
    assert [await toolbox.run("look", {"x": 1}) for _ in range(3)] == [1, 2, 3]


async def test_arguments_that_are_no_plain_data_are_not_kept() -> None:
    def size(of: Any) -> int:
        """Size."""
        return len(of)

    toolbox = Toolbox([tool(size, pure=True)])
    assert await toolbox.run("size", {"of": range(3)}) == 3
    assert await toolbox.run("size", {"of": range(4)}) == 4


async def test_not_a_number_infinity_and_nothing_are_three_questions() -> None:
    def name(x: float | None) -> str:
        """Say what it is."""
        return repr(x)

    toolbox = Toolbox([tool(name, pure=True)])
    values = (float("nan"), float("inf"), None, 0.0, -0.0)
    assert [await toolbox.run("name", {"x": x}) for x in values] == [repr(x) for x in values]


def test_memory_keeps_what_was_used_last() -> None:
    kept = MemoryResults(limit=10)
    for key in "abc":
        kept.put_tool_result(key, b"1234")
        kept.get_tool_result("a")
    assert [kept.get_tool_result(k) for k in "abc"] == [b"1234", None, b"1234"]
    kept.put_tool_result("a", b"12345678901")
    assert [kept.get_tool_result(k) for k in "abc"] == [None, None, None]


# -- fingerprints -------------------------------------------------------------------------


def made(source: str, name: str = "f", **given: Any) -> Any:
    space = {"__name__": "made", **given}
    exec(textwrap.dedent(source), space)
    return space[name]


BASE = "RATE = 2\ndef g(x): return x + 1\ndef f(x, y=1): return [RATE * g(x) for _ in range(y)]"


@pytest.mark.parametrize(
    "changed",
    [
        BASE.replace("RATE * g", "RATE + g"),
        BASE.replace("RATE = 2", "RATE = 3"),
        BASE.replace("x + 1", "x + 2"),
        BASE.replace("y=1", "y=2"),
    ],
)
def test_a_changed_function_has_another_fingerprint(changed: str) -> None:
    assert fingerprint(made(BASE)) == fingerprint(made("\n\n# a comment\n" + BASE))
    assert fingerprint(made(BASE)) != fingerprint(made(changed))


def test_what_a_function_has_bound_is_part_of_its_fingerprint() -> None:
    def times(factor: int) -> Callable[[int], int]:
        return lambda x: factor * x

    def power(x: int, exponent: int) -> int:
        return x**exponent

    assert fingerprint(times(2)) == fingerprint(times(2)) != fingerprint(times(3))
    two, three = (functools.partial(power, exponent=e) for e in (2, 3))
    assert fingerprint(two) != fingerprint(three)
    assert fingerprint("a".startswith) != fingerprint(power)
    assert fingerprint(functools.lru_cache(power)) == fingerprint(power)
    assert fingerprint(max) != fingerprint(min)


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    program = "from collegium.kernel.fingerprint import fingerprint as f; print(f(f))"
    run = [sys.executable, "-c", program]
    outputs = {subprocess.check_output(run, text=True, timeout=30) for _ in range(2)}
    assert len(outputs) == 1


def test_a_function_that_calls_itself_has_a_fingerprint() -> None:
    down = "def f(x): return f(x - 1) if x else 0"
    assert fingerprint(made(down)) == fingerprint(made(down)) != fingerprint(made(BASE))


def test_a_pure_tool_that_cannot_be_fingerprinted_is_refused() -> None:
    lock = threading.Lock()

    @tool(pure=True)
    def locked() -> None:
        """Hold a lock."""
        with lock:
            pass

    with pytest.raises(BadInput, match=r"'locked' is declared pure, but lock \(lock\) cannot be"):
        Toolbox([locked])
    Toolbox([msgspec.structs.replace(locked, fingerprint="locked-1")])


# -- what a toolbox and a tool are ----------------------------------------------------------


def test_a_tool_can_be_declared_in_three_ways() -> None:
    def ring(times: int) -> str:
        """Ring."""
        return "ding " * times

    plain_one, options = tool(ring), {"parallel": 1, "seconds": 2.5, "pure": True}
    assert tool()(ring).spec == plain_one.spec
    one, other = tool(ring, kind="hardware", **options), tool(kind="hardware", **options)(ring)
    for made_so in (one, other):
        assert (made_so.parallel, made_so.seconds, made_so.pure) == (1, 2.5, True)
        assert (made_so.kind, made_so.irreversible) == ("hardware", False)
        assert made_so.spec == plain_one.spec
    assert plain_one.kind == "software"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"parallel": 0}, "parallel must be 1 or more, not 0"),
        ({"seconds": 0}, "seconds must be above 0, not 0"),
        ({"seconds": float("nan")}, "seconds must be above 0, not nan"),
        ({"pure": True, "irreversible": True}, "cannot be both pure and irreversible"),
    ],
)
def test_options_out_of_range_are_bad_input(options: dict[str, Any], problem: str) -> None:
    def ring() -> None:
        """Ring."""

    with pytest.raises(BadInput, match=f"tool 'ring'.* {problem}|tool 'ring' {problem}"):
        tool(ring, **options)


async def test_a_toolbox_is_a_mapping_by_name_and_names_are_unique() -> None:
    ring, other = (Busy().tool(1) for _ in range(2))
    toolbox = Toolbox([ring, ring])
    assert dict(toolbox) == {"work": ring}
    with pytest.raises(BadInput, match="two tools named 'work'"):
        toolbox.add(other)
    with pytest.raises(UnknownName, match="did you mean 'work'"):
        await toolbox.run("wrok", {})
    with pytest.raises(UnknownName):
        toolbox.instances("wrok")


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"seconds": float("nan")}, {"threads": 0}])
def test_a_toolbox_needs_limits_above_zero(limits: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="a toolbox needs seconds above 0 and threads from 1"):
        Toolbox(**limits)


async def test_kernels_that_share_a_toolbox_share_its_limits() -> None:
    busy = Busy()
    toolbox = Toolbox([busy.tool(1)])
    kernels = [Kernel(Scripted("hi"), tools=toolbox) for _ in range(4)]
    agents = [k.agent("a", tools=["work"]) for k in kernels]
    await asyncio.gather(*(a.use("work", number=i) for i, a in enumerate(agents)))
    assert (busy.most, busy.order) == (1, [0, 1, 2, 3])


async def test_a_tool_in_hand_ends_and_is_recorded_when_its_caller_is_cancelled() -> None:
    done: list[int] = []

    def pay(item: int) -> str:
        """Change the world."""
        time.sleep(0.2)
        done.append(item)
        return "paid"

    kernel = Kernel(Scripted("x"), tools=[tool(pay)])
    agent = kernel.agent("a", tools=["pay"])
    task = asyncio.create_task(agent.use("pay", item=1))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]
    recorded = {(e.outcome, e.failure, e.value) for e in kernel.trace.events}
    assert recorded == {("observation", "", "paid"), ("error", "CancelledError", None)}
    # a resumed run is told, and does not do it again
    resumed = Kernel(Scripted("x"), tools=[tool(pay)], journal=[kernel.trace.events])
    assert await resumed.agent("a", tools=["pay"]).use("pay", item=1) == "paid"
    assert done == [1]


async def test_a_tool_that_failed_is_not_run_again_by_a_resumed_run() -> None:
    runs: list[int] = []

    def explode() -> str:
        """Fail."""
        runs.append(1)
        raise RuntimeError("boom")

    first = Kernel(Scripted("x"), tools=[tool(explode)])
    with pytest.raises(ToolError, match="boom"):
        await first.agent("a", tools=["explode"]).use("explode")
    resumed = Kernel(Scripted("x"), tools=[tool(explode)], journal=[first.trace.events])
    with pytest.raises(ToolError, match="boom"):
        await resumed.agent("a", tools=["explode"]).use("explode")
    assert runs == [1]
