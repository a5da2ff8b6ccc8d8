"""Protocols of the standard sets with other sizes, at which a test takes a moment."""


def shown_at(monkeypatch, cls, **sizes):
    """Give every protocol of a set these sizes; one that shows squares takes the shorter side."""
    chosen = {name: protocol._replace(**_own(protocol, sizes))
              for name, protocol in cls.protocols.items()}  # fmt: skip
    monkeypatch.setattr(cls, "protocols", chosen)


def _own(protocol, sizes):
    height, width = getattr(protocol, "size", (0, 1))
    return {"size": (min(sizes["size"]),) * 2} if height == width else sizes
