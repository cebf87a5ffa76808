"""The routes of the staff's door, and the headers of every answer."""

from collections.abc import Callable
from typing import cast

from flask import Blueprint, Response, redirect
from werkzeug.exceptions import HTTPException, NotFound

from ..core.errors import (
    Conflict,
    Forbidden,
    InputError,
    LedgerError,
    StoreUnavailable,
    UnknownCampaign,
    UnknownSubscription,
    UnknownVersion,
)
from ..core.language import LANGUAGES
from .audit import show_audit
from .bounces import show_bounce, show_bounces
from .campaigns import change_campaign, show_campaign, show_campaigns
from .desk import desk
from .elsewhere import show_sign_in
from .guard import to_sign_in
from .overview import show_overview
from .preview import preview_typed, show_preview
from .problems import SignedOut, answer_error
from .proof import download_proof, name_proof, show_proof
from .subscription import change_subscription, show_subscription
from .subscriptions import search_subscriptions, show_subscriptions
from .version import add_version, change_version, show_new, show_version

NAME = "consent_widget_admin"

#: No script but our own built files, no frame around these pages (ASVS 3.4.3 to 3.4.6).
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types consent-widget"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}

_PREVIEW = f"<any({','.join(LANGUAGES)}):lang>"

_ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("GET", "/", show_overview),
    ("GET", "/versions/new", show_new),
    ("POST", "/versions/new", add_version),
    ("POST", f"/versions/new/preview/{_PREVIEW}", preview_typed),
    ("GET", "/versions/<int:id>", show_version),
    ("POST", "/versions/<int:id>", change_version),
    ("GET", f"/versions/<int:id>/preview/{_PREVIEW}", show_preview),
    ("POST", f"/versions/<int:id>/preview/{_PREVIEW}", preview_typed),
    ("GET", "/subscriptions", show_subscriptions),
    ("POST", "/subscriptions", search_subscriptions),
    ("GET", "/subscriptions/<int:id>", show_subscription),
    ("POST", "/subscriptions/<int:id>", change_subscription),
    ("GET", "/subscriptions/<int:id>/proof", show_proof),
    ("POST", "/subscriptions/<int:id>/proof", name_proof),
    ("GET", "/subscriptions/<int:id>/proof.json", download_proof),
    ("GET", "/campaigns", show_campaigns),
    ("GET", "/campaigns/<int:id>", show_campaign),
    ("POST", "/campaigns/<int:id>", change_campaign),
    ("GET", "/bounces", show_bounces),
    ("POST", "/bounces/<int:id>", show_bounce),
    ("GET", "/audit", show_audit),
)


def make_blueprint(url_prefix: str) -> Blueprint:
    """The blueprint ``consent_widget_admin`` below ``url_prefix``, that of all our pages."""
    blueprint = Blueprint(NAME, __name__, url_prefix=f"{url_prefix}/admin")
    for method, rule, view in _ROUTES:
        blueprint.add_url_rule(
            rule,
            view_func=view,
            methods=[method],
            endpoint=f"{view.__name__}_new" if "/new/" in rule else view.__name__,
            provide_automatic_options=False,
            merge_slashes=False,
        )
    # Last in the router's order: accounts.py, where a host uses it, has a sign-in of its own.
    blueprint.add_url_rule(
        "/<path:rest>",
        view_func=show_rest,
        methods=["GET"],
        provide_automatic_options=False,
        merge_slashes=False,
    )
    # The router's own redirect would name whatever Host was sent.
    blueprint.add_url_rule("", view_func=add_slash, methods=["GET"], provide_automatic_options=False)
    for kind in (
        HTTPException,
        InputError,
        Forbidden,
        UnknownVersion,
        UnknownCampaign,
        UnknownSubscription,
        Conflict,
        LedgerError,
        StoreUnavailable,
    ):
        blueprint.register_error_handler(kind, answer_error)
    blueprint.register_error_handler(SignedOut, _signed_out)
    blueprint.after_request(_add_headers)
    return blueprint


def add_slash() -> Response:
    """The address that ends with a slash, on whichever host this is."""
    return cast(Response, redirect(f"{desk().base()}/admin/", 308))


def show_rest(rest: str) -> Response:
    """Where one signs in, on a host with a sign-in of its own; whatever else is asked for is not there."""
    if rest == "sign-in":
        return show_sign_in()
    raise NotFound


def _signed_out(error: SignedOut) -> Response:
    return answer_error(error) if desk().wants_json() else to_sign_in()


def _add_headers(response: Response) -> Response:
    """What a view has not set itself; staff pages are nobody's to keep."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    # A host that sets one policy on every answer would open the previews' sandbox.
    desk().keep_policy(response.headers["Content-Security-Policy"])
    response.headers["Cache-Control"] = "no-store"
    return response
