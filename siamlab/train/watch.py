"""Watching: the quick suite's probes while a run trains, to know early whether to go on with it.

watched = watch(run)        # the images, drawn once
watched(model.encoder)      # {"probe/semantic": 0.21, "probe/knn": 0.31, ...}; {} if none are asked

The probes are those of `siamlab probe` on fewer images: a course of one run, or runs beside one
another, and not numbers to set beside those of a table.
"""

from collections.abc import Callable

from siamlab.component import UserError
from siamlab.data.images import Images, subset
from siamlab.model.encoder import Encoder
from siamlab.run import Run

Watched = Callable[[Encoder], dict[str, float]]


def watch(run: Run, given: Images | None = None, test: Images | None = None) -> Watched:
    """What measures an encoder on some of the run's images, the same ones each time.

    Raises UserError where the training images are `given` without the `test` images.
    """
    if not run.probe_every:
        return lambda encoder: {}
    if given is not None and test is None:
        raise UserError(
            f"probe_every={run.probe_every} needs test images too, and `images` are for training "
            "alone; leave images out and name their source in run.data, or set probe_every=0"
        )
    train = _some(given or run.data("train"), run.probe_images)
    test = _some(test or run.data("test"), run.probe_images // 2)
    return lambda encoder: probed(encoder, train, test)


def probed(encoder: Encoder, train: Images, test: Images) -> dict[str, float]:
    """The values of the quick suite's numbers on frozen features, "probe/..." each."""
    from siamlab.probe.suite import probe_model

    found = probe_model(encoder.plain(), train, test)
    return {f"probe/{m.probe}": m.score.value for m in found}


def _some(images: Images, most: int) -> Images:
    """No more than there are; an even number, for pairs of scenes stay together."""
    return subset(images, min(most - most % 2, len(images.labels)))
