"""The languages of the interface and of the notices."""

from collections.abc import Mapping

#: Language codes (BCP 47) in order of precedence: the first one governs.
LANGUAGES = ("vi", "en")

#: The language whose text governs, and the last resort of every choice.
GOVERNING = LANGUAGES[0]

#: Text in every language of :data:`LANGUAGES`, plain text: ``{"vi": ..., "en": ...}``.
Localized = Mapping[str, str]


def missing_language(text: object) -> str | None:
    """The first language in which ``text`` has no words, or None if it is complete."""
    if not isinstance(text, Mapping):
        return GOVERNING
    for language in LANGUAGES:
        words = text.get(language)
        if not isinstance(words, str) or not words.strip():
            return language
    return None
