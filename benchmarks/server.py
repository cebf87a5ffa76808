"""What a page view costs the server, for a visitor who has granted everything.

Two apps give the same page, byte for byte, from the same Jinja template: one
calls the widget's functions; in the other their output stands in the template
as plain text, and it has no widget. Both are called as WSGI apps, without a
network, in small batches by turns; each pair of batches gives a ratio of the
CPU times, which other programs on the machine disturb less than the clock's.

The visitors are many: the views of a batch present different cookies. A process
remembers the choices it opened, so a visitor's first page costs more than the
pages after it: each is a figure of its own.
"""

import gc
from time import thread_time
from typing import Any

from flask import Flask, render_template_string
from jinja2 import DictLoader
from sqlalchemy import event
from werkzeug.test import EnvironBuilder

from consent_widget.testing import decided_client

from .figures import Figure, ratio
from .site import CATEGORIES, FUNCTIONS, HERE

_ROUNDS = 300
_VISITORS = 10

Environ = dict[str, Any]


def measure_server(site: Flask, bare: Flask) -> list[Figure]:
    """``bare`` is a host without the widget that has not shown a page yet."""
    views = [_view(site) for _ in range(_VISITORS)]
    _print_in_template(bare, site, views[0])
    if {_call(site, view) for view in views} != {_call(bare, views[0])}:
        raise RuntimeError("the two pages are not the same, so their times cannot be compared")

    queries = _count_queries(site, views)
    forget = site.extensions["consent_widget"].deployment.signer._open.cache_clear
    gc.collect()
    pairs: dict[str, list[tuple[float, float]]] = {"first page": [], "next page": []}
    for _ in range(_ROUNDS):
        forget()
        for measured in pairs.values():
            measured.append((_microseconds(site, views), _microseconds(bare, views)))
    return [
        *(
            ratio(f"decided visitor's {page} on the server", measured, limit=1.3, unit="µs")
            for page, measured in pairs.items()
        ),
        Figure(
            name="database queries for it",
            value=queries,
            unit="queries",
            limit=0,
            detail=f"in {_ROUNDS * _VISITORS} views",
        ),
    ]


def _view(site: Flask) -> Environ:
    """A page view of a visitor of their own."""
    client = decided_client(site, CATEGORIES)
    cookies = (client.get_cookie(name) for name in ("consent", "consent_view"))
    sent = "; ".join(f"{one.key}={one.value}" for one in cookies if one is not None)
    builder = EnvironBuilder("/page", headers=[("Cookie", sent), ("Accept-Language", "vi,en;q=0.8")])
    try:
        return builder.get_environ()
    finally:
        builder.close()


def _print_in_template(bare: Flask, site: Flask, view: Environ) -> None:
    """Let ``bare`` have in its template what ``site`` calls functions for."""
    source = (HERE / "page" / "page.html").read_text(encoding="utf-8")
    with site.request_context(dict(view)):
        for name in FUNCTIONS:
            call = f"{{{{ {name}() }}}}"
            source = source.replace(call, render_template_string(call))
    bare.jinja_loader = DictLoader({"page.html": source})


def _call(app: Flask, view: Environ) -> bytes:
    """The body that ``app`` answers with."""
    body = app(dict(view), _start_response)
    try:
        return b"".join(body)
    finally:
        # PEP 3333 wants it closed; the type of a WSGI app does not know.
        getattr(body, "close", lambda: None)()


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
    return None


def _microseconds(app: Flask, views: list[Environ]) -> float:
    start = thread_time()
    for view in views:
        _call(app, view)
    return (thread_time() - start) / len(views) * 1e6


def _count_queries(site: Flask, views: list[Environ]) -> int:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = site.extensions["consent_widget"].deployment.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        for _ in range(_ROUNDS):
            for view in views:
                _call(site, view)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(statements)
