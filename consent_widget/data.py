"""Where the data folders are, in a checkout and in an installed wheel alike."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache  # asked for every sentence of a page
def data_dir(name: str) -> Path:
    """The folder ``name`` (``static`` or ``translations``).

    A wheel carries it inside the package; a checkout and an editable install
    keep it beside the package, where setuptools' mapping does not reach.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"consent_widget was installed without its folder {name!r}; install it again.")
