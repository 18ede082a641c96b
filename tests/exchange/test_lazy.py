"""Attributes that are computed once."""

from erlen.exchange.lazy import lazy


class Counted:
    calls = 0

    @lazy
    def value(self) -> int:
        """The value."""
        self.calls += 1
        return 41 + self.calls


def test_it_is_computed_at_the_first_use_and_then_kept() -> None:
    counted = Counted()
    assert (counted.calls, counted.value, counted.value, counted.calls) == (0, 42, 42, 1)


def test_it_may_be_assigned() -> None:
    counted = Counted()
    counted.value = 7
    assert (counted.value, counted.calls) == (7, 0)


def test_on_the_class_it_is_itself_with_its_docstring() -> None:
    assert isinstance(Counted.value, lazy)
    assert Counted.value.__doc__ == "The value."
