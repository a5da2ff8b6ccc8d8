"""Protocols of the standard sets with other sizes and few steps, so that a test takes a moment."""


def shown_at(monkeypatch, cls, **sizes):
    """Give every protocol of a set these sizes; one that shows squares takes the shorter side."""
    chosen = {name: protocol._replace(**_own(protocol, sizes))
              for name, protocol in cls.protocols.items()}  # fmt: skip
    monkeypatch.setattr(cls, "protocols", chosen)


def _own(protocol, sizes):
    if recipe := getattr(protocol, "recipe", None):
        sizes = sizes | {"recipe": recipe._replace(steps=60, rate=0.1, batch=4, warm=6)}
    height, width = getattr(protocol, "size", (0, 1))
    return {"size": (min(sizes["size"]),) * 2} if height == width else sizes
