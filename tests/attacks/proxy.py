"""A shared cache in front of a site, as RFC 9111 allows it to be, and as keen to store as it allows.

What the RFC leaves to a cache is decided against the site: it keeps Set-Cookie (section 7.3
does not forbid it), and it takes whatever names no lifetime as good for a minute (section 4.2.2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.http import parse_cache_control_header, parse_date, parse_etags, parse_set_header

from tests.attacks.target import granted_by

#: What may be stored without being told so (RFC 9110 section 15.1).
_HEURISTICALLY_CACHEABLE = (200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501)
_HEURISTIC_SECONDS = 60


@dataclass(kw_only=True)
class Reply:
    """One answer, from the site or out of the store; ``stored_at`` is when the cache got it."""

    status: int
    headers: Headers
    text: str
    stored_at: datetime
    asked_with: Mapping[str, str] = field(default_factory=dict)
    was_stored: bool = False

    @property
    def granted(self) -> frozenset[str]:
        return granted_by(self.headers.getlist("Set-Cookie"), self.text)


class SharedCache:
    """Answers GET and HEAD for everybody from one store; ``honours_vary=False`` makes it a broken one."""

    def __init__(self, app: Flask, clock: Callable[[], datetime], *, honours_vary: bool = True) -> None:
        self._client = app.test_client(use_cookies=False)
        self._clock = clock
        self._honours_vary = honours_vary
        self._store: dict[str, list[Reply]] = {}
        self.hits = 0

    def open(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, data: object = None
    ) -> Reply:
        """The answer that a client behind the cache gets."""
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if method not in ("GET", "HEAD"):
            reply = self._forward(path, method, sent, data)
            if reply.status < 400:
                self._store.pop(path, None)  # section 4.4
            return reply
        stored = self._select(path, sent)
        if stored is not None and self._is_fresh(stored) and "no-cache" not in sent.get("cache-control", ""):
            self.hits += 1
            return _conditional(stored, sent)
        if stored is not None and stored.headers.get("ETag") and "if-none-match" not in sent:
            return self._validated(path, method, sent, stored)
        reply = self._forward(path, method, sent, data)
        self._keep(path, method, reply)
        return reply

    def _forward(self, path: str, method: str, sent: Mapping[str, str], data: object = None) -> Reply:
        answer = self._client.open(path, method=method, headers=dict(sent), data=data)
        return Reply(
            status=answer.status_code,
            headers=Headers(answer.headers),
            text=answer.text,
            stored_at=self._clock(),
            asked_with=sent,
        )

    def _validated(self, path: str, method: str, sent: Mapping[str, str], stored: Reply) -> Reply:
        """Ask the site whether what is stored still holds (section 4.3)."""
        reply = self._forward(path, method, {**sent, "if-none-match": stored.headers["ETag"]})
        if reply.status != 304:
            self._keep(path, method, reply)
            return reply
        for name, _ in reply.headers:
            stored.headers.setlist(name, reply.headers.getlist(name))
        stored.stored_at = reply.stored_at
        return stored

    def _keep(self, path: str, method: str, reply: Reply) -> None:
        """Section 3: when a response may be stored in a shared cache."""
        control = parse_cache_control_header(reply.headers.get("Cache-Control"))
        told = (
            "public" in control or "max-age" in control or "s-maxage" in control or "Expires" in reply.headers
        )
        forbidden = (
            method != "GET"
            or "no-store" in control
            or "private" in control
            or "no-store" in reply.asked_with.get("cache-control", "")
            or "*" in reply.headers.get("Vary", "")
        )
        if not forbidden and (told or reply.status in _HEURISTICALLY_CACHEABLE):
            reply.was_stored = True
            others = [one for one in self._store.get(path, []) if not self._matches(one, reply.asked_with)]
            self._store[path] = [*others, reply]

    def _select(self, path: str, sent: Mapping[str, str]) -> Reply | None:
        return next((one for one in self._store.get(path, []) if self._matches(one, sent)), None)

    def _matches(self, stored: Reply, sent: Mapping[str, str]) -> bool:
        """Section 4.1: whether the header fields that the stored answer varies by are the same."""
        if not self._honours_vary:
            return True
        names = parse_set_header(stored.headers.get("Vary"))
        return all(stored.asked_with.get(name.lower()) == sent.get(name.lower()) for name in names)

    def _is_fresh(self, stored: Reply) -> bool:
        """Section 4.2."""
        control = parse_cache_control_header(stored.headers.get("Cache-Control"))
        if "no-cache" in control:
            return False
        age = (self._clock() - stored.stored_at).total_seconds()
        for name in ("s-maxage", "max-age"):
            if name in control:
                return age < int(control[name] or 0)
        expires = parse_date(stored.headers.get("Expires"))
        if expires is not None:
            return self._clock() < expires
        return age < _HEURISTIC_SECONDS


def _conditional(stored: Reply, sent: Mapping[str, str]) -> Reply:
    """The stored answer, or 304 for a client that has it (section 4.3.2)."""
    etag = stored.headers.get("ETag")
    if etag is None or not parse_etags(sent.get("if-none-match")).contains_raw(etag):
        return stored
    return Reply(status=304, headers=stored.headers, text="", stored_at=stored.stored_at, was_stored=True)
