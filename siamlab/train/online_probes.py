"""Online probes: the quick suite while a run trains, so that a poor run can be stopped early.

probes = online_probes(run)     # the images, drawn once
probes(model.encoder)           # {"probe/semantic": 0.21, "probe/knn": 0.31, ...}; {} if not asked

They are the probes of `siamlab probe` on fewer images: compare them within a run, or between runs
that were probed in the same way, but not with the numbers of a table.
"""

from collections.abc import Callable

from siamlab.component import UserError
from siamlab.data.images import Images, sample
from siamlab.model.encoder import Encoder
from siamlab.run import Run

Probes = Callable[[Encoder], dict[str, float]]


def online_probes(run: Run, images: Images | None = None, test: Images | None = None) -> Probes:
    """A function that probes an encoder on a sample of the run's images, the same each time.

    Raises UserError where training `images` are given without `test` images.
    """
    if not run.probe_every:
        return lambda encoder: {}
    if images is not None and test is None:
        raise UserError(
            f"probe_every={run.probe_every} needs test images too, and `images` are only for "
            "training; leave images out and name their source in run.data, or set probe_every=0"
        )
    train = sample(images or run.data("train"), _even(run.probe_images))
    test = sample(test or run.data("test"), _even(run.probe_images // 2))
    seen = run.data.evaluated(train, "train"), run.data.evaluated(test, "test")
    return lambda encoder: quick_scores(encoder, *seen)


def quick_scores(encoder: Encoder, train: Images, test: Images) -> dict[str, float]:
    """Return the quick suite's scores on frozen features under the keys "probe/..."."""
    from siamlab.probe.suite import probe_model

    found = probe_model(encoder.plain(), train, test)
    return {f"probe/{m.probe.key}": m.score.value for m in found}


def _even(count: int) -> int:
    """The even number below, since pairs of scenes stay together."""
    return count - count % 2
