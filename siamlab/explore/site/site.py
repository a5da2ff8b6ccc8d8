"""A folder for any web host, whose page answers in the visitor's browser on their own pictures.

write_site(open_models(["zoo:siameseim", "zoo:mae"]), photos_of(None), Path("site"))
python -m http.server -d site
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from siamlab.component import UserError
from siamlab.data import sample
from siamlab.evaluate.course import at_step, kept_steps
from siamlab.evaluate.export import check_onnx
from siamlab.evaluate.files import check_folder
from siamlab.evaluate.images import open_source
from siamlab.evaluate.models import NamedModel
from siamlab.explore.site.graph import write_graph
from siamlab.explore.site.runtime import VERSION, runtime_files
from siamlab.explore.view.photos import MOST_BYTES, Photo, encoded, photograph, shipped
from siamlab.explore.web.assets import site_files
from siamlab.figure.heat import STOPS
from siamlab.machine.files import atomic

MOST_STEPS = 6  # of a run, of which a page has the encoders
MOST_GRAPHS = 2**26  # bytes of the encoders of one run
PHOTOS = 24  # that a page offers at most, of other images than those inside the package
RUNTIME = "onnxruntime"
ORIGIN = (
    f"ONNX Runtime Web {VERSION}, MIT licence, (c) Microsoft Corporation; from npm's package "
    f"onnxruntime-web, unchanged\n"
)


def write_site(
    models: Sequence[NamedModel],
    photos: Sequence[Photo],
    folder: Path,
    archive: Path | None = None,
) -> Path:
    """Write the page, the models' graphs, the photographs and ONNX Runtime into a new folder.

    `archive` is the package of ONNX Runtime that `npm pack` writes; without it, it is downloaded
    once. Raises UserError for a folder that exists, models of one name, and a model whose layers
    cannot be read; nothing is then left behind.
    """
    check_site(folder)
    _check_names(models)
    runtime = runtime_files(archive)
    with atomic(folder) as draft:
        draft.mkdir()
        about = {
            "models": [_write_model(i, named, draft) for i, named in enumerate(models)],
            "photos": [_write_photo(i, photo, draft) for i, photo in enumerate(photos)],
            "stops": list(STOPS),
            "most_bytes": MOST_BYTES,
            "map": None,
        }
        (draft / "about.json").write_text(json.dumps(about), encoding="utf-8")
        for name, text in site_files().items():
            (draft / name).write_text(text, encoding="utf-8")
        (draft / RUNTIME).mkdir()
        for name, content in runtime.items():
            (draft / RUNTIME / name).write_bytes(content)
        (draft / RUNTIME / "ORIGIN").write_text(ORIGIN, encoding="utf-8")
    return folder


def check_site(folder: Path) -> None:
    """Raise UserError for a folder that cannot be made, before any work."""
    if folder.exists():
        raise UserError(f"--to {folder} exists; choose another name, or remove it")
    if not folder.resolve().parent.is_dir():
        raise UserError(
            f"--to {folder}: the folder {folder.parent} does not exist; create it first"
        )
    check_folder(folder, "--to")
    check_onnx("export-demo")


def photos_of(data: str | None) -> list[Photo]:
    """Return test images of a folder or source by name; by default those inside the package."""
    if data is None:
        return shipped()
    pixels = sample(open_source(data, [])("test"), PHOTOS).pixels
    return [photograph(f"{Path(data).name} {i}", torch.clone(p)) for i, p in enumerate(pixels, 1)]


def _check_names(models: Sequence[NamedModel]) -> None:
    names = [named.name for named in models]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name!r} is named twice; a demo shows each model once")


def _write_model(number: int, named: NamedModel, folder: Path) -> dict[str, Any]:
    """The graph of a model, and those of earlier steps that its run kept."""
    file, *earlier = f"model-{number}.onnx", *shown_steps(named)[:-1]
    facts = write_graph(named, folder / file)
    files = {step: f"model-{number}-step-{step}.onnx" for step in earlier}
    for step, name in files.items():
        write_graph(named._replace(model=at_step(named, step)), folder / name)
    about = {"name": named.name.removeprefix("zoo:"), "file": file, **facts._asdict()}
    return about | {"steps": shown_steps(named), "files": files}


def shown_steps(named: NamedModel) -> list[int]:
    """The first and last of the kept steps and some between, of which a demo has graphs.

    No more than MOST_STEPS, nor than MOST_GRAPHS bytes hold; empty where only the last one would be
    left, and for what kept no encoders.
    """
    size = sum(4 * parameter.numel() for parameter in named.model.parameters())
    steps, count = kept_steps(named), min(MOST_STEPS, MOST_GRAPHS // size)
    if len(steps) <= count:
        return steps
    places = (round(i * (len(steps) - 1) / (count - 1)) for i in range(count)) if count > 1 else ()
    return [steps[place] for place in places]


def _write_photo(number: int, photo: Photo, folder: Path) -> dict[str, Any]:
    file = f"photo-{number}.png"
    (folder / file).write_bytes(encoded(photo))
    return {"id": str(number), "name": photo.name, "side": photo.pixels.shape[1], "file": file}
