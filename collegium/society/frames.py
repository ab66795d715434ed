"""Tables in files, read and written with polars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from collegium.errors import BadInput, missing_extra

if TYPE_CHECKING:
    from polars import DataFrame


def read_frame(file: Path) -> DataFrame:
    """Read a CSV or Parquet file.

    Raises:
        BadInput: It cannot be read.
        MissingExtra: polars is not installed.
    """
    pl = polars()
    if not file.is_file():
        raise BadInput(f"there is no file {file}.")
    try:
        return pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file)
    except Exception as error:  # polars raises many kinds, some without a common base
        raise BadInput(f"cannot read {file}: {str(error).splitlines()[0]}.") from None


def polars() -> Any:
    """The library.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import polars
    except ImportError:
        raise missing_extra("society", "reading and writing tables") from None
    return polars
