"""Where a request came from and where it may go on to: this host, or nowhere."""

from urllib.parse import urlsplit

from flask import request


def safe_path(target: str) -> str | None:
    """``target`` if it is a path on this host and nothing else, else None (open redirects)."""
    if not target.startswith("/") or target.startswith("//") or len(target) > 2000:
        return None
    if "\\" in target or any(ord(char) < 0x21 or ord(char) == 0x7F for char in target):
        return None
    return target


def same_origin(url: str) -> bool:
    """Whether ``url`` has the scheme, host and port of this request (RFC 6454)."""
    try:
        parts = urlsplit(url)
        sent = (parts.scheme, parts.hostname, parts.port)
        own = urlsplit(request.host_url)
        return bool(parts.scheme) and sent == (own.scheme, own.hostname, own.port)
    except ValueError:
        return False


def own_referrer() -> str | None:
    """Path and query of the page one came from, if it is one of this origin."""
    referrer = request.headers.get("Referer", "")
    if not same_origin(referrer):
        return None
    parts = urlsplit(referrer)
    return safe_path((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
