"""Systems as solvers: in a real ``inspect eval`` of the installed package, and within this one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

import inspect_ai
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from collegium.bench.inspect_bridge.solver import SOLVERS
from collegium.errors import BadInput
from collegium.systems import systems


def evaluated(tmp_path: Path, task: str, solver: Any, model: Any, **options: Any) -> Any:
    """The log of an evaluation in this process."""
    (log,) = inspect_ai.eval(
        task, solver=solver, model=model, log_dir=str(tmp_path), display="none", **options
    )
    return log


def mock(text: str) -> Any:
    """Inspect's own model for tests; by itself it counts tokens with a table from the network."""

    def said(*_: Any) -> ModelOutput:
        output = ModelOutput.from_content("mockllm", text)
        output.usage = ModelUsage(input_tokens=10, output_tokens=5, total_tokens=15)
        return output

    return get_model("mockllm/model", custom_outputs=said)


def told(sample: Any, kind: str) -> list[Any]:
    return [e for e in sample.events if e.event == kind]


def inspect_eval(environment: dict[str, str], cwd: Path, *arguments: str) -> Any:
    """``inspect eval`` in a process of its own."""
    program = [sys.executable, "-m", "inspect_ai", "eval", *arguments, "--display", "plain"]
    return subprocess.run(
        program, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


def test_inspect_eval_runs_an_installed_system(installed, tmp_path, task, model) -> None:
    done = inspect_eval(
        installed, tmp_path, task("sums"), "--solver", "collegium/mad",
        "-S", "agents=2", "-S", "rounds=2", "--model", f"collegium/{model('solver')}",
        "--log-dir", str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = tmp_path.glob("*.eval")
    log = read_eval_log(str(file))
    assert log.status == "success" and log.eval.solver == "collegium/mad"
    assert log.eval.solver_args == {"agents": 2, "rounds": 2}
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    for sample in log.samples:
        calls = told(sample, "model")
        # agents times rounds, and a repair of each reply that states no answer
        assert len(calls) == sample.metadata["collegium"]["calls"] >= 4
        assert sample.output.completion == sample.target
        (spent,) = sample.model_usage.values()
        assert spent.total_tokens == sample.metadata["collegium"]["tokens"] > 0
        assert spent.total_tokens == sum(c.output.usage.total_tokens for c in calls)
        assert {"debater-1", "debater-2"} <= {e.name for e in told(sample, "span_begin")}
    (used,) = log.stats.model_usage
    assert used == f"collegium/{model('solver')}"


def test_a_mistake_is_one_sentence(installed, tmp_path, task) -> None:
    done = inspect_eval(
        installed, tmp_path, task("sums"), "--solver", "collegium/mad", "-S", "agents=many",
        "--model", "mockllm/model", "--log-dir", str(tmp_path),
    )  # fmt: skip
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "parameter 'agents' of mad must be int" in said and "Traceback" not in said


def test_every_system_is_a_solver() -> None:
    own = {n for n, s in systems().items() if s.solve.__module__.startswith("collegium.")}
    assert set(SOLVERS) == own
    with pytest.raises(PrerequisiteError, match="did you mean 'rounds'"):
        SOLVERS["mad"](round=2)
    with pytest.raises(PrerequisiteError, match="completion must have"):
        SOLVERS["mad"](completion="so there")
    with pytest.raises(PrerequisiteError, match="did you mean 'number'"):
        SOLVERS["mad"](answer="numbre")


def test_a_model_of_inspect_answers_by_default(tmp_path, task) -> None:
    log = evaluated(tmp_path, task("words"), SOLVERS["direct"](), mock("BETA GAMMA"))
    (sample,) = log.samples
    assert log.status == "success"
    assert sample.output.completion == "BETA GAMMA"
    assert sample.scores["includes"].value == "C"
    assert sample.messages[-1].text == sample.output.completion
    assert log.stats.model_usage["mockllm/model"].total_tokens == 15
    assert told(sample, "model")[0].model == "mockllm/model"


def test_a_model_of_ours_takes_its_place_and_is_counted(tmp_path, task, model) -> None:
    chosen = SOLVERS["cot"](model=model("solver"))
    log = evaluated(tmp_path, task("sums"), chosen, "mockllm/model")
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    assert list(log.stats.model_usage) == [f"collegium/{model('solver')}"]


def test_an_option_is_chosen(tmp_path, task, model) -> None:
    for name in ("capitals", "lettered"):
        log = evaluated(tmp_path, task(name), SOLVERS["direct"](model=model("solver")), "none")
        assert log.results.scores[0].metrics["accuracy"].value == 1.0
        assert {s.output.completion for s in log.samples} == {"ANSWER: A", "ANSWER: B"}


def test_how_an_answer_is_written_can_be_said(tmp_path, task, model) -> None:
    chosen = SOLVERS["direct"](model=model("solver"), completion="ANSWER: {answer}", answer="text")
    log = evaluated(tmp_path, task("words"), chosen, "none")
    (sample,) = log.samples
    assert sample.output.completion == "ANSWER: BETA GAMMA"
    assert sample.scores["answer"].value == "C"


def test_system_messages_are_rules_and_turns_are_told(tmp_path, task) -> None:
    log = evaluated(tmp_path, task("talk"), SOLVERS["direct"](), mock("x"))
    (call,) = told(log.samples[0], "model")
    system = call.input[0].text
    asked = call.input[-1].text
    assert "Be brief." in system and "Be brief." not in asked
    assert "User: Hello.\n\nAssistant: Hello, what is it?\n\nUser: Say x." in asked


def test_a_limit_of_inspect_ends_the_run_and_what_was_kept_is_scored(tmp_path, task) -> None:
    log = evaluated(
        tmp_path,
        task("sums"),
        SOLVERS["mad"](agents=2, rounds=8),
        mock("Answer: 12"),
        turn_limit=5,
        limit=1,
    )
    (sample,) = log.samples
    assert sample.limit is not None
    assert len(told(sample, "model")) <= 6
    assert sample.metadata["collegium"]["limited"]
    assert sample.output.completion == "12" and sample.scores["match"].value == "C"


def test_roles_of_inspect_are_roles_here(tmp_path, task, model) -> None:
    log = evaluated(
        tmp_path, task("sums"), SOLVERS["direct"](), "mockllm/model",
        model_roles={"solver": f"collegium/{model('solver')}"}, limit=1,
    )  # fmt: skip
    assert log.samples[0].output.completion == "12"


def test_tools_put_up_before_are_the_systems_tools(tmp_path, folder, model) -> None:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import match
    from inspect_ai.solver import use_tools
    from inspect_ai.tool import tool

    @tool
    def calculator():
        async def execute(expression: str) -> str:
            """Work out an expression.

            Args:
                expression: Such as 2 + 2.
            """
            left, right = expression.split(" * ")
            return str(int(left) * int(right))

        return execute

    made = Task(
        dataset=[Sample(input="What is 6 * 7?", target="42")],
        solver=[use_tools(calculator()), SOLVERS["tool-calling"](model=model("caller"))],
        scorer=match(numeric=True),
    )
    (log,) = inspect_ai.eval(made, model="mockllm/model", log_dir=str(tmp_path), display="none")
    (sample,) = log.samples
    assert sample.scores["match"].value == "C", sample.error
    (used,) = told(sample, "tool")  # logged once, by Inspect
    assert (used.function, used.result) == ("calculator", "42")
    assert not [e for e in told(sample, "info") if e.data.get("kind") == "use-tool"]


def test_the_seed_of_an_evaluation_is_that_of_its_runs(tmp_path, task) -> None:
    def seeds(seed: int | None) -> list[int | None]:
        log = evaluated(
            tmp_path, task("sums"), SOLVERS["self-consistency"](samples=2), mock("Answer: 12"),
            **({} if seed is None else {"seed": seed}),
        )  # fmt: skip
        return [e.config.seed for s in log.samples for e in told(s, "model")]

    assert len(set(seeds(5))) == len(seeds(5)) >= 6 and None not in seeds(5)
    assert seeds(5) == seeds(5) != seeds(6)
    assert set(seeds(None)) == {None}


def test_what_a_system_cannot_read_is_refused() -> None:
    from inspect_ai.model import ChatMessageUser, ContentAudio, ContentImage, ContentText

    from collegium.bench.inspect_bridge.samples import task_of

    picture = ContentImage(image="data:image/png;base64,aGk=")
    for content, said in (
        ([ContentText(text="see"), picture], "shows pictures"),
        ([ContentText(text="see"), ContentImage(image="http://x/y.png")], "by its address"),
        ([ContentAudio(audio="a.mp3", format="mp3")], "holds audio"),
        ("", "asks nothing"),
    ):
        with pytest.raises(BadInput, match=said):
            task_of("s", [ChatMessageUser(content=content)], choices=None, answer="text")
