"""The page about lifetimes says what the tests prove."""

from tests.matrix.printing import PAGE, PART, page
from tests.matrix.table import MATRICES


def test_the_page_prints_the_table() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "Print it anew: python -m tests.matrix.printing"


def test_the_page_prints_every_matrix() -> None:
    names = {found[2] for found in PART.finditer(PAGE.read_text())}
    assert names == {*MATRICES, "lives", "fates", "outcomes", "kinds", "impossible"}
