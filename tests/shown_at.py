"""Protocols of the standard sets with other sizes, at which a test takes a moment."""


def shown_at(monkeypatch, cls, **sizes):
    """Give every protocol of a set these sizes."""
    chosen = {name: protocol._replace(**sizes) for name, protocol in cls.protocols.items()}
    monkeypatch.setattr(cls, "protocols", chosen)
