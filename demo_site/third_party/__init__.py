"""The third parties: another application on the same port under another host name, so another origin.

It stands outside the site: neither the site's gate nor its cookies reach it.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, render_template, request


def create_third_parties(site: str) -> Flask:
    """Scripts and a video for the pages of the origin ``site``; anything else is not found."""
    app = Flask(__name__, static_url_path="/third-party")

    @app.get("/third-party/video")
    def video() -> str:
        asked = request.args.get("lang") or request.accept_languages.best_match(("vi", "en"))
        return render_template("video.html", lang="en" if asked == "en" else "vi")

    @app.errorhandler(404)
    def not_found(_: Exception) -> tuple[Response, int]:
        words = f"This name plays the third parties of the demo. The site is {site}/\n"
        return Response(words, mimetype="text/plain"), 404

    @app.after_request
    def open_to_site(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {site}"
        )
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


class ByHost:
    """Sends requests for ``host`` to ``other`` and all the rest to ``site``."""

    def __init__(self, site: WSGIApplication, *, host: str, other: WSGIApplication) -> None:
        self._site = site
        self._host = host
        self._other = other

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        app = self._other if environ.get("HTTP_HOST", "").lower() == self._host else self._site
        return app(environ, start_response)
