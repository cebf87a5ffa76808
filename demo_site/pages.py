"""The pages of the site."""

from dataclasses import dataclass, fields

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext, lazy_gettext
from flask_babel.speaklater import LazyString

from consent_widget import current_consent

pages = Blueprint("pages", __name__)

TOPICS: dict[str, LazyString] = {
    "design": lazy_gettext("Website design"),
    "hosting": lazy_gettext("Web hosting"),
    "domain": lazy_gettext("Domain names"),
}
_TOPIC_COOKIE = "demo_topic"


@dataclass(frozen=True, kw_only=True)
class Enquiry:
    """What a visitor wrote into the contact form; plain text."""

    name: str
    email: str
    topic: str
    message: str

    @classmethod
    def from_form(cls) -> "Enquiry":
        return cls(**{field.name: request.form.get(field.name, "").strip() for field in fields(cls)})

    def errors(self) -> dict[str, str]:
        """What is wrong, by field."""
        found = {}
        if not self.name:
            found["name"] = gettext("Enter your name.")
        if "@" not in self.email:
            found["email"] = gettext("Enter an email address, such as ten@example.com.")
        if self.topic not in TOPICS:
            found["topic"] = gettext("Choose a service.")
        if not self.message:
            found["message"] = gettext("Write what you need, one line is enough.")
        return found


@pages.get("/")
def home() -> str:
    return render_template("home.html")


@pages.get("/services")
def services() -> str:
    return render_template("services.html", topics=TOPICS)


@pages.get("/video")
def video() -> str:
    return render_template("video.html", video_address=_video_address())


def _video_address() -> str:
    address = f"{current_app.config['DEMO_SECOND_ORIGIN']}/third-party/video"
    return address if get_locale().language == "vi" else f"{address}?lang=en"


@pages.get("/contact")
def contact() -> str:
    topic = request.args.get("topic") or request.cookies.get(_TOPIC_COOKIE, "")
    enquiry = Enquiry(name="", email="", topic=topic, message="")
    return render_template("contact.html", topics=TOPICS, enquiry=enquiry, errors={})


@pages.post("/contact")
def send() -> ResponseReturnValue:
    """Answer as a real form would; nothing is sent and nothing stored."""
    enquiry = Enquiry.from_form()
    errors = enquiry.errors()
    if errors:
        return render_template("contact.html", topics=TOPICS, enquiry=enquiry, errors=errors), 400
    flash(
        gettext(
            "Your question about %(topic)s was checked. "
            "This is a demonstration: nothing was sent and nothing stored.",
            topic=str(TOPICS[enquiry.topic]).lower(),
        )
    )
    response = make_response(redirect(url_for("pages.contact"), 303))
    if current_consent().granted("preferences"):
        response.set_cookie(_TOPIC_COOKIE, enquiry.topic, max_age=30 * 86400, httponly=True, samesite="Lax")
    return response
