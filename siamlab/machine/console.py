"""Console: what every command prints to; a reader that goes early, as `head`, ends nothing.

Console().print(table)             # of rich; `say` of siamlab.machine.terminal prints a line
"""

from rich import console

from siamlab.machine.streams import discard


class Console(console.Console):
    """Rich's console, but for what happens when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Print no more, and go on, as a command may still have files to write.

        Rich ends the program with status 1 here.
        """
        self.quiet = True
        discard(self.file)
