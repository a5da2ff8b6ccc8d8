"""Batches: uint8 images on the training device, in an order that only the seed and step decide.

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

from siamlab import processes
from siamlab.component import UserError
from siamlab.memory import read_ahead
from siamlab.run import Run
from siamlab.train.seeds import generator

AHEAD = 3  # batches read before they are asked for


class Batches:
    """This process's share of each batch, read ahead by a thread; `waited` adds up the waiting."""

    def __init__(self, pixels: UInt8[Tensor, "n 3 H W"], run: Run, device: torch.device):
        if len(pixels) < run.batch:
            raise UserError(
                f"batch={run.batch} is more than the {len(pixels)} training images of "
                f"data={run.data.kind}; set batch to at most {len(pixels)} or add images"
            )
        self.run, self.device = run, device
        self.pixels = pixels.to(device) if _fits(pixels, device) else pixels
        self.waited = 0.0  # seconds

    def read(self, first: int) -> Iterator[UInt8[Tensor, "b 3 H W"]]:
        """The batches of the steps from `first` on."""
        queue, stop = Queue(maxsize=AHEAD), Event()
        reader = Thread(target=self._fill, args=(queue, stop, first), daemon=True)
        reader.start()
        try:
            for _ in range(first, self.run.steps):
                asked = time.perf_counter()
                batch = queue.get()
                self.waited += time.perf_counter() - asked
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
                if self.pixels.is_cuda:  # pinned, so that nobody waits
                    index = index.pin_memory().to(self.device, non_blocking=True)
                batch = self.pixels[index]
                queue.put(batch.pin_memory() if _pins(batch, self.device) else batch)
        except BaseException as error:  # it must not die unseen in its thread
            queue.put(error)


def order(step: int, images: int, batch: int, seed: int) -> Int64[Tensor, " B"]:
    """Which images a step sees: a fresh permutation each epoch, its incomplete end left out."""
    epoch, place = divmod(step, images // batch)
    return permutation(images, epoch, seed)[place * batch : (place + 1) * batch]


@lru_cache(maxsize=1)  # of 1.3 M images it takes 10 ms, which every step would pay
def permutation(images: int, epoch: int, seed: int) -> Int64[Tensor, " n"]:
    """The order of all images in one epoch."""
    return torch.randperm(images, generator=generator(seed, "order", epoch))


def share(index: Int64[Tensor, " B"]) -> Int64[Tensor, " b"]:
    """The part of a batch that this process trains on."""
    return index.chunk(processes.count())[processes.rank()]


def _fits(pixels: Tensor, device: torch.device) -> bool:
    """Whether the whole set takes less than half of the free memory of a GPU."""
    if device.type != "cuda":
        return False
    return pixels.numel() < torch.cuda.mem_get_info(device)[0] // 2


def _pins(batch: Tensor, device: torch.device) -> bool:
    return device.type == "cuda" and batch.device.type == "cpu"
