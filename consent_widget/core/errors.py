"""Every error of the product, sorted by what the caller does next.

::

    ConsentWidgetError
    ├── StartupError              the host mends its set-up; nothing is served until then
    │   ├── SettingError          a setting or constructor option (`.key`)
    │   ├── RegisterError         the register of categories and cookies (`.field`)
    │   ├── SecretKeyError        SECRET_KEY is missing, short or public
    │   └── SchemaError           the database wants `flask consent upgrade`
    ├── UnknownCategory           the caller names a category that is not registered (`.name`)
    ├── InputError                what a person sent cannot be used (`.code`, `.field`)
    ├── NoticeError               a notice file cannot be imported (`.path`)
    ├── Forbidden                 this person may not do that (`.code`)
    ├── Conflict                  things have moved on since the caller looked (`.code`)
    ├── TooMany                   asked too often (`.retry_after`); try again then
    ├── UnknownVersion            there is no version with this id or number
    ├── UnknownCampaign           there is no campaign with this id
    ├── UnknownSubscription       there is no subscription, or no report about one, with this id
    ├── LedgerError               the ledger was altered, or its key was dropped, and takes no entry
    ├── MailNotSent               a mail to staff was not taken (`.code`); try again
    ├── BackupError               no backup was made; the message says what is in the way
    └── StoreUnavailable          the database did not take the record; try again
        ├── StoreBusy             others wrote the same at this instant; the same again may well succeed
        └── JournalUnavailable    nor the journal of erasures: the host mends CONSENT_WIDGET_ERASURE_FILE

Messages say what happened with the values, then what to do. They carry no
secret and no personal data.
"""


class ConsentWidgetError(Exception):
    """Root of all errors of this package."""


class StartupError(ConsentWidgetError):
    """The host's set-up cannot be served; the message names the cure."""


class SettingError(StartupError):
    """A setting has a wrong name or value; ``key`` is its full name."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key


class RegisterError(StartupError):
    """The register is incomplete; ``field`` is the path of the faulty field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class SecretKeyError(StartupError):
    """The signing key is missing, too short or publicly known. Never holds the key."""


class SchemaError(StartupError):
    """The database is not at the schema this release needs."""


class UnknownCategory(ConsentWidgetError, LookupError):
    """``name`` is no registered category; ``known`` lists those that are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"There is no category {name!r} in the register; it holds {', '.join(known)}. "
            "Declare it as a Category or correct the name."
        )
        self.name = name
        self.known = known


class InputError(ConsentWidgetError):
    """A request holds a value that cannot be used.

    ``code`` is stable and machine-readable, ``field`` the name of the field or
    None; the message is English and for developers, doors translate ``code``.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class NoticeError(ConsentWidgetError):
    """A notice cannot be imported; ``path`` names the file or folder."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class Forbidden(ConsentWidgetError):
    """The person may not do this: ``code`` is ``role`` or ``four_eyes``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Conflict(ConsentWidgetError):
    """What the caller saw is no longer so; nothing was changed.

    ``code`` is ``revision``, ``wrong_state``, ``approval_void`` or ``one_pending``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooMany(ConsentWidgetError):
    """It was asked for too often; ``retry_after`` is in seconds. Nothing was done."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class UnknownVersion(ConsentWidgetError, LookupError):
    """There is no version with this id or number."""


class UnknownCampaign(ConsentWidgetError, LookupError):
    """There is no campaign with this id."""


class UnknownSubscription(ConsentWidgetError, LookupError):
    """There is no subscription, or no report about one, with this id."""


class LedgerError(ConsentWidgetError):
    """The ledger was altered or is not signed by us: nothing is entered, and what is being done is not done either."""

    code = "ledger_altered"


class MailNotSent(ConsentWidgetError):
    """The mail server did not take a mail, or did not say so; ``code`` is that of the reply."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class BackupError(ConsentWidgetError):
    """No backup was made, and nothing was written over; the message says what is in the way."""


class StoreUnavailable(ConsentWidgetError):
    """The database did not answer or did not commit: nothing was saved."""


class StoreBusy(StoreUnavailable):
    """The database gave way to somebody who wrote the same at this instant (SQLSTATE 40001, 40P01)."""


class JournalUnavailable(StoreUnavailable):
    """ERASURE_FILE did not take a line: what it would have told was not done."""
