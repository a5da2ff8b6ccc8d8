"""The frame of the drill; the drill itself is `make drill`."""

import io

import pytest
from drill import Row, parts, run
from rich.console import Console


def outcome(tmp_path, *rows, error=None):
    """The frame's status and output for one part with these rows."""

    def part(scratch, short):
        assert short and not list(scratch.iterdir())
        yield from rows
        if error:
            raise error

    output = io.StringIO()
    passed = run({"mine": part}, tmp_path, True, Console(file=output, width=120))
    return passed, output.getvalue()


@pytest.mark.parametrize(
    "row, passed",
    [
        (Row("3 kills", "trials lost", 0, most=0), True),
        (Row("3 kills", "trials lost", 1, most=0), False),
        (Row("3 kills", "trials complete", 5, least=6), False),
        (Row("3 kills", "trials complete", 6, least=6), True),
        (Row("3 kills", "seconds", 1e9), True),
        (Row("3 kills", "trials lost", float("nan"), most=0), False),
    ],
)
def test_a_figure_out_of_its_bounds_fails_the_drill(tmp_path, row, passed):
    found, output = outcome(tmp_path, row)
    assert found == passed and ("✗" in output) != passed and "3 kills" in output


def test_an_error_in_a_part_fails_the_drill_and_keeps_its_figures(tmp_path):
    passed, output = outcome(tmp_path, Row("3 kills", "seconds", 7), error=OSError("gone"))
    assert not passed and "seconds" in output and "OSError: gone" in output


def test_every_module_without_an_underscore_is_a_part():
    assert all(map(callable, parts().values()))
