"""Batches: uint8 images on the training device, in an order that depends on seed and step only.

for batch in Batches(images.pixels, run, device).read(first): ...      # [B, 3, H, W] uint8
"""

import time
from collections.abc import Iterator
from functools import lru_cache
from queue import Queue
from threading import Event, Thread

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.machine import distributed
from siamlab.machine.memory import read_ahead
from siamlab.machine.sums import check_rows
from siamlab.run import Run
from siamlab.train.seeds import generator

AHEAD = 3  # batches that are read in advance


class Batches:
    """This process's share of each batch, read ahead by a thread; `waited` counts seconds."""

    def __init__(self, pixels: UInt8[Tensor, "n 3 H W"], run: Run, device: torch.device):
        if len(pixels) < run.batch:
            raise UserError(
                f"batch={run.batch} is more than the {len(pixels)} training images of "
                f"data={run.data.kind}; set batch to at most {len(pixels)} or add images"
            )
        self.run = run
        self.device = device
        fits = _fits(pixels, device)
        if fits:
            check_rows(pixels)
        self.pixels: UInt8[Tensor, "n 3 H W"] = pixels.to(device) if fits else pixels
        self.waited: float = 0.0  # seconds

    def read(self, first: int) -> Iterator[UInt8[Tensor, "b 3 H W"]]:
        """Yield the batches of the steps from `first` on."""
        queue, stop = Queue(maxsize=AHEAD), Event()
        reader = Thread(target=self._fill, args=(queue, stop, first), daemon=True)
        reader.start()
        try:
            for _ in range(first, self.run.steps):
                before = time.perf_counter()
                batch = queue.get()
                self.waited += time.perf_counter() - before
                if isinstance(batch, BaseException):
                    raise batch
                yield batch.to(self.device, non_blocking=True)
        finally:
            stop.set()
            while reader.is_alive():  # a process that ends while it is in torch is aborted
                while not queue.empty():
                    queue.get()
                reader.join(timeout=0.01)

    def _fill(self, queue: Queue, stop: Event, first: int) -> None:
        try:
            for step in range(first, self.run.steps):
                if stop.is_set():
                    return
                index = share(order(step, len(self.pixels), self.run.batch, self.run.seed))
                read_ahead(self.pixels, index)
                check_rows(self.pixels, index)
                if self.pixels.is_cuda:  # pinned, so that the copy does not block
                    index = index.pin_memory().to(self.device, non_blocking=True)
                batch = self.pixels[index]
                queue.put(batch.pin_memory() if _pins(batch, self.device) else batch)
        except BaseException as error:  # raised by `read`, in the main thread
            queue.put(error)


def order(step: int, images: int, batch: int, seed: int) -> Int64[Tensor, " B"]:
    """Return the images of a step: a new permutation each epoch, its incomplete end left out."""
    epoch, place = divmod(step, images // batch)
    return permutation(images, epoch, seed)[place * batch : (place + 1) * batch]


@lru_cache(maxsize=1)  # 1.3 M images take 10 ms, too long for every step
def permutation(images: int, epoch: int, seed: int) -> Int64[Tensor, " n"]:
    """Return the order of all images in one epoch."""
    return torch.randperm(images, generator=generator(seed, "order", epoch))


def share(index: Int64[Tensor, " B"]) -> Int64[Tensor, " b"]:
    """Return the part of a batch that this process trains on."""
    return index.chunk(distributed.count())[distributed.rank()]


def _fits(pixels: Tensor, device: torch.device) -> bool:
    """Return whether the whole set takes less than half of the free memory of a GPU."""
    if device.type != "cuda":
        return False
    return pixels.numel() < torch.cuda.mem_get_info(device)[0] // 2


def _pins(batch: Tensor, device: torch.device) -> bool:
    return device.type == "cuda" and batch.device.type == "cpu"
