"""What stands on the envelope of a mail: its Message-ID and the address that its reports come back to.

Both are derived from the row of the delivery, so that a mail that is made again is the same mail.
"""

import re
from hmac import digest

from .address import domain_of
from .links import Links

_VERP = re.compile(r"bounce\+([1-9][0-9]{0,18})-([0-9a-f]{20})@[^@\s]+", re.IGNORECASE)

#: RFC 5321 section 4.5.3.1: an address with its brackets.
_LONGEST = 256

_PURPOSE = "verp"


def message_id(secret: str, campaign_id: int | None, delivery_id: int, domain: str) -> str:
    """``<campaign.delivery.mac@domain>`` (RFC 5322 section 3.6.4); a letter has campaign 0.

    ``secret`` is the campaign's, of a letter the salt of its subscription: without it nobody
    can name a mail that they did not get.
    """
    name = f"{campaign_id or 0}.{delivery_id}"
    mac = digest(secret.encode(), f"consent_widget.message_id {name}".encode(), "sha256").hex()[:20]
    return f"<{name}.{mac}@{domain}>"


def verp(links: Links, mail_from: str, delivery_id: int) -> str:
    """The envelope sender that tells by itself which mail came back, at the domain of ``mail_from``.

    ``bounce+<delivery>-<mac>@domain``, 48 octets at most before the ``@`` (RFC 5321
    section 4.5.3.1.1 allows 64). Nobody can forge a report without the key.
    """
    return f"bounce+{delivery_id}-{links.mac(_PURPOSE, str(delivery_id))}@{domain_of(mail_from)}"


def read_verp(links: Links, address: str) -> int | None:
    """The delivery that ``address`` was made for by :func:`verp`; None for whatever we did not make.

    Servers on the way may have changed its case.
    """
    if len(address) > _LONGEST:
        return None
    found = _VERP.fullmatch(address.strip().strip("<>"))
    if found is None or not links.made(found[2].lower(), _PURPOSE, found[1]):
        return None
    return int(found[1])
