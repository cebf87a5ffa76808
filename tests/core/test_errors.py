"""Every error of ours has one root, so that a host can catch them all."""

import inspect

import pytest

from consent_widget import ConsentWidgetError
from consent_widget.core import errors

_CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("error", _CLASSES, ids=lambda one: one.__name__)
def test_every_error_has_one_root_and_stands_in_the_drawn_tree(error: type) -> None:
    assert issubclass(error, ConsentWidgetError)
    assert error.__name__ in (errors.__doc__ or "")
