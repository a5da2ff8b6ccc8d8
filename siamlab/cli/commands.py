"""The functions behind the commands; each imports what it needs, so that `--help` is fast."""

import os
import shlex
import subprocess
import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siamlab.run import Run


def train_run(options: Namespace) -> int:
    """Train a run with a progress bar."""
    from siamlab.cli.words import check_recipe, check_start, device_words, run_file

    if options.resume and (file := run_file(options.recipe)):
        options.recipe, options.out = file, options.out or options.recipe
    check_recipe(options.name, options.recipe)
    if not options.resume:  # a run that goes on needs them no more
        check_start(options.words)
    from siamlab.machine import distributed
    from siamlab.machine.terminal import say, tell
    from siamlab.train import RunFolder, Stopped, steps
    from siamlab.train.bar import follow

    distributed.start()  # before the bar, which only one process draws
    options.words = device_words(options.device, options.words)
    run = chosen_run(options)
    out = options.out or f"runs/{run.name}"
    if options.resume and not RunFolder(out).made() and distributed.is_main():
        RunFolder(out).check_free()
        tell(f"siamlab: there is no run in {out} yet, so a new one starts")
    try:
        follow(run, steps(run, out, resume=options.resume))
    except Stopped as stop:
        if distributed.is_main():
            tell(f"siamlab: {stop}")
        return 130
    if distributed.is_main():
        say(f"The run is in {out}; `siamlab probe {shlex.quote(str(out))}` measures it.")
    return 0


def show_run(options: Namespace) -> None:
    """Print a run as TOML."""
    from siamlab.cli.show import show

    show(chosen_run(options))


def print_axes(options: Namespace) -> None:
    """Print the axes, or one of them."""
    from siamlab.cli import axes

    axes.print_axes(options.axis)


def probe(options: Namespace) -> None:
    """Probe models and print the table."""
    from siamlab.cli.words import probe_words

    models, words = probe_words(options.words)
    from siamlab.cli.probe import Options, probe_models

    limits = options.images, options.test_images
    where = options.out, options.device, options.precision, options.data
    chosen = Options(not options.no_weights, *limits, options.suite, options.size, *where)
    probe_models(models, words, chosen)


def embed(options: Namespace) -> None:
    """Write the features of images under one model."""
    from siamlab.cli.words import check_model, data_words

    check_model(options.model)
    words = data_words("embed", options.words)
    from siamlab.cli.embed import Options, embed_images

    chosen = Options(
        options.out, options.split, options.images, options.patches, options.size, options.data,
        options.device, options.precision,
    )  # fmt: skip
    embed_images(options.model, words, chosen)


def export(options: Namespace) -> None:
    """Write a model for other programs."""
    from siamlab.cli.words import check_model

    check_model(options.model)
    from siamlab.cli.probe import print_about
    from siamlab.evaluate.export import check_export, export_model
    from siamlab.evaluate.models import open_model
    from siamlab.machine.files import expanded
    from siamlab.machine.terminal import say
    from siamlab.probe import inputs

    check_export(options.to, options.size, expanded(options.model))
    named = open_model(options.model, size=options.size)
    print_about([named])
    path, (height, width) = export_model(named, options.to), inputs(named.model).size
    tokens = named.model.num_features
    say(f"{path.resolve()}: {height} × {width} pixels in, tokens of {tokens} out")


def view(options: Namespace) -> None:
    """Look at photographs through models, in the browser."""
    from siamlab.cli.words import view_words

    models, photos, words = view_words(options.words, bool(options.study))
    from siamlab.cli.view import Options, view

    where = options.port, options.device, options.browser, options.size
    view(models, photos, words, Options(*where, options.data, options.images, tuple(options.study)))


def import_run(options: Namespace) -> None:
    """Make a run's folder of a whole checkpoint of another program."""
    from siamlab.machine.terminal import say
    from siamlab.train.releases.read import import_release

    out = options.out or f"runs/{Path(options.file).stem}"
    imported = import_release(options.file, out, options.words)
    say(imported.about)
    say(f"The run is in {out}; `siamlab probe {shlex.quote(str(out))}` measures it.")


