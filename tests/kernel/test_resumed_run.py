"""A run that was interrupted is gone on with: what was paid for is not paid for again."""

import asyncio
from pathlib import Path

import pytest

from collegium.api import arun
from collegium.errors import BadInput, UnknownName
from collegium.kernel import RunStore

SCRIPT = '''
import asyncio
from pathlib import Path

def counted(request):
    file = Path(__file__).with_name("count")
    number = len(file.read_text()) + 1 if file.exists() else 1
    file.write_text("x" * number)
    return number

async def stuck(request):
    """The third call never comes back until the file says so."""
    if counted(request) >= 3 and not Path(__file__).with_name("go").exists():
        await asyncio.sleep(60)
    return "because\\nAnswer: 12"
'''


async def test_a_run_is_taken_up_where_it_was_cut_off(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    model = f"script:{script}:stuck"
    store = RunStore(tmp_path / "runs.db")
    asked = {"model": model, "answer": "number", "seed": 3, "store": store}
    begun: list[str] = []
    events: list[object] = []
    work = asyncio.ensure_future(
        arun(
            "mad:agents=1,rounds=3",
            "5 + 7?",
            on_begin=lambda run, _: begun.append(run),
            on_event=events.append,
            **asked,
        )
    )
    while len(events) < 2:
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    (run,) = begun
    assert store.run(run).status == "interrupted"
    paid = len((tmp_path / "count").read_text())
    (tmp_path / "go").touch()
    done = await arun("mad:agents=1,rounds=3", "5 + 7?", resume=run, **asked)
    assert (done.id, done.answer) == (run, 12)
    assert store.run(run).status == "done"
    origins = [e.replies[0].origin for e in done.events if e.replies]
    assert origins == ["journal", "journal", "live"]
    assert len((tmp_path / "count").read_text()) == paid + 1
    assert done.calls == 3  # what was paid for before is on the bill
    with pytest.raises(BadInput, match="is done"):
        await arun("mad:agents=1,rounds=3", "5 + 7?", resume=run, **asked)
    store.close()


async def test_only_the_same_run_is_gone_on_with(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def f(request):\n    return 'Answer: 1'\n")
    asked = {"model": f"script:{script}:f", "answer": "number", "store": tmp_path / "runs.db"}
    store = RunStore(tmp_path / "runs.db")
    run = (await arun("cot", "1?", **asked)).id
    store.finish(run, "interrupted")
    with pytest.raises(BadInput, match="another task"):
        await arun("cot", "2?", resume=run, **asked)
    with pytest.raises(BadInput, match="another system"):
        await arun("direct", "1?", resume=run, **asked)
    with pytest.raises(BadInput, match="another seed"):
        await arun("cot", "1?", resume=run, seed=4, **asked)
    with pytest.raises(UnknownName):
        await arun("cot", "1?", resume="nowhere", **asked)
    assert store.run(run).status == "interrupted"
    assert (await arun("cot", "1?", resume=run, **asked)).answer == 1
    store.close()
