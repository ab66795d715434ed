"""trace --diff and --html: two runs held against each other, and a run as a page."""

from collegium.kernel import Event, Generate, Message, Reply, RunStore, Usage
from collegium.kernel.store import Totals
from collegium.kernel.trace import encode_event


def kept(shell, answer: str, *, agents: int = 2, kind: str = "run", tasks: int = 1) -> str:
    """A run in the shell's store."""
    store = RunStore(shell.home / "runs.db")
    spec = {"system": "mad", "task": "What is 6 * 7?", "parameters": {"agents": agents}}
    run = store.begin(kind, "", {**spec, "model": "local"})
    for task in range(tasks):
        keep = store.sink(run, "mad", f"t{task}")
        for n in range(agents):
            said = "Let us see." if n == 0 else f"It is {answer}. <script>alert(1)</script>"
            call = Generate(
                agent=f"debater-{n}", role="debater", messages=(Message("user", "What?"),)
            )
            keep(Event(id=n, call=call, replies=(Reply(said),), model="local"))
    totals = Totals(answer, "", agents, Usage(10, 0, 5), 0.5)
    store.finish(run, "done", totals if kind == "run" else None)
    store.close()
    return run


def test_two_runs(shell):
    a, b = kept(shell, "42"), kept(shell, "41", agents=3)
    text = shell("trace", a, "--diff", b).stdout
    for said in (
        "parameters: agents", "answer", "The first call is the same. Call 2",
        "~ 2", "+ 3", "It is 41.",
    ):  # fmt: skip
        assert said in text
    data = shell.json("trace", a, "--diff", b)
    assert (data["a"], data["b"], data["first"]) == (a, b, 1)
    assert [s["state"] for s in data["steps"]] == ["same", "changed", "only-b"]
    same = shell("trace", a, "--diff", a)
    assert "Both runs made the same 2 calls" in same.stdout


def test_a_trace_file_is_a_side_too(shell, tmp_path):
    run = kept(shell, "42")
    store = RunStore(shell.home / "runs.db")
    file = tmp_path / "saved.jsonl"
    file.write_bytes(b"".join(encode_event(e) + b"\n" for _, _, e in store.events(run)))
    store.close()
    assert shell.json("trace", run, "--diff", file)["first"] is None


def test_of_a_comparison_one_trace_is_chosen(shell):
    run, many = kept(shell, "42"), kept(shell, "41", kind="compare", tasks=3)
    asked = shell("trace", run, "--diff", many)
    assert asked.returncode == 2
    assert "3 traces; choose one with --system and --task" in asked.stderr
    a = shell("trace", many, "--task", "t1", "--diff", many)
    assert "Both runs made the same 2 calls" in a.stdout


def test_a_run_as_a_page(shell, tmp_path):
    run = kept(shell, "42")
    file = tmp_path / "run.html"
    done = shell("trace", "last", "--html", file)
    assert (done.returncode, str(file) in done.stdout) == (0, True)
    page = file.read_text()
    assert run in page and "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


def test_what_cannot_be(shell, tmp_path):
    run = kept(shell, "42")
    for words, said in (
        (["--diff", run], "name the two runs"),
        ([run, "--diff", "nothing"], "unknown run 'nothing'"),
        ([run, "--html", tmp_path], "cannot write"),
        ([tmp_path / "x.jsonl", "--html", tmp_path / "x.html"], "a page is made of a run"),
    ):
        done = shell("trace", *words)
        assert done.returncode == 2, words
        assert said in done.stderr
