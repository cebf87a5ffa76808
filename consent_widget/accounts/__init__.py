"""Staff sign-in for hosts that have none of their own: `pip install consent-widget[accounts]`.

A door of its own, apart from the host's session, users and extensions: its
tables, its two cookies, its pages below `/privacy/admin`.
"""

from .wiring import StaffAccounts as StaffAccounts
