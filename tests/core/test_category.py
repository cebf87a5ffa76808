"""The register refuses at start-up what visitors could not understand later."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent_widget import Category, Cookie, Service
from consent_widget.config import read_register
from consent_widget.core.category import Register, category_from_mapping
from consent_widget.core.errors import ConsentWidgetError, RegisterError, SettingError, UnknownCategory
from tests.factories import category, service, words

BOTH = {"vi": "Tiếng Việt", "en": "English"}


def from_toml(tmp_path: Path, text: str) -> Register:
    path = tmp_path / "categories.toml"
    path.write_text(text, encoding="utf-8")
    return read_register(str(path), (), category("necessary", necessary=True))


def test_the_default_register_is_complete_and_marks_behaviour_tracking_as_sensitive() -> None:
    register = read_register(None, (), category("necessary", necessary=True))

    assert register.names == ("necessary", "preferences", "analytics", "marketing")
    assert register.optional == ("preferences", "analytics", "marketing")
    assert {one.name for one in register if one.sensitive} == {"analytics", "marketing"}
    assert {one.name for one in register if one.necessary} == {"necessary"}


def test_positional_arguments_follow_the_documented_order() -> None:
    cookie = Cookie("visitor", None, timedelta(days=1), ("/a",), ("shop.example",), "why")
    vendor = Service("Counter", "Counter Ltd", "Việt Nam", BOTH, (cookie,), ("https://counter.example",))
    made = Category("analytics", BOTH, BOTH, False, True, (vendor,))

    assert (made.necessary, made.sensitive) == (False, True)
    assert made.cookies == (cookie,)
    assert vendor.origins == ("https://counter.example",)
    assert (cookie.paths, cookie.domains, cookie.justification) == (("/a",), ("shop.example",), "why")


def test_an_optional_category_on_by_default_is_refused_by_name() -> None:
    with pytest.raises(RegisterError) as refused:
        category("analytics", default=True)

    assert refused.value.field == "categories.analytics.default"
    assert "remove it" in str(refused.value)


@pytest.mark.parametrize("spelling", ["default = true", "default = 1", 'default = "on"'])
def test_default_on_in_toml_is_refused_by_name(tmp_path: Path, spelling: str) -> None:
    with pytest.raises(RegisterError, match=r"^categories\.analytics\.default: "):
        from_toml(tmp_path, f"[categories.analytics]\n{spelling}\n")


@pytest.mark.parametrize("field", ["title", "purpose"])
@pytest.mark.parametrize(
    "text, language",
    [
        pytest.param(None, "vi", id="none"),
        pytest.param({}, "vi", id="empty"),
        pytest.param("plain", "vi", id="one text for all"),
        pytest.param({"en": "English"}, "vi", id="no Vietnamese"),
        pytest.param({"vi": "Tiếng Việt"}, "en", id="no English"),
        pytest.param({"vi": "Tiếng Việt", "en": " \n"}, "en", id="blank English"),
        pytest.param({"vi": "Tiếng Việt", "en": 5}, "en", id="a number for English"),
    ],
)
def test_a_missing_language_is_refused_by_name(field: str, text: Any, language: str) -> None:
    with pytest.raises(RegisterError) as refused:
        category("analytics", **{field: text})

    assert refused.value.field == f"categories.analytics.{field}.{language}"


def test_a_service_without_purpose_in_every_language_is_refused_by_name() -> None:
    with pytest.raises(RegisterError) as refused:
        service("Counter", purpose={"vi": "Đếm"})

    assert refused.value.field == "services.Counter.purpose.en"


@pytest.mark.parametrize("field", ["provider", "country"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_service_that_does_not_say_who_and_where_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(RegisterError) as refused:
        service("Counter", **{field: value})

    assert refused.value.field == f"services.Counter.{field}"


@pytest.mark.parametrize(
    "justification",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("   ", id="blank"),
        pytest.param({"vi": "Cần"}, id="one language"),
        pytest.param({"vi": "Cần", "en": " "}, id="one language blank"),
    ],
)
def test_a_necessary_cookie_without_justification_is_refused_by_name(justification: Any) -> None:
    with pytest.raises(RegisterError) as refused:
        category("necessary", necessary=True, cookies=[Cookie(name="basket", justification=justification)])

    assert refused.value.field == "categories.necessary.cookies.basket.justification"


def test_a_necessary_cookie_in_toml_without_justification_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match=r"^categories\.necessary\.cookies\.basket\.justification: "):
        from_toml(
            tmp_path,
            """
            [[categories.necessary.services]]
            name = "Basket"
            provider = "HTEK"
            country = "Việt Nam"
            purpose = { vi = "Giỏ hàng", en = "Basket" }
            cookies = [{ name = "basket" }]
            """,
        )


@pytest.mark.parametrize("text", ["Keeps the basket", {"vi": "Giữ giỏ hàng", "en": "Keeps the basket"}])
def test_a_justified_necessary_cookie_is_taken(text: Any) -> None:
    made = category("necessary", necessary=True, cookies=[Cookie(name="basket", justification=text)])

    assert Register([made]).category_of("basket") == "necessary"


@pytest.mark.parametrize("given", [{}, {"name": "a", "pattern": "a*"}, {"name": ""}])
def test_a_cookie_has_either_a_name_or_a_pattern(given: dict[str, Any]) -> None:
    with pytest.raises(RegisterError, match=r"^cookie\.name: "):
        Cookie(**given)


@pytest.mark.parametrize("field", ["paths", "domains"])
@pytest.mark.parametrize("value", ["/", None, 5])
def test_a_text_in_place_of_a_list_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(RegisterError, match=rf"^cookie visitor\.{field}: must be a list"):
        Cookie(name="visitor", **{field: value})


@pytest.mark.parametrize("name", ["", "Analytics", "an alytics", "1st", "a" * 33, "thống_kê", "a.b", "a\n"])
def test_a_category_name_that_no_cookie_value_could_hold_is_refused(name: str) -> None:
    with pytest.raises(RegisterError, match=r"\.name: "):
        category(name)


def test_a_lifetime_in_seconds_is_a_span_of_time() -> None:
    assert Cookie(name="a", lifetime=90).lifetime == timedelta(seconds=90)


@pytest.mark.parametrize(
    "text, field",
    [
        pytest.param("[categories.video]\ntitel = 1", "categories.video.titel", id="category"),
        pytest.param(
            '[[categories.analytics.services]]\nname = "C"\nvendor = "x"',
            "categories.analytics.services.C.vendor",
            id="service",
        ),
        pytest.param(
            '[[categories.analytics.services]]\nname = "C"\ncookies = [{ nmae = "x" }]',
            "categories.analytics.services.C.cookies.nmae",
            id="cookie",
        ),
    ],
)
def test_a_misspelt_key_in_toml_is_refused_by_its_path(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(RegisterError) as refused:
        from_toml(tmp_path, text)

    assert refused.value.field == field


@pytest.mark.parametrize(
    "text, field",
    [
        pytest.param("[categories.video]\ntitle = {vi = 'V', en = 'V'}", "categories.video.purpose.vi"),
        pytest.param("[categories.video]\npurpose = {vi = 'V', en = 'V'}", "categories.video.title.vi"),
        pytest.param("[categories.analytics]\nservices = 'x'", "categories.analytics.services"),
        pytest.param("[categories.analytics]\nservices = ['x']", "categories.analytics.services"),
        pytest.param(
            "[[categories.analytics.services]]\nname = 'C'\nprovider = 'C'\ncountry = 'VN'",
            "categories.analytics.services.C.purpose",
        ),
        pytest.param(
            "[[categories.analytics.services]]\nprovider = 'C'\ncountry = 'VN'\n"
            "purpose = {vi = 'V', en = 'V'}",
            "categories.analytics.services.?.name",
        ),
    ],
)
def test_an_incomplete_declaration_in_toml_is_refused_by_its_path(
    tmp_path: Path, text: str, field: str
) -> None:
    with pytest.raises(RegisterError) as refused:
        from_toml(tmp_path, text)

    assert refused.value.field == field


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[categories.analytics]\nsensitive = "no"', id="a text for a flag"),
        pytest.param("[categories.video]\ntitle = 'V'\npurpose = 'V'", id="one text for all languages"),
        pytest.param(
            "[[categories.analytics.services]]\nname='C'\nprovider='C'\ncountry='VN'\n"
            "purpose={vi='V', en='V'}\ncookies=[{name=5}]",
            id="a number for a cookie's name",
        ),
        pytest.param(
            "[[categories.analytics.services]]\nname='C'\nprovider='C'\ncountry='VN'\n"
            "purpose={vi='V', en='V'}\ncookies=[{name='c', lifetime=1.5}]",
            id="a fraction for a lifetime",
        ),
        pytest.param(
            "[[categories.analytics.services]]\nname='C'\nprovider='C'\ncountry='VN'\n"
            "purpose={vi='V', en='V'}\ncookies=[{name='c', lifetime={vi='mãi'}}]",
            id="a lifetime in one language",
        ),
        pytest.param(
            "[[categories.analytics.services]]\nname='C'\nprovider='C'\ncountry='VN'\n"
            "purpose={vi='V', en='V'}\ncookies=[{name='c', paths=[5]}]",
            id="a number for a path",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_start_up_error_and_no_traceback(tmp_path: Path, text: str) -> None:
    with pytest.raises(RegisterError):
        from_toml(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[categories", id="no TOML"),
        pytest.param("[category.analytics]", id="another table"),
        pytest.param("categories = 5", id="no table"),
        pytest.param("[categories]\nanalytics = 5", id="a number for a category"),
    ],
)
def test_a_categories_file_that_is_none_names_setting_and_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingError, match=r"CONSENT_WIDGET_CATEGORIES_FILE: .*categories\.toml"):
        from_toml(tmp_path, text)


def test_a_missing_categories_file_names_setting_and_file(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"CONSENT_WIDGET_CATEGORIES_FILE: .*absent\.toml cannot be read"):
        read_register(str(tmp_path / "absent.toml"), (), category("necessary", necessary=True))


def test_toml_adds_services_to_a_default_category_and_keeps_its_words(tmp_path: Path) -> None:
    plain = read_register(None, (), category("necessary", necessary=True))

    register = from_toml(
        tmp_path,
        """
        [[categories.analytics.services]]
        name = "Counter"
        provider = "Counter Ltd"
        country = "Việt Nam"
        purpose = { vi = "Đếm", en = "Counts" }
        cookies = [{ name = "visitor", lifetime = 7776000 }, { pattern = "_ga_*" }]
        """,
    )

    assert register["analytics"].title == plain["analytics"].title
    assert register["analytics"].purpose == plain["analytics"].purpose
    assert [cookie.label for cookie in register["analytics"].cookies] == ["visitor", "_ga_*"]
    assert register["analytics"].cookies[0].lifetime == timedelta(days=90)


def test_a_host_category_of_the_same_name_extends_the_default_one() -> None:
    own = category("analytics", title=words("Numbers"), cookies=[Cookie(name="visitor")])

    register = Register([category("analytics", cookies=[Cookie(name="first")]), own])

    assert register["analytics"].title == words("Numbers")
    assert [cookie.label for cookie in register["analytics"].cookies] == ["first", "visitor"]


def test_a_host_cannot_make_necessary_what_visitors_decide_about() -> None:
    with pytest.raises(RegisterError, match=r"categories\.analytics\.necessary"):
        Register([category("analytics"), category("analytics", necessary=True)])


def test_a_host_cannot_clear_what_is_necessary_or_sensitive() -> None:
    own = category("analytics", sensitive=False)

    register = read_register(None, (own,), category("necessary", necessary=True))

    assert register["analytics"].sensitive
    with pytest.raises(RegisterError):
        read_register(
            None,
            (category("necessary", cookies=[Cookie(name="ads")]),),
            category("necessary", necessary=True),
        )


def test_a_host_adds_a_category_of_its_own_after_the_default_ones() -> None:
    register = read_register(None, (category("video"),), category("necessary", necessary=True))

    assert register.optional == ("preferences", "analytics", "marketing", "video")


def test_necessary_categories_stand_first() -> None:
    register = Register([category("analytics"), category("necessary", necessary=True)])

    assert register.names == ("necessary", "analytics")


@pytest.mark.parametrize("name", ["a b;c", "a b", "a;b", "a=b", "a,b", "a\n", "a\0", " "])
@pytest.mark.parametrize("kind", ["name", "pattern"])
def test_what_is_no_name_of_a_cookie_is_refused(kind: str, name: str) -> None:
    given: dict[str, Any] = {kind: name}

    with pytest.raises(RegisterError, match=r"^cookie\.name: "):
        Cookie(**given)


@pytest.mark.parametrize("name", ["_ga", "__Host-a", "cart[0]", "a.b", "wordpress_logged_in_*", "a?"])
def test_names_that_are_in_use_are_taken(name: str) -> None:
    assert Cookie(pattern=name).label == name


@pytest.mark.parametrize("field", ["paths", "domains"])
@pytest.mark.parametrize("values", [(), ("a;b",), ("a\n",), (5,), ("/", 5)])
def test_a_cookie_is_set_somewhere(field: str, values: tuple[Any, ...]) -> None:
    """Otherwise a withdrawal would expire it nowhere."""
    given: dict[str, Any] = {field: values}

    with pytest.raises(RegisterError, match=rf"^cookie a\.{field}: "):
        Cookie("a", **given)


@pytest.mark.parametrize("path", ["", "shop", "shop/", "https://shop.example/"])
def test_a_path_begins_with_a_slash(path: str) -> None:
    with pytest.raises(RegisterError, match=r"^cookie a\.paths: .*/shop"):
        Cookie("a", paths=("/", path))


def test_an_empty_domain_is_the_host_itself() -> None:
    assert Cookie("a", domains=("", "shop.example")).domains == (None, "shop.example")


def test_a_service_may_be_called_otherwise_in_each_language(tmp_path: Path) -> None:
    register = from_toml(
        tmp_path,
        "[[categories.analytics.services]]\nname={vi='Bộ đếm', en='Counter'}\nprovider='C'\n"
        "country={vi='Đức', en='Germany'}\npurpose={vi='V', en='V'}",
    )

    (service,) = register["analytics"].services
    assert service.name == {"vi": "Bộ đếm", "en": "Counter"}
    assert service.country == {"vi": "Đức", "en": "Germany"}


@pytest.mark.parametrize("field", ["name", "provider", "country"])
def test_a_service_called_in_one_language_alone_is_refused(field: str) -> None:
    given: dict[str, Any] = {"name": "C", "provider": "C", "country": "VN", "purpose": words()}

    with pytest.raises(RegisterError, match=rf"services\..+\.{field}"):
        Service(**given | {field: {"vi": "Bộ đếm"}})


def test_an_exact_name_wins_over_an_earlier_pattern() -> None:
    register = Register(
        [
            category("analytics", cookies=[Cookie(pattern="_ga*")]),
            category("marketing", cookies=[Cookie(name="_ga_ads")]),
        ]
    )

    assert register.category_of("_ga_ads") == "marketing"
    assert register.category_of("_ga_other") == "analytics"


@pytest.mark.parametrize(
    "name, owner",
    [
        ("visitor", "analytics"),
        ("_ga_X1", "analytics"),
        ("_ga", None),
        ("Visitor", None),
        ("_GA_X1", None),
        ("visitor2", None),
        ("", None),
        ("_ga_\n", "analytics"),
    ],
)
def test_cookies_are_found_by_their_exact_spelling(name: str, owner: str | None) -> None:
    register = Register([category("analytics", cookies=[Cookie(name="visitor"), Cookie(pattern="_ga_*")])])

    assert register.category_of(name) == owner


def test_a_cookie_declared_in_two_categories_is_refused_by_name() -> None:
    with pytest.raises(RegisterError) as refused:
        Register(
            [
                category("analytics", cookies=[Cookie(name="visitor")]),
                category("marketing", cookies=[Cookie(name="visitor")]),
            ]
        )

    assert refused.value.field == "categories.marketing.cookies.visitor"


def test_an_unknown_category_names_the_known_ones() -> None:
    register = Register([category("analytics")])

    with pytest.raises(UnknownCategory, match="There is no category 'analytic' in the register") as refused:
        register["analytic"]

    assert (refused.value.name, refused.value.known) == ("analytic", ("analytics",))
    assert isinstance(refused.value, ConsentWidgetError)


def test_values_do_not_change_once_made() -> None:
    made = category_from_mapping("video", {"title": BOTH, "purpose": BOTH})

    with pytest.raises(AttributeError):
        made.sensitive = True  # type: ignore[misc]
