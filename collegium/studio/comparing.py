"""Comparisons that go on when their page is closed: planned, run, stopped, gone on with.

They go through the same functions as the command ``compare``: what it checks is checked, what it
keeps is kept, and its report is written to the same place. The work is done in a thread with an
event loop of its own, so that pages stay quick meanwhile.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import msgspec

from collegium.bench.compare import Plan, compare, open_models, plan, traces_of
from collegium.bench.records import Outcome, Report
from collegium.commands.compare import write_files
from collegium.commands.live import Progress
from collegium.errors import BadInput, CollegiumError, Unreachable, unknown_name
from collegium.guard import Policy
from collegium.kernel import RunStore
from collegium.kernel.store import RunRow
from collegium.models.fetch import pull
from collegium.models.weights import EMBEDDED, weights_file
from collegium.protocols.hub import log_bug
from collegium.studio.sessions import FROM_FILES
from collegium.studio.state import Studio
from collegium.studio.uploads import Uploads
from collegium.tasks import benchmarks
from collegium.tasks.own_file import SUFFIXES

T = TypeVar("T")

MOST_WORKERS = 64

MOST_KNOWN = 40
"""Comparisons that are held in memory; of older ones there is the report on the disk."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a page asks for; the options are those of the command ``compare``.

    Attributes:
        systems: With their parameters ("mad:agents=4,rounds=2").
        on: A benchmark, or the name of an uploaded file.
        model: The default model.
        split: "test", "validation" or "train".
        limit: How many questions; None: all.
        seed: Fixes questions and sampling.
        budget: Tokens per question and system.
        workers: Questions worked on at the same time.
        curve: Rank although spends differ.
        fast: Batched requests: faster, and not bit-identical.
    """

    systems: tuple[str, ...]
    on: str
    model: str
    split: str = "test"
    limit: int | None = None
    seed: int = 0
    budget: int | None = None
    workers: int = 1
    curve: bool = False
    fast: bool = False


class Comparison:
    """A comparison that goes on, or that went on in this process.

    Attributes:
        planned: What is compared.
        run: Its id in the store, "" before it has begun.
        progress: How far each system has come.
        error: Why it ended early; "" when it did not.
        stopped: Somebody stopped it.
        report: What came of it, once it is done.
    """

    def __init__(self, planned: Plan, *, workers: int = 1, curve: bool = False) -> None:
        self.planned, self.workers, self.curve = planned, workers, curve
        self.run = self.error = ""
        self.stopped = False
        self.report: Report | None = None
        self.progress = {e.label: Progress(len(planned.benchmark.items)) for e in planned.entries}
        self.kept = 0
        self.began = monotonic()
        self.ended: float | None = None
        self.known = asyncio.Event()

    def add(self, outcome: Outcome, kept: bool) -> None:
        """Count an outcome; ``kept`` says that it comes from an interrupted run."""
        self.progress[outcome.system].add(outcome)
        self.kept += kept

    @property
    def going(self) -> bool:
        """Whether it still goes on."""
        return self.ended is None

    @property
    def seconds(self) -> float:
        """How long it has gone on."""
        return (self.ended or monotonic()) - self.began

    @property
    def left(self) -> float | None:
        """Seconds that are left, about; None while some system has not finished a question."""
        lefts = [p.left for p in self.progress.values()]
        known = [left for left in lefts if left is not None]
        return sum(known) / self.workers if len(known) == len(lefts) else None


class Comparisons:
    """The comparisons of a studio.

    Args:
        studio: What the pages share.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._known: dict[str, Comparison] = {}
        self.uploads = Uploads()

    def get(self, run: str) -> Comparison | None:
        """The comparison of a run, if this process knows it."""
        return self._known.get(run)

    def plan(self, wanted: Wanted) -> Plan:
        """Check what is asked for; may take seconds, so it belongs into a thread.

        Raises:
            BadInput: A system, parameter, benchmark or number is wrong.
        """
        if not 1 <= wanted.workers <= MOST_WORKERS:
            raise BadInput(f"the number of workers must be 1 to {MOST_WORKERS}.")
        self._check(wanted)
        return self._plan(
            wanted.systems,
            wanted.on,
            model=wanted.model,
            roles=self._studio.roles,
            limit=wanted.limit,
            split=wanted.split,
            seed=wanted.seed,
            budget=_least(wanted.budget, self._studio.limits.tokens),
            exact=not wanted.fast,
            policy=self._studio.policy,
        )

    def _check(self, wanted: Wanted) -> None:
        """Refuse what would read files of this machine because a page asks for it."""
        chosen = {self._studio.model, *self._studio.roles.values()}
        if wanted.model.startswith(FROM_FILES) and wanted.model not in chosen:
            raise BadInput(
                f"model {wanted.model!r} reads a file of this machine, so it is chosen when the "
                "studio is started: collegium studio --model ..."
            )
        if self.uploads.path(wanted.on) is not None:
            return
        if wanted.on.lower().endswith(SUFFIXES):
            raise BadInput(f"there is no file {wanted.on} here; upload it first.")
        known = {info.name.partition(":")[0] for info in benchmarks()}
        if wanted.on.partition(":")[0] not in known or "/" in wanted.on or "\\" in wanted.on:
            raise unknown_name("benchmark", wanted.on, known)

    def plan_again(self, row: RunRow) -> Plan:
        """The plan of a run in the store, to go on with it.

        Raises:
            BadInput: Something it needs is gone, or is another thing by now.
        """
        spec = row.spec
        policy = spec.get("policy")
        planned = self._plan(
            [str(named[0]) for named in spec["systems"]],
            str(spec["benchmark"]),
            model=spec["model"],
            roles=spec["roles"],
            limit=spec["limit"],
            split=spec["split"],
            seed=spec["seed"],
            budget=spec["budget"],
            exact=spec["exact"],
            scheduler=spec.get("scheduler"),
            policy=None if policy is None else msgspec.convert(policy, Policy),
            servers=spec.get("servers", ()),
        )
        if planned.key != row.key:
            raise BadInput(
                "the questions or the systems are not what they were when this run began; "
                "begin a new comparison."
            )
        return planned

    def _plan(self, systems: Sequence[str], on: str, **options: Any) -> Plan:
        uploaded = self.uploads.path(on)
        if uploaded is None and on.endswith(SUFFIXES) and not Path(on).is_file():
            raise BadInput(f"there is no file {on} here; upload it first.")
        if uploaded is None:
            return plan(systems, on=on, **options)
        try:
            planned = plan(systems, on=str(uploaded), **options)
        except BadInput as error:
            raise BadInput(str(error).replace(str(uploaded), on)) from None
        # By its own name it is the same comparison when the file is uploaded again.
        named = msgspec.structs.replace(
            planned.benchmark, name=on, source=f"the uploaded file {on}", description=on
        )
        return msgspec.structs.replace(planned, benchmark=named)

    async def start(
        self, planned: Plan, *, workers: int = 1, curve: bool = False, resume: bool = False
    ) -> Comparison:
        """Begin a comparison, or go on with it; comes back when it has a place in the store.

        Raises:
            CollegiumError: It could not begin.
        """
        made = Comparison(planned, workers=workers, curve=curve)
        loop = asyncio.get_running_loop()

        def begun(run: str) -> None:
            made.run = run
            self._known.pop(run, None)
            self._known[run] = made
            over = [name for name, one in self._known.items() if not one.going]
            for name in over[: max(0, len(self._known) - MOST_KNOWN)]:
                del self._known[name]
            loop.call_soon_threadsafe(made.known.set)

        work = self._work(made, begun, resume)
        self._studio.jobs.start(f"compare {id(made)}", work)
        await made.known.wait()  # weights may have to be fetched before it begins
        if not made.run:
            raise BadInput(made.error)
        return made

    def stop(self, made: Comparison) -> None:
        """Stop a comparison; what is finished is kept."""
        made.stopped = True
        self._studio.jobs.stop(f"compare {id(made)}")

    async def _work(self, made: Comparison, begun: Callable[[str], None], resume: bool) -> None:
        try:
            await self._fetch_weights(made)
            made.report = await apart(lambda: self._compare(made, begun, resume))
        except CollegiumError as error:
            kept = " What is finished is kept." if isinstance(error, Unreachable) else ""
            made.error = f"{error}{kept}"
        except asyncio.CancelledError:
            made.stopped = True
            raise
        except Exception as error:
            log_bug(error)
            made.error = "something went wrong inside the program; its log says more."
        finally:
            made.ended = monotonic()
            made.known.set()

    async def _fetch_weights(self, made: Comparison) -> None:
        """Fetch the weights of embedded models that are not here."""
        names = (made.planned.model, *made.planned.roles.values())
        for name in dict.fromkeys(names):
            if name in EMBEDDED and not weights_file(EMBEDDED[name]).is_file():
                await asyncio.to_thread(pull, name)

    async def _compare(
        self, made: Comparison, begun: Callable[[str], None], resume: bool
    ) -> Report:
        store = RunStore(self._studio.store_path)
        try:
            await open_models(made.planned)  # a wrong name must not leave an empty run behind
            report = await compare(
                made.planned,
                store,
                curve=made.curve,
                workers=made.workers,
                resume=resume,
                command=command(made),
                on_start=begun,
                on_outcome=made.add,
            )
            traces = traces_of(store, report.run)
        finally:
            store.close()
        write_files(report, traces, self.folder(report.run))
        return report

    def folder(self, run: str) -> Path:
        """Where the report of a run is, or will be.

        Raises:
            BadInput: That is no id of a run.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", run):
            raise BadInput("that is no id of a run.")
        return self._studio.store_path.parent / "reports" / run

    def report(self, run: str) -> Report | None:
        """The report of a run, if it has been written."""
        made = self._known.get(run)
        if made is not None and made.report is not None:
            return made.report
        file = self.folder(run) / "report.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=Report)
        except OSError:
            return None
        except msgspec.MsgspecError as error:
            raise BadInput(f"cannot read the report of {run}: {error}.") from None


def command(made: Comparison) -> str:
    """The command line that makes the same comparison."""
    planned = made.planned
    words = ["collegium", "compare", *(e.label for e in planned.entries)]
    words += ["--on", planned.benchmark.name, "--model", planned.model]
    words += [w for role, model in planned.roles.items() for w in ("--role", f"{role}={model}")]
    words += ["--split", planned.benchmark.split, "--seed", str(planned.seed)]
    for name, value in (("--limit", planned.limit), ("--budget", planned.budget)):
        words += [name, str(value)] if value is not None else []
    words += ["--workers", str(made.workers)] if made.workers > 1 else []
    words += ["--curve"] if made.curve else []
    return shlex.join([*words, *([] if planned.exact else ["--fast"])])


def _least(*values: int | None) -> int | None:
    return min((v for v in values if v is not None), default=None)


async def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do some work in a thread with an event loop of its own; stopping this stops that.

    Args:
        work: Makes the coroutine; called in the thread.

    Raises:
        Exception: Whatever the work raises.
    """
    here = asyncio.get_running_loop()
    done: asyncio.Future[T] = here.create_future()
    inside: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []
    ready = threading.Event()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        inside.append((asyncio.get_running_loop(), task))
        ready.set()
        return await work()

    def tell(outcome: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(outcome)  # type: ignore[arg-type]
        elif isinstance(error, asyncio.CancelledError):
            done.cancel()
        else:
            done.set_exception(error)

    def thread() -> None:
        outcome, failure = None, None
        try:
            outcome = asyncio.run(main())
        except BaseException as error:
            failure = error
        finally:
            ready.set()
        try:
            here.call_soon_threadsafe(tell, outcome, failure)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    worker = threading.Thread(target=thread, name="studio work", daemon=True)
    worker.start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.to_thread(ready.wait)
        for loop, task in inside:
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)
        await asyncio.wait([done])
        raise
