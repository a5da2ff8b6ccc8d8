"""Flips: of random bits flipped in every kind of file, none changes anything unnoticed."""

import json
import os
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import torch

from drill import Row
from drill._tiny import tiny
from siamlab.component import UserError
from siamlab.data import Images
from siamlab.data.cache import cached
from siamlab.data.images import Objects
from siamlab.evaluate.files import keep_rows
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.machine.sums import unsigned
from siamlab.train import RunFolder, checkpoint, train
from siamlab.train.device import build
from siamlab.train.resume import finished

Read = Callable[[], Any]  # what is in the file, to be compared by ==


def drill(scratch: Path, short: bool) -> Iterator[Row]:
    os.environ["SIAMLAB_CACHE"] = str(scratch / "cache")
    flips = 100 if short else 1000
    run = tiny("siameseim")
    folder = train(run, scratch / "run")
    named = {str(folder.path): NamedModel("run", None, None)}
    keep_rows(scores(), named)
    rng = random.Random(0)
    kinds = list(of_a_run(folder)) + list(of_the_cache(scratch / "cache"))
    for name, file, read in kinds:
        silent, refused, said, same = tally(file, read, flips, rng)
        yield Row(f"{flips} flips, {name}", "unnoticed changes", silent, 0)
        counts = f"refused {refused}, said {said}, unchanged"
        yield Row(f"{flips} flips, {name}", counts, same)


def scores() -> pl.DataFrame:
    row = dict(model="run", layer=None, head=None, probe="knn", protocol="p", value=0.25)
    return pl.DataFrame([row, row | {"probe": "linear", "value": 0.5}])


def tally(file: Path, read: Read, flips: int, rng: random.Random) -> tuple[int, int, int, int]:
    """Count flips that went unnoticed, were refused, were reported, or had no effect."""
    whole, text = read(), file.read_bytes()
    silent = refused = said = same = 0
    for _ in range(flips):
        damaged, place = bytearray(text), rng.randrange(len(text))
        damaged[place] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as words:
            warnings.simplefilter("always")
            try:
                found = read()
            except UserError:
                refused += 1
            else:
                said += bool(words)
                same += not words and found == whole
                silent += not words and found != whole
        file.write_bytes(text)
    assert read() == whole
    return silent, refused, said, same


def of_a_run(folder: RunFolder) -> Iterator[tuple[str, Path, Read]]:
    """Yield a name, a file, and what reads it, for every kind of file of a run."""
    run, last = folder.run(), checkpoint.found(folder.checkpoints)[-1]

    def encoder() -> Any:
        assert finished(run, folder) or open_model(folder.path)
        named = open_model(folder.path)
        return [v.numpy().tobytes() for v in named.model.state_dict().values()], named.run

    def restored() -> Any:
        state = build(run, torch.device("cpu"))
        newest, problems = checkpoint.newest(folder.checkpoints)
        for problem in problems:
            warnings.warn(problem, stacklevel=1)
        step = checkpoint.restore(newest, state)
        tensors = [*state.model.state_dict().values(), *state.teacher.state_dict().values()]
        tensors += [v for s in state.optimiser.state.values() for v in s.values()]
        return step, [v.numpy().tobytes() for v in tensors]

    def probes() -> Any:
        before = (folder.path / "probes.json").read_bytes()
        keep_rows(scores().head(0), {str(folder.path): NamedModel("run", None, None)})
        rows = [unsigned(r) for r in json.loads((folder.path / "probes.json").read_bytes())]
        (folder.path / "probes.json").write_bytes(before)
        return rows

    yield "encoder.safetensors", folder.encoder, encoder
    yield "run.toml", folder.run_file, folder.run
    yield "metrics.jsonl", folder.metrics, folder.lines
    yield "environment.json", folder.environment, folder.about
    yield "probes.json", folder.path / "probes.json", probes
    for name in (*sorted(checkpoint.FILES), "checksums.json"):
        yield name, last / name, restored


def of_the_cache(cache: Path) -> Iterator[tuple[str, Path, Read]]:
    """Yield the same for every kind of file of an entry of the cache, small and with all arrays."""
    rng = torch.Generator().manual_seed(0)
    pixels, masks = (torch.randint(256, s, generator=rng) for s in ((9, 3, 8, 8), (9, 8, 8)))
    box, flip = torch.rand(9, 2, 4, generator=rng), torch.rand(9, 2, generator=rng) < 0.5
    objects = Objects(torch.arange(18).view(9, 2), box, flip)
    drawn = Images(pixels.byte(), torch.arange(9), masks.byte(), ("a", "b"), ("c",), objects)

    def images() -> Any:
        found = cached({"kind": "drill", "split": "train"}, lambda _: [drawn])
        arrays = [*found[:3], *found.objects]
        return [a.numpy().tobytes() for a in arrays], found.classes, found.regions

    images()
    entry = next(path for path in cache.glob("drill-*") if path.is_dir())
    for name in sorted(path.name for path in entry.iterdir()):
        yield f"cache, {name}", entry / name, images
