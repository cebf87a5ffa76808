"""The routes of the public door, the state of health."""

from collections.abc import Callable

from flask import Blueprint, Response, abort, current_app, jsonify, redirect, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, default_exceptions
from werkzeug.routing import RequestRedirect

from ..core.language import LANGUAGES
from .assets import find_asset, serve_asset
from .consent import save, show_preferences, show_state
from .formats import show_calendar, show_feed, show_json, show_list, show_markdown, show_text
from .log import show_log, show_log_key
from .notice import show_as_of, show_home, show_notice, show_version
from .problems import answer_problem
from .self_service import change_subscription, show_subscription
from .sign_up import show_subscribe, subscribe
from .subscription import confirm_subscription, show_confirm, show_unsubscribe, unsubscribe
from .versions import show_changes, show_versions
from .visit import host, visit

_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"]


def make_blueprint(check_health: Callable[[], list[str]], url_prefix: str) -> Blueprint:
    """The blueprint ``consent_widget``; ``check_health`` gives what is wrong, in words without secrets."""
    blueprint = Blueprint("consent_widget", __name__, url_prefix=url_prefix, template_folder="../templates")
    languages = f"any({','.join(LANGUAGES)})"
    routes: list[tuple[str, Callable[..., Response], list[str]]] = [
        ("/", show_home, ["GET"]),
        (f"/<{languages}:lang>/", show_notice, ["GET"]),
        (f"/<{languages}:lang>/versions/<int:number>", show_version, ["GET"]),
        (f"/<{languages}:lang>/versions/<int:number>.md", show_markdown, ["GET"]),
        (f"/<{languages}:lang>/versions/<int:number>.txt", show_text, ["GET"]),
        (f"/<{languages}:lang>/versions/<int:number>.json", show_json, ["GET"]),
        (f"/<{languages}:lang>/versions/<int:number>.ics", show_calendar, ["GET"]),
        (f"/<{languages}:lang>/versions/<int:number>/changes", show_changes, ["GET"]),
        (f"/<{languages}:lang>/versions", show_versions, ["GET"]),
        (f"/<{languages}:lang>/as-of/<day>", show_as_of, ["GET"]),
        (f"/<{languages}:lang>/feed.atom", show_feed, ["GET"]),
        ("/versions.json", show_list, ["GET"]),
        ("/log.jsonl", show_log, ["GET"]),
        ("/log-key.pem", show_log_key, ["GET"]),
        ("/preferences", show_preferences, ["GET"]),
        ("/preferences", save, ["POST"]),
        ("/state", show_state, ["GET"]),
        ("/subscribe", show_subscribe, ["GET"]),
        ("/subscribe", subscribe, ["POST"]),
        ("/confirm/<token>", show_confirm, ["GET"]),
        ("/confirm/<token>", confirm_subscription, ["POST"]),
        ("/subscription/<token>", show_subscription, ["GET"]),
        ("/subscription/<token>", change_subscription, ["POST"]),
        ("/unsubscribe/<token>", show_unsubscribe, ["GET"]),
        ("/unsubscribe/<token>", unsubscribe, ["POST"]),
        ("/assets/<path>", show_asset, ["GET"]),
        # The router's own redirects would name whatever Host was sent.
        ("", add_slash, ["GET"]),
        (f"/<{languages}:lang>", add_slash, ["GET"]),
    ]
    for rule, view, methods in routes:
        blueprint.add_url_rule(
            rule,
            view_func=view,
            methods=methods,
            endpoint=view.__name__,
            provide_automatic_options=False,
            merge_slashes=False,
        )

    def show_health() -> Response:
        wrong = check_health()
        response = jsonify(ok=not wrong, problems=wrong)
        response.status_code = 503 if wrong else 200
        response.headers["Cache-Control"] = "no-store"
        return response

    blueprint.add_url_rule("/health", view_func=show_health, endpoint="show_health")
    # Last, so that whatever else lies under the prefix is answered in our words, with our headers.
    for rule in ("", "/", "/<path:rest>"):
        blueprint.add_url_rule(
            rule, view_func=refuse, methods=_ALL_METHODS, endpoint="refuse", merge_slashes=False
        )
    # By number too: Flask asks a host's handler for a number before ours for a class.
    kinds: tuple[type[Exception] | int, ...] = (HTTPException, *default_exceptions)
    for kind in kinds:
        blueprint.register_error_handler(kind, answer_problem)
    return blueprint


def add_slash(lang: str | None = None) -> Response:
    """The address that ends with a slash, on whichever host this is."""
    query = request.query_string.decode("ascii", "replace")
    path = f"{visit().base}/{lang}/" if lang else f"{visit().base}/"
    response = redirect(f"{path}?{query}" if query else path, 308)
    # The mount point may come from a header that no cache looks at; without a word a 308 may be kept.
    response.headers["Cache-Control"] = "no-cache"
    return response  # type: ignore[return-value]


def show_asset(path: str) -> Response:
    found = find_asset(host().assets, path)
    if found is None:
        raise NotFound
    asset, current = found
    return serve_asset(asset, current=current)


def show_gpc() -> Response:
    """/.well-known/gpc.json: this site honours the signal (GPC section 4)."""
    here = visit()
    here.default_headers = here.host.default_headers
    return jsonify(gpc=True, lastUpdate=GPC_SINCE)


#: The day on which this release's handling of the signal was written.
GPC_SINCE = "2026-11-22"


def refuse(rest: str = "") -> Response:
    """404, or 405 where the address takes another method."""
    adapter = current_app.create_url_adapter(request)
    allowed = []
    for method in ("GET", "POST"):
        try:
            endpoint, _ = adapter.match(method=method) if adapter else ("", {})
        except (HTTPException, RequestRedirect):
            continue
        if endpoint != request.endpoint:
            allowed += ["GET", "HEAD"] if method == "GET" else [method]
    if allowed and request.method not in allowed:
        raise MethodNotAllowed(valid_methods=allowed)
    abort(404)
