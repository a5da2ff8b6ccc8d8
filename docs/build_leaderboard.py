"""Write the boards of docs/leaderboard.md from docs/leaderboard.parquet; `make docs` runs it.

Their pictures are drawn by docs/pictures.py.
"""

import re
import sys
from pathlib import Path

import polars

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from siamlab.evaluate.leaderboard import boards, one_board, read_leaderboard  # noqa: E402
from siamlab.figure.leaderboard import has_plane  # noqa: E402
from siamlab.report.leaderboard import board_text, how_to_add, main_probes  # noqa: E402

MARK = "<!-- boards: written by docs/build_leaderboard.py -->\n"


def with_boards(page: str) -> str:
    """Return the page with a section for each board after the mark."""
    before, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"leaderboard.md has no {MARK.strip()}")
    return before + mark + "".join(f"\n{section(*item)}" for item in by_board().items())


def by_board() -> dict[str, polars.DataFrame]:
    """Return the rows of each board."""
    table = read_leaderboard(HERE / "leaderboard.parquet")
    return {name: one_board(table, name) for name in boards(table)}


def picture(board: str) -> str:
    """Return the name of a board's picture."""
    return f"leaderboard-{re.sub(r'[^a-z0-9]+', '-', board.lower()).strip('-')}.png"


def section(name: str, rows: polars.DataFrame) -> str:
    """Return a board as Markdown: picture, table, how to add to it or where it comes from."""
    shown = [f"![The plane of the board {name}]({picture(name)})\n"] if has_plane(rows) else []
    command, sources = how_to_add(rows), rows["source"].drop_nulls().unique(maintain_order=True)
    last = [f"To add a model: `{command}`\n"] if command else []
    last += [f"Source: {source}.\n" for source in sources]
    table = board_text(rows, main_probes(rows), ("weights", "version", "date", "note"))
    return "\n".join([f"## {name}\n", *shown, markdown(table), *last])


def markdown(table: polars.DataFrame) -> str:
    """Return a table of text as Markdown."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    path = HERE / "leaderboard.md"
    path.write_text(with_boards(path.read_text("utf-8")), "utf-8")
