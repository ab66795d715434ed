"""Tasks: what is to be solved, where the questions come from, and how answers are judged.

:func:`load` gives a :class:`Benchmark` by name or from one's own file; each of its items holds the
:class:`Task` that a system is given, and a scorer that judges what the system answered. A task
has no reference answer in it and no way to one.
"""

from collegium.tasks.answers import normalise_answer
from collegium.tasks.code import extract_code
from collegium.tasks.generated import generators
from collegium.tasks.number import final_number
from collegium.tasks.registry import BenchmarkInfo, benchmarks, load
from collegium.tasks.task import AnswerKind, Benchmark, Item, Score, Task

__all__ = [
    "AnswerKind",
    "Benchmark",
    "BenchmarkInfo",
    "Item",
    "Score",
    "Task",
    "benchmarks",
    "extract_code",
    "final_number",
    "generators",
    "load",
    "normalise_answer",
]
