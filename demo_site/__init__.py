"""HTEK's web site as a demonstration: a host, as small as a real one, with everything switched on.

``flask --app demo_site`` runs commands on its data, ``python -m demo_site``
serves it. What it reads from the environment stands in ``settings.py``.
"""

from flask import Flask, render_template

from consent_widget import ConsentWidget
from consent_widget.accounts import StaffAccounts

from . import language, policy
from .cookies import cookies
from .mailbox import mailbox
from .pages import pages
from .register import categories
from .settings import product_settings, read_settings, secret_key, ticking_clock
from .third_party import ByHost, create_third_parties


def create_app() -> Flask:
    """The site, with key and database in DEMO_DIR.

    Raises:
        DemoError: DEMO_DIR, PORT or DEMO_NOW cannot be used.
    """
    settings = read_settings()
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = Flask(__name__, instance_path=str(settings.directory))
    app.config.update(
        SECRET_KEY=secret_key(settings.directory),
        SESSION_COOKIE_SAMESITE="Lax",
        DEMO_SECOND_ORIGIN=settings.second_origin,
        CONSENT_WIDGET_CONTROLLER={
            "name": "Công ty Cổ phần Đầu tư Phát triển Công nghệ HTEK",
            "address": "",
            "contact": "privacy@demo.example",
        },
        CONSENT_WIDGET_DATABASE_URL=f"sqlite:///{settings.directory / 'consent.sqlite3'}",
        CONSENT_WIDGET_PUBLIC_URL=settings.site,
        CONSENT_WIDGET_BASE_TEMPLATE="layout.html",
        CONSENT_WIDGET_UNDECLARED_COOKIES="block",
        CONSENT_WIDGET_GPC_DECLARED=True,
        CONSENT_WIDGET_MAIL_URL=f"maildir:{settings.mail}",
        CONSENT_WIDGET_MAIL_FROM="privacy@demo.example",
        CONSENT_WIDGET_QUEUE_URL=f"sqlite:///{settings.directory / 'queue.sqlite3'}",
        CONSENT_WIDGET_ERASURE_FILE=str(settings.directory / "erasures.jsonl"),
        DEMO_MAIL=settings.mail,
    )
    app.config.update(product_settings())

    app.register_blueprint(pages)
    app.register_blueprint(cookies)
    app.register_blueprint(mailbox)
    app.register_error_handler(404, _not_found)
    app.register_error_handler(500, _failed)
    app.context_processor(lambda: {"second_origin": settings.second_origin})
    language.init_app(app, catalogues=settings.directory / "translations")
    policy.init_app(app, second_origin=settings.second_origin)
    accounts = StaffAccounts()
    ConsentWidget(
        app,
        categories=categories(settings.second_origin),
        csp_nonce=policy.nonce,
        clock=ticking_clock(settings.start),
        staff_loader=accounts.staff_loader,
        staff_directory=accounts.staff_directory,
    )
    accounts.init_app(app)
    third_parties = create_third_parties(settings.site)
    app.wsgi_app = ByHost(app.wsgi_app, host=settings.second_host, other=third_parties)  # type: ignore[method-assign]
    return app


def _not_found(_: Exception) -> tuple[str, int]:
    return render_template("error.html", code=404), 404


def _failed(_: Exception) -> tuple[str, int]:
    return render_template("error.html", code=500), 500
