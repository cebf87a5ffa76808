"""Privacy notices and cookie consent for Flask sites."""

from .core.category import Category as Category
from .core.category import Cookie as Cookie
from .core.category import Service as Service
from .core.errors import ConsentWidgetError as ConsentWidgetError
from .core.staff import Staff as Staff
from .extension import ConsentWidget as ConsentWidget
from .web.consent import current_consent as current_consent
