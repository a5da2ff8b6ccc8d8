"""Commands of siamlab in processes that can be stopped and killed.

    run = Command("study", "run", file)  # or Interpreter(...)
    run.send(signal.SIGKILL)
    printed = run.finish()

A `Command` is forked from the server of `siamlab.machine.workers`, and its workers from itself, so
that torch is loaded once for all tests; an `Interpreter` is what a user starts in a terminal.
"""

import os
import select
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe, get_context

from siamlab.machine import workers

# Ctrl-C is ignored in what a shell starts in the background, so it is put back
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from siamlab.cli.main import main; sys.exit(main())"
)


class Command:
    """`siamlab *words` in a process group of its own."""

    def __init__(self, *words):
        self.printed = ""
        self._output, write = Pipe(duplex=False)
        self.process = self._start([str(word) for word in words], write)
        self.pid = self.process.pid
        write.close()

    def _start(self, words, write):
        workers.warm()
        process = workers.CONTEXT.Process(target=_run, args=(dict(os.environ), words, write))
        process.start()
        return process

    @property
    def status(self):
        """The exit status, or None while it runs."""
        return self.process.exitcode

    def send(self, number):
        os.kill(self.pid, number)

    def read_until(self, text, seconds=300):
        """Wait until it has printed this."""
        until = time.monotonic() + seconds
        while text not in self.printed and self._read(until):
            pass
        assert text in self.printed, self.printed

    def finish(self, seconds=500):
        """Return the output, once the process and the workers that share it have ended."""
        until = time.monotonic() + seconds
        while self._read(until):
            pass
        self._wait()
        return self.printed

    def _read(self, until):
        """Return whether there is more to come."""
        if not select.select([self._output], [], [], max(0, until - time.monotonic()))[0]:
            self.process.kill()
            raise AssertionError(f"neither words nor an end: {self.printed}")
        part = os.read(self._output.fileno(), 65536)
        self.printed += part.decode(errors="replace")
        return bool(part)

    def _wait(self):
        self.process.join()


class Interpreter(Command):
    """The same in a Python of its own."""

    def _start(self, words, write):
        output = {"stdout": write.fileno(), "stderr": subprocess.STDOUT}
        words = [sys.executable, "-c", PROGRAM, *words]
        return subprocess.Popen(words, start_new_session=True, **output)

    @property
    def status(self):
        return self.process.poll()

    def _wait(self):
        self.process.wait()


def _run(environment, words, write):
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    for number in (1, 2):
        os.dup2(write.fileno(), number)
    write.close()
    sys.stdout, sys.stderr = (open(n, "w", buffering=1, closefd=False) for n in (1, 2))
    if workers.FORKS:  # its own workers need no server either
        workers.CONTEXT, workers.FORKS = get_context("fork"), False
    from siamlab.cli.main import main

    sys.exit(main(words))
