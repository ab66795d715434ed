"""What a run leaves behind for pandas, polars and the rest: Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from collegium.errors import BadInput
from collegium.society.engine import Society
from collegium.society.frames import polars

if TYPE_CHECKING:
    from polars import DataFrame


def write_parquet(society: Society, folder: Path) -> tuple[Path, ...]:
    """Write curves, events, every table, and the texts, one Parquet file each.

    A column with several numbers per row becomes a column of lists. A column of numbers of texts
    belongs to a file ``texts``, which holds every list of texts by name and number.

    Args:
        society: What to write.
        folder: Where; made when missing.

    Returns:
        The files.

    Raises:
        BadInput: They cannot be written.
        MissingExtra: polars is not installed.
    """
    pl = polars()
    frames = {"curves": curves_frame(society)}
    for name, table in society.state.tables.items():
        frames[name] = pl.DataFrame({column: table[column] for column in table})
    kinds = dict(enumerate(society.state.texts["event"]))
    if kinds:
        events = frames["event"]
        frames["event"] = events.with_columns(
            pl.col("kind").cast(pl.Int64).replace_strict(kinds, return_dtype=pl.String)
        )
    lists = [(k, t) for k, t in society.state.texts.items() if k != "event" and t]
    if lists:
        frames["texts"] = pl.DataFrame(
            {
                "list": [name for name, texts in lists for _ in texts],
                "number": [i for _, texts in lists for i in range(len(texts))],
                "text": [text for _, texts in lists for text in texts],
            }
        )
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            frame.write_parquet(folder / f"{name}.parquet", compression="zstd")
            written.append(folder / f"{name}.parquet")
    except OSError as error:
        raise BadInput(f"cannot write to {folder}: {error.strerror}.") from None
    return tuple(written)


def curves_frame(society: Society) -> DataFrame:
    """The curves as a polars data frame: one row a step."""
    pl = polars()
    steps = max(map(len, society.curves.values()), default=0)
    return pl.DataFrame({"step": list(range(1, steps + 1)), **society.curves})
