"""The register: which categories, services and cookies a host declares.

A category is what a visitor decides about, a service is a vendor within it, a
cookie is what the service stores. The register is read once at start-up; an
incomplete one is refused there, so that no visitor is ever asked about
something that is not explained (Law 91/2025/QH15 Art. 9(2)).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from fnmatch import fnmatchcase, translate
from re import Pattern
from re import compile as compile_pattern

from .errors import RegisterError, UnknownCategory
from .language import GOVERNING, Localized, missing_language

#: What browsers take for a name or an attribute (RFC 6265bis section 5.6), without white space and commas.
_COOKIE_NAME = compile_pattern(r"[^\x00-\x20\x7f;,=]+")
_COOKIE_PATH = compile_pattern(r"/[^\x00-\x1f\x7f;]*")
_COOKIE_DOMAIN = compile_pattern(r"[^\x00-\x20\x7f;,=/:]*")


@dataclass(frozen=True)
class Cookie:
    """One cookie a service stores, by exact ``name`` or by shell ``pattern`` (``_ga_*``).

    ``lifetime`` is a timedelta, seconds, or words; None is a session cookie.
    ``paths`` and ``domains`` are where it may have been set (None: the host
    itself): withdrawal expires it over all of them. ``justification`` says why
    a necessary cookie needs no consent, plain text or one per language.
    """

    name: str | None = None
    pattern: str | None = None
    lifetime: timedelta | int | str | Localized | None = None
    paths: tuple[str, ...] = ("/",)
    domains: tuple[str | None, ...] = (None,)
    justification: str | Localized | None = None

    def __post_init__(self) -> None:
        if bool(self.name) == bool(self.pattern):
            raise RegisterError("cookie.name", "give either a name or a pattern, one of the two.")
        name: object = self.label  # a TOML file may hold anything
        if not (isinstance(name, str) and _COOKIE_NAME.fullmatch(name)):
            raise RegisterError(
                "cookie.name", f"{name!r} is no name of a cookie; it holds no space and none of ; , =."
            )
        if type(self.lifetime) is int:
            object.__setattr__(self, "lifetime", timedelta(seconds=self.lifetime))
        if not isinstance(self.lifetime, timedelta | str | None) and missing_language(self.lifetime):
            raise RegisterError(
                f"cookie {self.label}.lifetime", "give whole seconds, or words, one text or one per language."
            )
        for field, shape, example in (
            ("paths", _COOKIE_PATH, '["/", "/shop"]'),
            ("domains", _COOKIE_DOMAIN, '["shop.example"]'),
        ):
            where = f"cookie {self.label}.{field}"
            values = _tuple(getattr(self, field), where)
            # TOML has no null: an empty domain is the host itself.
            if not values or not all(
                isinstance(one, str | None) and shape.fullmatch(one or "") for one in values
            ):
                raise RegisterError(where, f"must be a list such as {example}, not {values!r}.")
            object.__setattr__(self, field, tuple(one or None for one in values))

    @property
    def label(self) -> str:
        """The name or the pattern, as printed in the cookie table."""
        return self.name or self.pattern or ""

    def covers(self, name: str) -> bool:
        """Whether a cookie called ``name`` is the one declared here; case matters (RFC 6265)."""
        return name == self.name if self.pattern is None else fnmatchcase(name, self.pattern)


@dataclass(frozen=True)
class Service:
    """A vendor within a category: who receives data, in which country, for what.

    ``name``, ``provider`` and ``country`` are plain text, one for all or one per
    language; ``purpose`` is one per language; ``origins`` are the origins its
    scripts and frames come from (``https://media.example``).
    """

    name: str | Localized
    provider: str | Localized
    country: str | Localized
    purpose: Localized
    cookies: tuple[Cookie, ...] = ()
    origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"services.{_label(self.name)}"
        for field in ("name", "provider", "country"):
            value = getattr(self, field)
            if missing_language(value) if isinstance(value, Mapping) else not str(value or "").strip():
                raise RegisterError(
                    f"{where}.{field}", "is missing; visitors must be told (Law 91/2025 Art. 9)."
                )
        _complete(f"{where}.purpose", self.purpose)
        object.__setattr__(self, "cookies", _tuple(self.cookies, f"{where}.cookies"))
        object.__setattr__(self, "origins", _tuple(self.origins, f"{where}.origins"))


@dataclass(frozen=True)
class Category:
    """What a visitor decides about. ``title`` and ``purpose`` are plain text per language.

    A ``necessary`` category needs no consent and cannot be refused; each of its
    cookies carries a justification. A ``sensitive`` one is named as sensitive
    personal data where consent is asked (Decree 356/2025 Art. 4 and 6).

    Raises:
        RegisterError: a purpose, a language or a justification is missing, or
            ``default`` asks for consent by default, which Decree 356/2025
            Art. 6(3) and GDPR recital 32 forbid.
    """

    name: str
    title: Localized
    purpose: Localized
    necessary: bool = False
    sensitive: bool = False
    services: tuple[Service, ...] = ()
    default: bool = False

    def __post_init__(self) -> None:
        where = f"categories.{self.name or '?'}"
        if not _NAME.fullmatch(self.name or ""):
            raise RegisterError(
                f"{where}.name", "use 1 to 32 small letters, digits or underscores, a letter first."
            )
        if self.default and not self.necessary:
            raise RegisterError(
                f"{where}.default",
                "an optional category cannot be on by default (Decree 356/2025 Art. 6(3)); remove it.",
            )
        for field in ("necessary", "sensitive"):
            if not isinstance(getattr(self, field), bool):
                raise RegisterError(f"{where}.{field}", "must be true or false.")
        _complete(f"{where}.title", self.title)
        _complete(f"{where}.purpose", self.purpose)
        object.__setattr__(self, "services", _tuple(self.services, f"{where}.services"))
        if self.necessary:
            for cookie in self.cookies:
                words = cookie.justification
                if missing_language(words) if isinstance(words, Mapping) else not str(words or "").strip():
                    raise RegisterError(
                        f"{where}.cookies.{cookie.label}.justification",
                        "is stored without consent: say why it is necessary, in every language.",
                    )

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        return tuple(cookie for service in self.services for cookie in service.cookies)

    def extended(self, other: "Category") -> "Category":
        """This category with the words and services of ``other`` added.

        What is necessary or sensitive stays so: a host cannot clear the mark
        by repeating the name.

        Raises:
            RegisterError: ``other`` would make what visitors decide about necessary.
        """
        if other.necessary and not self.necessary:
            raise RegisterError(
                f"categories.{self.name}.necessary", "visitors decide about this category; name another one."
            )
        return replace(
            other,
            necessary=self.necessary,
            sensitive=self.sensitive or other.sensitive,
            services=self.services + other.services,
        )


_NAME = compile_pattern(r"[a-z][a-z0-9_]{0,31}")


class Register:
    """All categories of one host, immutable, looked up by category and cookie name."""

    def __init__(self, categories: Iterable[Category]) -> None:
        merged: dict[str, Category] = {}
        for category in categories:
            known = merged.get(category.name)
            merged[category.name] = known.extended(category) if known else category
        #: Necessary categories first, then the order of declaration.
        self.categories = tuple(sorted(merged.values(), key=lambda one: not one.necessary))
        self.optional = tuple(one.name for one in self.categories if not one.necessary)
        self.names = tuple(one.name for one in self.categories)
        self._by_name = {one.name: one for one in self.categories}
        self._by_cookie: dict[str, str] = {}
        self._by_pattern: list[tuple[Pattern[str], str]] = []
        for category in self.categories:
            for cookie in category.cookies:
                self._claim(category, cookie)

    def _claim(self, category: Category, cookie: Cookie) -> None:
        if cookie.pattern is not None:
            self._by_pattern.append((compile_pattern(translate(cookie.pattern)), category.name))
            return
        owner = self._by_cookie.setdefault(cookie.label, category.name)
        if owner != category.name:
            raise RegisterError(
                f"categories.{category.name}.cookies.{cookie.label}",
                f"is declared in {owner!r} already; a cookie belongs to one category.",
            )

    def __iter__(self) -> Iterator[Category]:
        return iter(self.categories)

    def __getitem__(self, name: str) -> Category:
        """The category ``name``; raises UnknownCategory."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownCategory(name, self.names) from None

    def lookalikes(self, category: Category) -> tuple[str, ...]:
        """What the patterns of ``category`` must leave alone: names, and patterns that go before them."""
        patterns = [cookie for cookie in category.cookies if cookie.pattern is not None]
        if not patterns:
            return ()
        names = [
            name
            for name, owner in self._by_cookie.items()
            if owner != category.name and any(one.covers(name) for one in patterns)
        ]
        earlier = self.categories[: self.names.index(category.name)]
        return (*names, *(one.pattern for before in earlier for one in before.cookies if one.pattern))

    def category_of(self, cookie_name: str) -> str | None:
        """The category that declares the cookie, exact names before patterns; None if undeclared."""
        owner = self._by_cookie.get(cookie_name)
        if owner is not None:
            return owner
        for pattern, category in self._by_pattern:
            if pattern.match(cookie_name):
                return category
        return None


def category_from_mapping(name: str, data: Mapping[str, object], known: Category | None = None) -> Category:
    """A category from a TOML table with the keys of the dataclasses.

    ``known`` lends title and purpose to a table that only adds services.

    Raises:
        RegisterError: a key is unknown or a value does not fit; names the path.
    """
    where = f"categories.{name}"
    values = _keys(where, data, Category)
    if known is not None:
        values.setdefault("title", known.title)
        values.setdefault("purpose", known.purpose)
    values["services"] = tuple(
        _service(f"{where}.services", table)
        for table in _tables(f"{where}.services", values.get("services", ()))
    )
    for field in ("title", "purpose"):
        _complete(f"{where}.{field}", values.get(field))
    values["name"] = name
    return Category(**values)  # type: ignore[arg-type]  # the dataclasses check what they are given


def _service(where: str, table: Mapping[str, object]) -> Service:
    where = f"{where}.{_label(table.get('name'))}"
    values = _keys(where, table, Service)
    values["cookies"] = tuple(
        Cookie(**_keys(f"{where}.cookies", cookie, Cookie))  # type: ignore[arg-type]
        for cookie in _tables(f"{where}.cookies", values.get("cookies", ()))
    )
    for field in ("name", "provider", "country", "purpose"):
        if field not in values:
            raise RegisterError(f"{where}.{field}", "is missing; visitors must be told (Law 91/2025 Art. 9).")
    return Service(**values)  # type: ignore[arg-type]


def _label(name: object) -> str:
    """What messages call a service."""
    return str((name.get(GOVERNING) if isinstance(name, Mapping) else name) or "?")


def _keys(where: str, table: Mapping[str, object], shape: type) -> dict[str, object]:
    allowed = [field.name for field in fields(shape)]
    for key in table:
        if key not in allowed:
            raise RegisterError(f"{where}.{key}", f"is no known key; known are {', '.join(allowed)}.")
    return dict(table)


def _tables(where: str, value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
        raise RegisterError(where, "must be a list of tables.")
    return list(value)


def _tuple(value: object, where: str) -> tuple[object, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise RegisterError(where, "must be a list.")
    return tuple(value)


def _complete(where: str, text: object) -> None:
    language = missing_language(text)
    if language is not None:
        raise RegisterError(
            f"{where}.{language}", "is missing; every title and purpose stands in Vietnamese and English."
        )
