"""Who writes the mails, and where the pages are that they lead to."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from ..core.address import clean_address
from .characters import printable


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """Who writes, and where the pages are.

    ``name``, ``address`` and ``contact`` are the controller's, plain; ``mail_from`` a bare
    address; ``public_base`` is PUBLIC_URL and URL_PREFIX without a slash at the end;
    ``mail_domain`` names the list and the sender to big mail services, and does not change
    while a campaign runs.

    Raises:
        InputError: ``mail_from`` is no address.
    """

    name: str
    address: str = ""
    contact: str = ""
    mail_from: str
    public_base: str
    timezone: ZoneInfo
    mail_domain: str

    def __post_init__(self) -> None:
        for field in ("name", "address", "contact"):
            object.__setattr__(self, field, printable(getattr(self, field)))
        object.__setattr__(self, "mail_from", clean_address(self.mail_from))
        object.__setattr__(self, "public_base", _ascii_url(self.public_base))


def _ascii_url(url: str) -> str:
    """``url`` as the wire wants it (RFC 3986): the name of a host in IDNA, the rest in percent signs."""
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    return f"{parts.scheme}://{host}{quote(parts.path, safe='/%~.-_')}"
