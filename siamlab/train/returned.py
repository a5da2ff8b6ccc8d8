"""Returned: what choices of a user's own give back, tried once on a few images before a run begins.

check_returned(run, images, state)      # UserError: loss=mine: Mine must return ...
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Generator, Tensor, nn

from siamlab.component import UserError
from siamlab.data.images import Images
from siamlab.geometry import View
from siamlab.machine.wording import described
from siamlab.mask import MaskIndex
from siamlab.model.blocks import index_of
from siamlab.positions import Places
from siamlab.run import Run
from siamlab.run.choices import AXES
from siamlab.train.checkpoint import State

FEW = 8  # images that are tried
IMAGES = "siamlab.data.images.Images, whose pixels are bytes [n, 3, H, W] and labels [n]"
VIEWS = "two siamlab.geometry.View(image, box, flip): floats [B, 3, H, W] and [B, 4], flags [B]"
PLACES = "siamlab.positions.Places(own, query), floats [1, N, 4] and [B or 1, N, 4]"
TERMS = (
    "{name: term}, with one number of floats for each name, through which gradients flow to the "
    "prediction"
)


def own_images(run: Run) -> Images:
    """Return the run's training images; UserError where a choice of the user's own has others."""
    images: Any = run.data("train")
    pixels, labels = getattr(images, "pixels", None), getattr(images, "labels", None)
    fits = isinstance(images, Images) and isinstance(pixels, Tensor) and isinstance(labels, Tensor)
    if not fits or pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:
        _refuse(run, "data", IMAGES, pixels if fits else images)
    if labels.shape != (len(pixels),):
        _refuse(run, "data", f"{IMAGES}, as many as there are images", labels)
    return images


def check_returned(run: Run, images: Images, state: State) -> None:
    """Try the choices of the user's own; raises UserError for one that returns what none may.

    Those of siamlab are not tried. Nothing that a run depends on is changed.
    """
    own = {axis for axis in AXES if _is_own(run, axis)}
    if not own:
        return
    rng = Generator().manual_seed(0)
    batch = images.pixels[: min(FEW, run.batch // run.compute.accumulate)].clone()
    context, target = _views(run, batch, rng)
    mask = run.masking.checked(run.masking(len(batch), run.grid, rng), len(batch), run.grid)
    places = _places(run, context, target)
    index = MaskIndex(*map(index_of, mask))
    _check_terms(run, len(batch), index.predict.shape[1])
    if {"target", "prediction"} & own:
        _check_goals(run, state, context, target, places, index)


def _views(run: Run, batch: Tensor, rng: Generator) -> tuple[View, View]:
    pair, count = run.views(batch, run.size, run.colour, rng), len(batch)
    views = pair if isinstance(pair, tuple | list) else ()
    if len(views) != 2 or not all(isinstance(view, View) for view in views):
        _refuse(run, "views", VIEWS, pair)
    for image, box, flip in views:
        if not _is(image, torch.float32, count, 3, *run.size):
            own = "colour" if _is_own(run, "colour") and not _is_own(run, "views") else "views"
            _refuse(run, own, f"images as floats {[count, 3, *run.size]}", image)
        if not _is(box, torch.float32, count, 4):
            _refuse(run, "views", VIEWS, box)
        if not _is(flip, torch.bool, count):
            _refuse(run, "views", VIEWS, flip)
    return views[0], views[1]


def _places(run: Run, context: View, target: View) -> Places:
    places, shape = run.positions(context, target, run.grid), (run.grid[0] * run.grid[1], 4)
    if not isinstance(places, Places):
        _refuse(run, "positions", PLACES, places)
    for count, place in (((1,), places.own), ((1, len(context.box)), places.query)):
        if not any(_is(place, torch.float32, n, *shape) for n in count):
            _refuse(run, "positions", PLACES, place)
    return places


def _check_terms(run: Run, count: int, patches: int) -> None:
    """Raise UserError for a loss whose terms cannot be added and followed backwards."""
    for part, width in zip(run.prediction.parts, run.target.widths(run), strict=True):
        shape = count, patches if part.head.per == "patch" else 1, width
        rng = Generator().manual_seed(0)
        pred = torch.randn(*shape, generator=rng).requires_grad_()
        terms = run.loss(pred, torch.randn(*shape, generator=rng))
        if not isinstance(terms, dict) or not terms:
            _refuse(run, "loss", TERMS, terms)
        for name, term in terms.items():
            if not isinstance(name, str) or not isinstance(term, Tensor):
                _refuse(run, "loss", TERMS, term if isinstance(name, str) else name)
            if term.ndim or not term.is_floating_point():
                _refuse(run, "loss", TERMS, term)
        if not sum(terms.values()).requires_grad:
            _refuse(run, "loss", TERMS, "numbers without gradient")


@torch.no_grad()
def _check_goals(
    run: Run, state: State, context: View, target: View, places: Places, index: MaskIndex
) -> None:
    """Raise UserError where the target has no goal of the shape of each prediction."""
    device = next(state.model.parameters()).device
    context, target = (View(*(part.to(device) for part in view)) for view in (context, target))
    places = Places(*(part.to(device) for part in places))
    index = MaskIndex(*(part.to(device) for part in index))
    with _unchanged(state.model, state.teacher):
        pred = state.model(context.image, places, index)
        goal = state.teacher(target, places.own, index.predict)
    wanted = [list(p.shape) for p in pred]
    found = [_shape(g) for g in goal] if isinstance(goal, tuple | list) else _shape(goal)
    if found != wanted:
        axis = "target" if _is_own(run, "target") else "prediction"
        what = "a teacher with one goal for each head, shaped as its prediction"
        _refuse(run, axis, f"{what}, {wanted}", f"goals {found}")


@contextmanager
def _unchanged(*networks: nn.Module) -> Iterator[None]:
    """Keep running statistics and random numbers as they are."""
    modes = {module: module.training for network in networks for module in network.modules()}
    try:
        for network in networks:
            network.eval()
        with torch.random.fork_rng():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _is_own(run: Run, axis: str) -> bool:
    return not type(getattr(run, axis)).__module__.startswith("siamlab.")


def _is(x: Any, kind: torch.dtype, *shape: int) -> bool:
    return isinstance(x, Tensor) and x.dtype == kind and tuple(x.shape) == shape


def _shape(x: Any) -> Any:
    return list(x.shape) if isinstance(x, Tensor) else described(x)


def _refuse(run: Run, axis: str, what: str, got: Any) -> NoReturn:
    choice = getattr(run, axis)
    found = got if isinstance(got, str) else described(got)
    raise UserError(
        f"{axis}={choice.kind}: {type(choice).__name__} must return {what}; got {found}"
    )
