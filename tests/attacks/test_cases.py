"""No case is forgotten: each line of the data has at least one test that names it."""

import ast
from pathlib import Path

from tests.attacks.cases import all_cases


def test_every_case_has_a_test() -> None:
    """Read from the sources, so that it holds whichever tests were selected for this run."""
    named = {
        argument.value
        for path in Path(__file__).parent.glob("test_*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "attack"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    }

    assert named == set(all_cases())


def test_the_data_is_complete() -> None:
    """All cases of the areas cookie, keys, requests, forgery, caches, hosts, headers, redirects and sign-in."""
    areas = [one.partition("-")[0] for one in all_cases()]

    assert {area: areas.count(area) for area in areas} == {
        "CK": 25,
        "KR": 6,
        "CS": 9,
        "CF": 6,
        "CJ": 5,
        "CA": 6,
        "HH": 4,
        "OR": 8,
        "AU": 12,
    }