def export_demo(options: Namespace) -> None:
    """Write a folder for a web host, whose page runs models in the visitor's browser."""
    from siamlab.cli.words import check_model

    names = options.models or [f"zoo:{name}" for name in ("siameseim", "mae", "moco_v3")]
    for name in names:
        check_model(name)
    from siamlab.cli.site import export_site

    export_site(names, options.to, options.data, options.size, options.runtime)


def print_data(options: Namespace) -> None:
    """List the image sources, or describe one."""
    verb, *rest = options.words or ["list"]
    if verb not in ("list", "info") or (verb == "info") != bool(rest):
        from siamlab.component import UserError

        raise UserError(
            f"data {' '.join(options.words)!r} is not understood; write `siamlab data list` or "
            "`siamlab data info NAME [data.key=value ...]`"
        )
    from siamlab.cli import axes

    axes.print_source(*rest) if rest else axes.print_sources()


def manage_cache(options: Namespace) -> None:
    """List the cache of decoded images, or remove parts of it."""
    verb, *names = options.words or ["list"]
    chosen = bool(names) or options.all or options.unused is not None
    if verb not in ("list", "remove") or (verb == "list" and chosen):
        from siamlab.component import UserError

        raise UserError(
            "cache takes nothing, or `remove` and what is to be removed: names of entries, --all, "
            "or --unused DAYS"
        )
    from siamlab.cli import cache

    if verb == "list":
        cache.print_cache()
    else:
        cache.remove_entries(names, options.all, options.unused)


def run_demo(options: Namespace) -> int:
    """Run the demo at one of its sizes."""
    from siamlab.component import UserError

    if options.words and not options.data:
        raise UserError(f"demo takes {options.words[0]!r} only with --data NAME, as --data cifar10")
    from siamlab.machine import workers

    workers.warm()
    from siamlab.cli.words import device_words

    words = device_words(options.device, options.words)  # before any image is read
    from siamlab.cli.demo import DEMO, LONG, SMALLEST, demo, photographs

    scale = LONG if options.long else SMALLEST if options.smallest else DEMO
    if options.data:
        scale = photographs(options.data)
    out = options.out or f"runs/{scale.name}"
    return demo(scale.change(*words), out, options.precision)


def open_lab(options: Namespace) -> int:
    """Open JupyterLab on the notebooks."""
    from siamlab.component import UserError

    if find_spec("jupyterlab") is None:
        raise UserError("lab needs JupyterLab; pip install 'siamlab[notebook]' adds it")
    if not Path(options.folder).is_dir():
        raise UserError(
            f"there is no folder {options.folder} here; siamlab's notebooks are in its repository: "
            "change to it, or name a folder with --folder"
        )
    environment = dict(os.environ)
    if options.device:
        from siamlab.machine.device import VARIABLE, device_named

        device_named(options.device)
        environment[VARIABLE] = options.device
    return subprocess.call([sys.executable, "-m", "jupyterlab", options.folder], env=environment)


def chosen_run(options: Namespace) -> "Run":
    """Return the run that a recipe or a TOML file, a size and the words make."""
    from siamlab.cli.words import check_recipe

    check_recipe(options.name, options.recipe)
    from siamlab.recipes import RECIPES, demo_size, photo_size
    from siamlab.run import Run

    named = RECIPES.get(options.recipe)
    run = named() if named else Run.read(options.recipe)
    sized = demo_size(run) if options.small else photo_size(run) if options.photos else run
    return sized.change(*options.words)


def print_schema(options: Namespace) -> None:
    """Print the JSON schema of a run."""
    import json

    from siamlab.run.schema import run_schema

    print(json.dumps(run_schema(), indent=1))


def print_completion(options: Namespace) -> None:
    """Print the completion script of a shell."""
    from siamlab.cli.completion import completion_script

    print(completion_script(options.shell, options.top))
