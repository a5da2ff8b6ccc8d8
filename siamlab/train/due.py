"""Due: what there is to do after a step, besides the next one.

due = due_after(done, run, distributed.any_of(stopped()))
"""

from typing import NamedTuple

from siamlab.run import Run


class Due(NamedTuple):
    stop: bool  # asked for by a signal; the last step ends the run anyway
    probe: bool
    log: bool
    save: bool  # a checkpoint to resume from
    keep: bool  # the encoder as it is now


def due_after(done: int, run: Run, stopped: bool) -> Due:
    """Return what is due once `done` steps are."""
    last = done == run.steps
    stop = stopped and not last
    probe = run.probe_every > 0 and (done % run.probe_every == 0 or last)
    return Due(
        stop=stop,
        probe=probe,
        log=done % run.log_every == 0 or done == 1 or last or probe,
        save=done % run.save_every == 0 or last or stop,
        keep=run.keep_every > 0 and done % run.keep_every == 0,
    )
