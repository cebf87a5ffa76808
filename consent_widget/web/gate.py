"""The gate: the last word on every response, around ``app.wsgi_app``.

Only here are all cookies seen: ``after_request`` runs before Flask writes its
own session cookie, and neither errors nor streams pass a view's end.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from re import compile as compile_pattern
from threading import Lock
from typing import Any
from urllib.parse import quote

from flask import current_app, has_request_context, request
from werkzeug.http import parse_date, parse_list_header, parse_set_header

from .visit import SAVED, Environ, Host, Visit

logger = logging.getLogger("consent_widget.gate")

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class Gate:
    """Wraps a WSGI app so that no response stores a cookie that was not agreed to."""

    def __init__(self, app: WsgiApp, host: Host, start: Callable[[str], None]) -> None:
        self._app = app
        self._host = host
        self._start = start
        self._below = f"{host.deployment.settings.url_prefix}/"
        self._reported: set[str] = set()
        self._lock = Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        self._start(path)
        visit = environ[self._host.key] = Visit(self._host, environ)
        if path.startswith(self._below) or path == self._below[:-1]:
            visit.default_headers = self._host.default_headers
        if SAVED in environ.get("QUERY_STRING", ""):
            back = _after_save(visit)
            if back is not None:
                start_response("303 See Other", [("Location", back), ("Cache-Control", "no-store")])
                return [b""]

        def gated(status: str, headers: Headers, exc_info: Any = None) -> Any:
            headers = self._finish(visit, headers)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._app(environ, gated)

    def _finish(self, visit: Visit, headers: Headers) -> Headers:
        if any(name.lower() == "set-cookie" for name, _ in headers) and not _ungated():
            headers = [
                (name, value)
                for name, value in headers
                if name.lower() != "set-cookie" or self._may_pass(visit, value)
            ]
        headers = _cacheable(visit, list(headers))
        if visit.default_headers:
            # Here, after the host's own hooks had their say.
            present = {name.lower() for name, _ in headers}
            headers += [one for name, one in visit.default_headers.items() if name not in present]
        if visit.fixed_headers:
            headers = [one for one in headers if one[0].lower() not in visit.fixed_headers]
            headers += visit.fixed_headers.values()
        if visit.policy is not None:
            headers = [one for one in headers if one[0].lower() != "content-security-policy"]
            headers.append(("Content-Security-Policy", visit.policy))
        visit.headers_sent = True
        return headers

    def _may_pass(self, visit: Visit, set_cookie: str) -> bool:
        # Browsers ignore such a line (RFC 6265bis section 5.6); older ones cut it there and read another.
        if _CONTROL.search(set_cookie):
            return False
        if _deletes(set_cookie):
            return True
        pair = set_cookie.partition(";")[0]
        # A pair without = is a cookie without a name, whatever its value resembles.
        name = pair.partition("=")[0].strip(" \t") if "=" in pair else ""
        category = visit.host.deployment.register.category_of(name)
        if category is None:
            return self._undeclared(name)
        if visit.host.deployment.register[category].necessary:
            return True
        return visit.consent().granted(category)

    def _undeclared(self, name: str) -> bool:
        # Without a name the value is handed out alone: as a declared cookie, if it resembles one.
        blocks = not name or self._host.deployment.settings.undeclared_cookies == "block"
        with self._lock:
            if name not in self._reported and len(self._reported) < 1000:
                self._reported.add(name)
                logger.warning(
                    "The cookie %r is not declared in the register and was %s; declare it in a Category.",
                    name[:80],
                    "held back" if blocks else "let through",
                )
        return not blocks


#: Marks a view that answers for its cookies itself; functools.wraps hands it on to wrappers.
UNGATED = "__consent_widget_ungated__"


def _ungated() -> bool:
    if not has_request_context():
        return False
    return hasattr(current_app.view_functions.get(request.endpoint or ""), UNGATED)


_CONTROL = compile_pattern(r"[\x00-\x08\x0a-\x1f\x7f]")

#: As frameworks write it; what browsers could read in another way, or not at all, makes no deletion.
#: They pass over lengthy values, and take a month for one wherever it stands in a date.
_MAX_AGE = compile_pattern(r"-?[0-9]{1,20}")
_DATE = compile_pattern(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}, [0-9]{2}[ -][A-Za-z]{3}[ -]"
    r"(?:19[7-9][0-9]|[2-9][0-9]{3}|[7-9][0-9]) [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)


def _deletes(set_cookie: str) -> bool:
    """Whether a Set-Cookie removes its cookie (RFC 6265 sections 5.2 and 5.3).

    Max-Age goes before Expires, the last of several before the others. One that
    cannot be read counts as a cookie that is stored: browsers differ there.
    """
    max_age = expires = None
    for attribute in set_cookie.split(";")[1:]:
        name, _, value = (part.strip(" \t") for part in attribute.partition("="))
        if name.lower() == "max-age":
            if not _MAX_AGE.fullmatch(value):
                return False
            max_age = value
        elif name.lower() == "expires":
            if not _DATE.fullmatch(value):
                return False
            expires = parse_date(value)
    if max_age is not None:
        return max_age.startswith("-") or not max_age.strip("0")
    # By the real clock, as the browser will: a host's own clock may run elsewhere.
    return expires is not None and expires <= datetime.now(UTC)


def _cacheable(visit: Visit, headers: Headers) -> Headers:
    """Say honestly who may keep the response."""
    if visit.public_seconds is not None:
        personal = visit.consent_read or any(
            name.lower() == "set-cookie" or (name.lower() == "vary" and "cookie" in value.lower())
            for name, value in headers
        )
        value = "private, no-cache" if personal else f"public, max-age={visit.public_seconds}"
        headers = [one for one in headers if one[0].lower() != "cache-control"] + [("Cache-Control", value)]
    fields = ["Accept-Language"] if visit.language_from_header else []
    if visit.consent_read:
        return _private(_vary(headers, [*fields, "Cookie", "Sec-GPC"]))
    visit.declared_private = any(
        name.lower() == "cache-control" and ("private" in value.lower() or "no-store" in value.lower())
        for name, value in headers
    )
    return _vary(headers, fields) if fields else headers


def _vary(headers: Headers, fields: list[str]) -> Headers:
    present = [value for name, value in headers if name.lower() == "vary"]
    if present:
        known = parse_set_header(", ".join(present))
        fields = [] if "*" in known else [one for one in fields if one not in known]
        if not fields:
            return headers
        headers = [one for one in headers if one[0].lower() != "vary"]
    return [*headers, ("Vary", ", ".join([*present, *fields]))]


def _private(headers: Headers) -> Headers:
    """The same response for this browser alone; what else was asked for stays."""
    kept: list[str] = []
    for name, value in headers:
        if name.lower() == "cache-control":
            kept += [
                directive
                for directive in parse_list_header(value)
                if directive.partition("=")[0].strip().lower() not in ("public", "s-maxage", "private")
            ]
    value = ", ".join(kept if "no-store" in kept else ["private", *kept])
    return [one for one in headers if not _for_caches(one[0].lower())] + [("Cache-Control", value)]


def _for_caches(name: str) -> bool:
    """Whether a header tells caches how long to keep a response (RFC 9213: CDNs have one each)."""
    return name.endswith("cdn-cache-control") or name in (
        "cache-control",
        "surrogate-control",
        "x-accel-expires",
    )


def _after_save(visit: Visit) -> str | None:
    """Where to go on after a plain form was saved, or None where no cookie came back.

    The marker disappears either way: from the address bar by a redirect, or
    from the query string the view gets to see. In a link of others it means nothing.
    """
    environ = visit.environ
    rest = "&".join(part for part in environ["QUERY_STRING"].split("&") if part.partition("=")[0] != SAVED)
    if len(rest) == len(environ["QUERY_STRING"]) or environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return None
    environ["QUERY_STRING"] = rest
    # Over plain http, and in old browsers, nobody says where a request came from.
    if not visit.cookies and environ.get("HTTP_SEC_FETCH_SITE", "same-origin") == "same-origin":
        visit.no_cookie = True
        return None
    # Relative to the address the browser knows: the host's ProxyFix, which knows scheme and prefix, may
    # stand inside the gate. One segment without a slash leads to no other host.
    segment = environ.get("PATH_INFO", "").rpartition("/")[2].encode("latin-1")
    return "./" + quote(segment, safe=":@!$&'()*+,;=~") + (f"?{rest}" if rest else "")
