"""No case is forgotten: each line of the data has at least one test that names it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.attacks.cases import all_cases


def test_every_case_has_a_test() -> None:
    """Read from the sources, so that it holds whichever tests were selected for this run."""
    named = set[str]()
    for path in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        lists = {
            target.id: node.value.elts
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        named |= {
            str(one.value)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "attack"
            for one in _arguments(call, lists)
        }

    assert named == set(all_cases())


def _arguments(call: ast.Call, lists: dict[str, list[ast.expr]]) -> Iterator[ast.Constant]:
    """The literal arguments, those of ``*NAME`` among them."""
    for argument in call.args:
        spread = isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Name)
        for one in lists[argument.value.id] if spread else [argument]:  # type: ignore[attr-defined]  # of Starred
            if isinstance(one, ast.Constant):
                yield one


def test_the_data_is_complete() -> None:
    """All cases of the areas that this release has a surface for."""
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
        "XS": 26,
        "UN": 7,
        "SQ": 3,
        "RC": 10,
        "TM": 6,
        "CV": 2,
        "TK": 13,
        "PF": 4,
        "DS": 6,
        "DB": 8,
        "PI": 9,
        "EM": 10,
        "SM": 9,
        "KL": 8,
    }
