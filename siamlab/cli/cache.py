"""The command `siamlab cache`: decoded images and features on the disk, and how to remove them.

print_cache()       remove_entries(["scenes-test-0123456789abcdef"], every=False, days=None)
"""

import shutil
from collections.abc import Iterable, Sequence

from rich.filesize import decimal
from rich.table import Table

from siamlab.component import UserError, unknown
from siamlab.data.cache import FEATURES, cache_root
from siamlab.data.entries import Entry, entries, remove
from siamlab.machine.console import Console
from siamlab.machine.shelf import VARIABLE, Group, bound, groups
from siamlab.machine.terminal import cell, say

Kept = Entry | Group


def print_cache() -> None:
    """List the decoded images, and the features of each model."""
    root = cache_root()
    images, features = entries(), groups(root / FEATURES)
    if not images and not features:
        say(f"The cache {root} is empty.")
        return
    if images:
        _print(f"{root}: decoded images, {_size(images)}", images)
    if features:
        most = decimal(bound(root / FEATURES))
        title = f"{root / FEATURES}: features, {_size(features)} of at most {most} ({VARIABLE})"
        _print(title, features)
    say("Entries are made again when they are needed. `siamlab cache remove NAME ...` removes some")


def remove_entries(names: Sequence[str], every: bool, days: int | None) -> None:
    """Remove entries by name, all, or those that were not opened for some days.

    Raises UserError for a name that the cache does not have, before anything is removed.
    """
    there = [*entries(), *groups(cache_root() / FEATURES)]
    found: dict[str, Kept] = {entry.name: entry for entry in there}
    for name in names:
        if name not in found:
            raise UserError(unknown(f"the cache {cache_root()} has no entry", name, found))
    if not (names or every or days is not None):
        raise UserError("cache remove needs names of entries, --all, or --unused DAYS")
    old = [e for e in found.values() if every or (days is not None and e.idle_days >= days)]
    unwanted = {entry.name: entry for entry in [*old, *(found[name] for name in names)]}
    busy = remove(entry for entry in unwanted.values() if isinstance(entry, Entry))
    _remove_features(entry for entry in unwanted.values() if isinstance(entry, Group))
    gone = [entry for entry in unwanted.values() if entry not in busy]
    say(f"removed: {len(gone)}, {_size(gone)}")
    if busy:
        say(f"left, since another process is making them: {', '.join(e.name for e in busy)}")


def _remove_features(unwanted: Iterable[Group]) -> None:
    """Remove cached features; a process writing there continues without them."""
    for group in unwanted:
        try:
            shutil.rmtree(group.path)
        except OSError as error:
            raise UserError(
                f"the entry {group.path} of the cache cannot be removed ({error.strerror}); remove "
                "it as the user who owns it"
            ) from None


def _print(title: str, found: Sequence[Kept]) -> None:
    model = ["model"] * isinstance(found[0], Group)
    table = Table("entry", *model, "images", "size", "unused for", title_justify="left")
    table.title = cell(title)
    for entry in found:
        images = "damaged" if entry.images is None else f"{entry.images:,}"
        about = [cell(entry.about)] if isinstance(entry, Group) else []
        table.add_row(cell(entry.name), *about, images, decimal(entry.size), _days(entry.idle_days))
    Console().print(table)


def _size(found: Sequence[Kept]) -> str:
    return decimal(sum(entry.size for entry in found))


def _days(days: float) -> str:
    return f"{days:.0f} day{'s' * (round(days) != 1)}"
