"""Global Privacy Control: heard without a banner, said in the preferences, overruled by a choice here."""

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.browser.conftest import Arrive
from tests.browser.host import MakeApp, make_host, with_signal
from tests.browser.visitor import BANNER, Visitor


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """A host all of whose visitors send the signal."""
    return with_signal(make_host(make_app))


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def visitor(request: pytest.FixtureRequest, arrive: Arrive, app: Flask) -> Visitor:
    """Somebody whose browser sends the signal."""
    return arrive("/scripts", scripts=request.param, app=app)


def test_signal_refuses_without_asking_or_keeping_anything(visitor: Visitor) -> None:
    expect(visitor.page.locator(BANNER)).to_have_count(0)

    if visitor.scripts:
        visitor.until("!!window.consentWidget?.granted")
        assert set(visitor.state().values()) == {"denied"}
        assert visitor.ran() == []
    visitor.open("/cookies")
    assert visitor.cookies() == {}
    assert visitor.records() == []


def test_signal_is_overruled_in_the_preferences(visitor: Visitor) -> None:
    visitor.save_in_preferences("analytics")
    visitor.open("/scripts")

    expect(visitor.page.locator(BANNER)).to_have_count(0)
    if visitor.scripts:
        visitor.until("window.ran?.includes('handwritten')")
        assert visitor.state() == {"analytics": "granted", "marketing": "denied", "preferences": "denied"}
        assert "campaign" not in visitor.ran()
    (record,) = visitor.records()
    assert record["signal"] == "gpc"
    assert record["decisions"] == {"analytics": True, "marketing": False, "preferences": False}


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_preferences_say_that_the_signal_is_heard(
    arrive: Arrive, app: Flask, lang: str, scripts: bool
) -> None:
    visitor = arrive(lang=lang, scripts=scripts, app=app)

    visitor.open_preferences()

    expect(visitor.preferences).to_contain_text("Global Privacy Control")
    expect(visitor.preferences.locator("input:checked")).to_have_count(0)


def test_preferences_do_not_speak_of_a_signal_that_is_not_sent(arrive: Arrive) -> None:
    visitor = arrive()

    visitor.open_preferences()

    expect(visitor.preferences).not_to_contain_text("Global Privacy Control")


@pytest.mark.parametrize("value", ["0", "true", "11"])
def test_other_values_are_no_signal(arrive: Arrive, make_app: MakeApp, value: str) -> None:
    visitor = arrive(app=with_signal(make_host(make_app), value))

    expect(visitor.banner).to_be_visible()
    assert set(visitor.state().values()) == {"undecided"}


def test_accepting_a_frame_overrules_the_signal_for_its_category_alone(arrive: Arrive, app: Flask) -> None:
    visitor = arrive("/frames", app=app)

    visitor.save(visitor.page.locator("[data-consent-widget=frame]").first.get_by_role("button"))

    film = visitor.page.locator("iframe[title='Film one']")
    expect(film.content_frame.get_by_role("heading")).to_have_text("Third party")
    assert visitor.state() == {"analytics": "denied", "marketing": "granted", "preferences": "denied"}
    expect(visitor.page.locator(BANNER)).to_have_count(0)
