"""The settings: every key with its default, its unit and its check.

Read once, when the extension is initialised, into one frozen value:
defaults, then constructor arguments, then ``app.config``.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from re import compile as compile_pattern
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from .core.address import clean_address
from .core.category import Category, Cookie, Register, Service, category_from_mapping
from .core.consent import LIFETIME
from .core.errors import InputError, SettingError
from .core.notice import ChangeClass
from .mail.url import check_url

PREFIX = "CONSENT_WIDGET_"

_PATH = compile_pattern(r"[A-Za-z0-9/._~-]+")

_DEFAULTS = Path(__file__).with_name("categories.toml")


@dataclass(frozen=True, kw_only=True)
class Controller:
    """Who decides about the data (Law 91/2025/QH15 Art. 9(2)(b)); plain text."""

    name: str
    address: str = ""
    contact: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one app. ``docs/reference/settings.md`` describes each."""

    controller: Controller
    database_url: str | None = None
    public_url: str | None = None
    url_prefix: str = "/privacy"
    cookie_name: str = "consent"
    cookie_domain: str | None = None
    undeclared_cookies: str = "report"
    shared_cache: bool = False
    base_template: str = "consent_widget/base.html"
    categories_file: str | None = None
    timezone: ZoneInfo = ZoneInfo("Asia/Ho_Chi_Minh")
    schedule_seconds: int = 30
    lead_days: Mapping[ChangeClass, int]
    mail_url: str | None = None
    mail_from: str | None = None
    queue_url: str | None = None
    erasure_file: str | None = None
    gpc_declared: bool = False

    def secure_prefix(self) -> str:
        """The prefix a cookie name has over https (RFC 6265bis section 4.1.3)."""
        return "__Secure-" if self.cookie_domain else "__Host-"


def check_option_names(given: Iterable[str], others: Iterable[str]) -> None:
    """Refuse a constructor option that is neither a setting nor one of the ``others``.

    Raises:
        SettingError: names the unknown option and the nearest one.
    """
    known = {name: f"{name}=..." for name in (*others, *_NAMES)}
    for name in given:
        if name not in known:
            hint = _hint(name.lower().removeprefix(PREFIX.lower()), known)
            raise SettingError(f"ConsentWidget({name}=...)", f"there is no such option; {hint}")


def read_settings(
    config: Mapping[str, Any], options: Mapping[str, Any], others: Iterable[str] = ()
) -> Settings:
    """The settings out of ``app.config`` and of constructor ``options``, whose names are checked already.

    ``others`` are the constructor's options that are no settings: one in ``app.config`` is in the wrong place.

    Raises:
        SettingError: a name is unknown (the nearest is named) or a value does not fit.
    """
    given = dict(options)
    for key, value in config.items():
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX).lower()
            if name not in _NAMES:
                known = {one: f"ConsentWidget({one}=...)" for one in others}
                hint = _hint(name, known | {one: PREFIX + one.upper() for one in _NAMES})
                raise SettingError(key, f"there is no such setting; {hint}")
            given[name] = value
    given.setdefault("controller", None)
    given.setdefault("lead_days", {})
    return Settings(**{name: _CHECKS[name](PREFIX + name.upper(), value) for name, value in given.items()})


_NAMES = tuple(field.name for field in fields(Settings))


