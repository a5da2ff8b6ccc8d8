"""Pages of the places on which two configurations of a study disagree most, with the truth.

links = write_match_pages([("UniGrad", "cosine")], folders, test, out, device)
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import polars as pl
import torch
from jaxtyping import UInt8
from torch import Generator, Tensor

from siamlab import figure
from siamlab.data import Images, sample
from siamlab.evaluate.models import open_model
from siamlab.geometry import View
from siamlab.machine.sums import text_sum
from siamlab.probe import Features, features
from siamlab.probe.pairs import crop_pairs
from siamlab.report.page import Section, write_report
from siamlab.report.pictures import to_show
from siamlab.study.definition import FixedStudy
from siamlab.study.images import study_images
from siamlab.study.run_page import LIBRARY
from siamlab.train import RunFolder

FOLDER = "matches"  # in the folder of the study
IMAGES = 24  # test images, of each of which two crops are compared
SHOWN = 8  # places
LONGEST = 80  # letters of a label in the name of a file

DETAILS = """\
The first seed of each. Two crops are cut from each of {images} test images, so that the true \
place of each patch is known. Mean distance of all matches from it, in patches: {means}. Below are \
the places on which the two differ most, one of each image: they show how a configuration fails, \
not how often."""

MATCHES = """\
Each comparison leads to the places on which its two configurations disagree most, with the truth: \
two crops of test images, the true place of a patch, and where each finds it."""


def matches_section(
    definition: FixedStudy,
    compared: pl.DataFrame,
    folders: Mapping[str, RunFolder],
    out: Path,
    device: torch.device,
) -> Iterator[Section]:
    """Link each comparison to its page of matches, where both encoders are on this machine."""
    folders = {point: folder for point, folder in folders.items() if folder.encoder.exists()}
    pairs = compared.select("base", "point").unique(maintain_order=True).rows()
    if pairs := [pair for pair in pairs if folders.keys() >= set(pair)]:
        points = definition.points()
        test = study_images(points[0].run.data, definition).test
        among = [point.label for point in points]
        links = write_match_pages(pairs, folders, test, out, device, among)
        table = pl.DataFrame({"comparison": list(links)})
        yield Section("Whose match is right?", MATCHES, table=table, links=links)


def write_match_pages(
    pairs: Sequence[tuple[str, str]],
    folders: Mapping[str, RunFolder],
    test: Images,
    out: Path,
    device: torch.device,
    among: Sequence[str] = (),
) -> dict[str, str]:
    """Write missing and outdated pages of pairs (base, changed) whose encoders are here.

    Returns the address of each page by the names of its pair. Colours are chosen among the
    configurations `among`.
    """
    size = max(folder.run().size for folder in folders.values())  # others resize the crops
    few = sample(test, IMAGES)
    a, b = next(crop_pairs(few.pixels, size, Generator().manual_seed(0)))
    drawn_on = [_to_show(few.pixels, view) for view in (a, b)]

    @lru_cache(maxsize=2)  # the base is in many pairs
    def both(name: str) -> tuple[Features, Features]:
        model = open_model(folders[name].path, device=device).model
        return _at_home(features(model, a.image)), _at_home(features(model, b.image))

    links = {}
    for base, changed in pairs:
        page = out / FOLDER / file_name(changed, base)
        encoders = [folders[name].encoder for name in (base, changed)]
        if not page.exists() or page.stat().st_mtime < max(e.stat().st_mtime for e in encoders):
            found = {name: both(name) for name in (base, changed)}
            every = figure.disagreement_table(found, a, b, each=None)
            table = figure.disagreement_table(found, a, b)
            drawn = figure.disagreement_figure(*drawn_on, table, SHOWN, among=among)
            words = [f"{n} {every.filter(model=n)['patches'].mean():.2f}" for n in found]
            text = DETAILS.format(images=len(few.labels), means="; ".join(words))
            title = f"{changed} against {base}"
            write_report(page, title, [Section("Whose match is right?", text, [drawn])],
                         out / LIBRARY)  # fmt: skip
        links[f"{changed} against {base}"] = f"{FOLDER}/{quote(page.name)}"
    return links


def file_name(changed: str, base: str) -> str:
    """Return the file of a pair, such as cosine-UniGrad-d25277a6.html.

    Its end is a checksum of both names: labels may differ only in signs, or be very long.
    """
    words = [_slug(name)[:LONGEST] for name in (changed, base)]
    return f"{'-'.join(words)}-{text_sum(json.dumps([changed, base]))}.html"


def _at_home(found: Features) -> Features:
    pooled, cls, patches, grid = found
    return Features(pooled.cpu(), cls.cpu(), patches.cpu(), grid)


def _to_show(pixels: UInt8[Tensor, "n 3 H W"], view: View) -> View:
    """The views with pictures as they are drawn."""
    each = [View(*(part[i : i + 1] for part in view)) for i in range(len(pixels))]
    shown = [to_show(image, one) / 255 for image, one in zip(pixels, each, strict=True)]
    return view._replace(image=torch.stack(shown))


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+]+", "-", name).strip("-") or "run"
