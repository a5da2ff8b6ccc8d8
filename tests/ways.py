"""The ways in which views are multiplied out of images, each of which works on any machine."""

from siamlab import colour, crop

WAYS = ("bands", "bands in matrices", "as a GPU does")


def multiply(way, monkeypatch):
    """Products go this way from now on, whatever the size and the device."""
    monkeypatch.setattr(crop, "LARGE", 5 if way == "bands" else 10**6)
    for module in (crop, colour):
        monkeypatch.setattr(module, "on_processor", lambda tensor: way != "as a GPU does")
