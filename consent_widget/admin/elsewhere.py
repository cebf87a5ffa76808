"""GET /admin/sign-in on a host with a sign-in of its own: sign in there first, then come back."""

from typing import cast

from flask import Response, redirect, request

from .desk import desk
from .page import answer_page


def show_sign_in() -> Response:
    """A page with the way back; straight there for whoever is signed in already."""
    admin = f"{desk().base()}/admin/"
    target = desk().safe_path(request.args.get("next", "")) or admin
    if desk().staff_loader() is not None:
        return cast(Response, redirect(target, 303))
    return answer_page("elsewhere.html", {"next": target})
