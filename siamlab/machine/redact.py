"""Passwords of databases are left out of everything that is printed.

without_passwords("no postgresql://me:secret@host/lab")   # "no postgresql://me:***@host/lab"
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

MASK = "***"
IN_URL = re.compile(r"(\w:/+[^\s:/@]*:)\S*@")  # scheme:/user:...@
NAME = r"(\b(?:\w*(?:password|passwd|passphrase|pwd)\w*|pass)\s*=\s*)"
AS_FIELD = re.compile(NAME + r"('[^']*'|[^\s&;'\"]+)", re.IGNORECASE)
TO_THE_END = re.compile(NAME + r"(.+)", re.IGNORECASE | re.DOTALL)
NO_HOST = re.compile(r":/+[^:/]*:(?!\d+(?:/|$))(.+)", re.DOTALL)  # no port of a host either
SHORT = 3  # letters; what is no longer is masked only where it stands in a URL


def without_passwords(text: str, *urls: str) -> str:
    """Return the text with every password masked: in URLs, and those of `urls` anywhere.

    The URLs may be wrong in any way, and the text may quote a part of one.
    """
    for secret in sorted({s for url in urls for s in _secrets(url)}, key=len, reverse=True):
        text = text.replace(f":{secret}@", f":{MASK}@").replace(f"={secret}", f"={MASK}")
        if len(secret) > SHORT:
            text = text.replace(secret, MASK)
    return AS_FIELD.sub(rf"\1{MASK}", IN_URL.sub(rf"\1{MASK}@", text))


def _secrets(url: str) -> Iterator[str]:
    """Yield what may be a password: the text between a colon and an @, and fields named so."""
    ends = [match.start() for match in re.finditer("@", url)]
    spans = [url[i.end() : end] for i in re.finditer(":", url) for end in ends if end > i.end()]
    if not ends:  # the rest was forgotten: scheme://user:...
        spans = [part for m in NO_HOST.finditer(url) for part in (m[1], *re.split(r"[/?#&]", m[1]))]
    fields = [m[2] for form in (AS_FIELD, TO_THE_END) for m in form.finditer(url)]
    for span in [*(s for s in spans if not s.startswith("/")), *fields]:
        for form in (span, unquote(span), span.strip("'\"")):
            yield from {form, quote(form), repr(form)[1:-1]}
