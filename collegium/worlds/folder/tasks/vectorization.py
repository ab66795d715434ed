"""Make a convolution faster without changing what it gives (a variant of MLAgentBench's own).

Paper vs code vs ours
---------------------
* In the official task the score is the first line that the agent's own script ever wrote, and what
  the convolution gives is never looked at. Here the harness times five runs from outside, each on
  numbers nobody has seen, and compares every result with a reference to 1e-6. The time of an empty
  run just before it is taken off.
* The batch is smaller (16 images of 32 by 32 by 3; 8 filters of 3 by 3; stride 2).
"""

from __future__ import annotations

import io
import secrets
from importlib.util import find_spec
from statistics import median
from typing import Any

from collegium.worlds.folder.run import RunLimits, run_in
from collegium.worlds.folder.scoring import Files, FolderTask, Measured

TIMED = 5
SHORTEST = 1e-3
"""Seconds below which a run is not told from an empty one."""
TOLERANCE = 1e-6
SHAPE = (16, 32, 32, 3)
FILTERS = (3, 3, 3, 8)
STRIDE = 2
LIMITS = RunLimits()

CONVOLUTION = '''"""A convolution, written with loops."""

import numpy as np


def convolve(images, filters, stride):
    """Slide filters (height, width, channels, count) over images (n, height, width, channels)."""
    n, height, width, _ = images.shape
    fh, fw, _, count = filters.shape
    out_h, out_w = (height - fh) // stride + 1, (width - fw) // stride + 1
    result = np.zeros((n, out_h, out_w, count))
    for image in range(n):
        for row in range(out_h):
            for column in range(out_w):
                for number in range(count):
                    top, left = row * stride, column * stride
                    window = images[image, top : top + fh, left : left + fw, :]
                    result[image, row, column, number] = np.sum(window * filters[:, :, :, number])
    return result
'''

TRAIN = '''"""Time the convolution and write the seconds down."""

import time

import numpy as np

from convolution import convolve

rng = np.random.default_rng(0)
images, filters = rng.normal(size=(16, 32, 32, 3)), rng.normal(size=(3, 3, 3, 8))
began = time.perf_counter()
convolve(images, filters, 2)
seconds = time.perf_counter() - began
print(f"{seconds:.4f} seconds")
with open("submission.csv", "w") as file:
    file.write(f"seconds\\n{seconds}\\n")
'''

TIMING = """
import numpy as np
given = np.load("harness_input.npz")
from convolution import convolve
np.save("harness_output.npy", np.asarray(convolve(given["images"], given["filters"], 2)))
"""

EMPTY = "import numpy as np"


def reference(images: Any, filters: Any, stride: int) -> Any:
    """What the convolution must give."""
    import numpy

    fh, fw = filters.shape[:2]
    windows = numpy.lib.stride_tricks.sliding_window_view(images, (fh, fw), axis=(1, 2))
    return numpy.einsum("nrchij,ijhk->nrck", windows[:, ::stride, ::stride], filters)


async def score(files: Files) -> Measured:
    """The median seconds of five runs; nothing where one of them gives something else."""
    import numpy

    seconds: list[float] = []
    for _ in range(TIMED):
        draw = numpy.random.default_rng(secrets.randbits(64))
        images, filters = draw.normal(size=SHAPE), draw.normal(size=FILTERS)
        held = io.BytesIO()
        numpy.savez(held, images=images, filters=filters)
        given = {**files, "harness_input.npz": held.getvalue()}
        given.pop("harness_output.npy", None)
        empty = await run_in(given, ["python", "-c", EMPTY], limits=LIMITS)
        ran = await run_in(given, ["python", "-c", TIMING], limits=LIMITS)
        output = (ran.files or {}).get("harness_output.npy")
        if output is None:
            return Measured(None, f"the convolution failed: {ran.problem or ran.err[-300:]}")
        try:
            result = numpy.load(io.BytesIO(output), allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            return Measured(None, f"the convolution gave no array ({error})")
        wanted = reference(images, filters, STRIDE)
        if result.shape != wanted.shape or not numpy.allclose(result, wanted, 0, TOLERANCE):
            return Measured(None, "the convolution gives something else than the reference")
        seconds.append(ran.seconds - empty.seconds)
    return Measured(max(median(seconds), SHORTEST))


TASK = FolderTask(
    name="vectorization-variant",
    like="vectorization",
    problem=(
        "convolution.py holds a convolution that is slow. Make it as fast as you can, with numpy "
        "alone, without changing its name, its arguments or what it gives (to 1e-6). train.py "
        "times it once. The time that counts is measured from outside, on other numbers."
    ),
    metric="seconds",
    better="lower",
    files=lambda: {"convolution.py": CONVOLUTION.encode(), "train.py": TRAIN.encode()},
    read_only=("train.py",),
    score=score,
    limits=LIMITS,
    missing=lambda: "" if find_spec("numpy") else "numpy (pip install 'collegium[worlds]')",
)