def _hint(name: str, known: Mapping[str, str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {known[near[0]]}?" if near else f"known are {', '.join(known.values())}."


def _controller(key: str, value: Any) -> Controller:
    example = '{"name": "Example Ltd", "address": "1 Example Street", "contact": "privacy@example.com"}'
    if not isinstance(value, Mapping) or not str(value.get("name") or "").strip():
        raise SettingError(
            key,
            f"the name of the controller is missing; visitors must be told who asks. Set it to {example}.",
        )
    unknown = set(value) - {"name", "address", "contact"}
    if unknown:
        raise SettingError(key, f"does not know {sorted(unknown)[0]!r}; it takes name, address and contact.")
    return Controller(**{part: str(words or "").strip() for part, words in value.items()})


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SettingError(key, f"must be text, not {value!r}.")
    return value


def _optional_text(key: str, value: Any) -> str | None:
    return None if value is None else _text(key, value)


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingError(key, f"must be True or False, not {value!r}.")
    return value


def _seconds(key: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 3600:
        raise SettingError(key, f"must be a whole number of seconds from 1 to 3600, not {value!r}.")
    return value


def _url_prefix(key: str, value: Any) -> str:
    text = _text(key, value)
    if not text.startswith("/") or text.startswith("//") or text.endswith("/") or not _PATH.fullmatch(text):
        raise SettingError(
            key, f"must start with one slash and not end with one, like /privacy, not {value!r}."
        )
    return text


def _public_url(key: str, value: Any) -> str | None:
    if value is None:
        return None
    parts = urlsplit(_text(key, value))
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise SettingError(key, f"must be an address like https://www.example.com, not {value!r}.")
    return str(value).rstrip("/")


def _queue_url(key: str, value: Any) -> str | None:
    if value is None:
        return None
    text = _text(key, value)
    scheme, _, rest = text.partition(":")
    kind = scheme.partition("+")[0]
    # The address may hold a password: it is not repeated.
    if kind not in ("sqlite", "postgresql", "redis", "rediss") or not rest.strip("/"):
        raise SettingError(
            key,
            "must be an address like sqlite:////srv/site/queue.db, postgresql://user:password@host/name or "
            "redis://:password@host:6379/0.",
        )
    if kind == "sqlite" and rest.strip("/") == ":memory:":
        raise SettingError(key, "must be a file: a queue in memory is seen by no other process.")
    return text


def _erasure_file(key: str, value: Any) -> str | None:
    if value is None:
        return None
    text = _text(key, value)
    if not Path(text).is_absolute():
        raise SettingError(
            key,
            f"must be a whole path like /srv/site/erasures.jsonl, the same for each process, not {value!r}.",
        )
    return text


def _mail_url(key: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise SettingError(key, f"must be text, not {type(value).__name__}.")
    try:
        check_url(value)
    except ValueError as error:
        # The value may hold a password: neither it nor an error about a piece of it is passed on.
        raise SettingError(key, str(error)) from None
    return value


def _mail_from(key: str, value: Any) -> str | None:
    if value is None:
        return None
    try:
        return clean_address(_text(key, value))
    except InputError:
        raise SettingError(
            key, f"must be an e-mail address alone, like privacy@example.com, not {value!r}."
        ) from None


def _cookie_name(key: str, value: Any) -> str:
    text = _text(key, value)
    if not text.isascii() or not text.replace("_", "").replace("-", "").isalnum() or text.startswith("__"):
        raise SettingError(
            key, f"use letters, digits, - and _ (the prefix __Host- is added by itself), not {value!r}."
        )
    return text


def _cookie_domain(key: str, value: Any) -> str | None:
    if value is None:
        return None
    text = _text(key, value).lstrip(".")
    if "." not in text or any(char in text for char in "/:;, "):
        raise SettingError(key, f"must be a domain like example.com, not {value!r}.")
    return text


def _undeclared(key: str, value: Any) -> str:
    if value not in ("report", "block"):
        raise SettingError(key, f"must be 'report' or 'block', not {value!r}.")
    return str(value)


def _timezone(key: str, value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ValueError, TypeError, OSError, LookupError) as error:
        raise SettingError(key, f"{value!r} is no IANA time zone like Asia/Ho_Chi_Minh.") from error


def _lead_days(key: str, value: Any) -> dict[ChangeClass, int]:
    defaults = {ChangeClass.EDITORIAL: 0, ChangeClass.IMPORTANT: 15, ChangeClass.MATERIAL: 30}
    if not isinstance(value, Mapping):
        raise SettingError(key, f"must map change classes to days, not {value!r}.")
    for name, days in value.items():
        if name not in list(ChangeClass) or type(days) is not int or not 0 <= days <= 3650:
            raise SettingError(
                key, f"{name!r}: {days!r} does not fit; use editorial, important, material and whole days."
            )
        defaults[ChangeClass(name)] = days
    return defaults


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "controller": _controller,
    "database_url": _optional_text,
    "public_url": _public_url,
    "url_prefix": _url_prefix,
    "cookie_name": _cookie_name,
    "cookie_domain": _cookie_domain,
    "undeclared_cookies": _undeclared,
    "shared_cache": _flag,
    "base_template": _text,
    "categories_file": _optional_text,
    "timezone": _timezone,
    "schedule_seconds": _seconds,
    "lead_days": _lead_days,
    "mail_url": _mail_url,
    "mail_from": _mail_from,
    "queue_url": _queue_url,
    "erasure_file": _erasure_file,
    "gpc_declared": _flag,
}


def read_register(categories_file: str | None, declared: Iterable[Category], own: Category) -> Register:
    """The default register, extended by ``own`` cookies, a TOML file and ``declared`` categories.

    Raises:
        SettingError: the file cannot be read.
        RegisterError: a declaration is incomplete; names the field.
    """
    found = _categories(_DEFAULTS, {})
    known = {category.name: category for category in found}
    found.append(own)
    if categories_file is not None:
        found += _categories(Path(categories_file), known)
    return Register([*found, *declared])


def _categories(path: Path, known: Mapping[str, Category]) -> list[Category]:
    key = PREFIX + "CATEGORIES_FILE"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(key, f"{path} cannot be read: {type(error).__name__}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingError(key, f"{path} is no TOML: {error}.") from error
    tables = data.pop("categories", {})
    if data or not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise SettingError(key, f"{path} must hold tables [categories.<name>] and nothing else.")
    return [category_from_mapping(name, table, known.get(name)) for name, table in tables.items()]


#: Nobody else receives what these cookies hold.
_ON_THIS_SITE = {"vi": "ngay trên trang web này", "en": "on this website"}


def own_cookies(settings: Settings, *, session: str, remember: str) -> Category:
    """The necessary cookies of this package, of Flask's session and of Flask-Login."""
    name, here = settings.cookie_name, settings.controller.name
    choice = Service(
        name={"vi": "Lựa chọn về cookie", "en": "Cookie choice"},
        provider=here,
        country=_ON_THIS_SITE,
        purpose={"vi": "Ghi nhớ lựa chọn của bạn về cookie.", "en": "Remembers your choice about cookies."},
        cookies=(
            *(
                Cookie(
                    name=f"{prefix}{name}{suffix}",
                    lifetime=LIFETIME,
                    domains=(settings.cookie_domain,),
                    justification={
                        "vi": "Không có cookie này, trang web phải hỏi lại bạn ở mỗi trang.",
                        "en": "Without it the site would have to ask you again on every page.",
                    },
                )
                for suffix in ("", "_view")
                for prefix in (settings.secure_prefix(), "")
            ),
            Cookie(
                name=f"{name}_seen",
                domains=(settings.cookie_domain,),
                justification={
                    "vi": "Ghi nhớ rằng bạn đã ẩn thông báo về phiên bản chính sách sắp tới.",
                    "en": "Remembers that you have hidden the message about a coming version of the policy.",
                },
            ),
        ),
    )
    sign_in = Service(
        name={"vi": "Phiên làm việc và đăng nhập", "en": "Session and sign-in"},
        provider=here,
        country=_ON_THIS_SITE,
        purpose={
            "vi": "Giữ phiên làm việc và phiên đăng nhập của bạn.",
            "en": "Keeps your session and your sign-in.",
        },
        cookies=(
            Cookie(
                name=session,
                justification={
                    "vi": "Nhận ra bạn giữa các trang trong cùng một phiên và bảo vệ các biểu mẫu.",
                    "en": "Recognises you between the pages of one session and protects forms.",
                },
            ),
            Cookie(
                name=remember,
                lifetime=timedelta(days=365),
                justification={
                    "vi": "Giữ bạn ở trạng thái đăng nhập khi bạn yêu cầu.",
                    "en": "Keeps you signed in where you asked for it.",
                },
            ),
        ),
    )
    known = {category.name: category for category in _categories(_DEFAULTS, {})}["necessary"]
    return replace(known, services=(choice, sign_in))
