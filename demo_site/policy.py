"""The host's content security policy: with a nonce, or ``?csp=strict``."""

import secrets

from flask import Flask, Response, g, has_request_context, request

#: Answers that come with a policy of their own.
_APART = frozenset({"mailbox.as_html"})

#: Pages that hand ``?csp=strict`` on in the links and forms they print.
_CARRIED_BY = "pages."


def init_app(app: Flask, *, second_origin: str) -> None:
    """Send every page of ``app`` under a policy; scripts and frames may come from ``second_origin``."""

    @app.after_request
    def send_policy(response: Response) -> Response:
        # The product's pages stand in this site's layout, so they go out under its policy as well. Those of staff
        # keep their own whatever is set here.
        if request.endpoint not in _APART:
            response.headers["Content-Security-Policy"] = _policy(second_origin)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
        return response

    @app.url_defaults
    def carry_policy(endpoint: str, values: dict[str, object]) -> None:
        if has_request_context() and _is_strict() and endpoint.startswith(_CARRIED_BY):
            values.setdefault("csp", "strict")


def nonce() -> str | None:
    """The nonce of the answer being made; None under the strict policy, which knows none."""
    if _is_strict():
        return None
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def _is_strict() -> bool:
    return request.args.get("csp") == "strict"


def _policy(second_origin: str) -> str:
    if _is_strict():
        return "; ".join(
            (
                "default-src 'self'",
                f"script-src 'self' {second_origin}",
                f"frame-src 'self' {second_origin}",
                "style-src 'self'",
                "require-trusted-types-for 'script'",
            )
        )
    # Only a nonce that was given to something on the page stands in the policy.
    nonce_source = f" 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else ""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {second_origin}{nonce_source}",
            f"frame-src 'self' {second_origin}",
            f"style-src 'self'{nonce_source}",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        )
    )
