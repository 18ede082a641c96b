"""Multi-dicts: DS-1, DS-2, B-031, B-032."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict as Oracle

from erlen.exceptions import BadRequest, BadRequestKeyError
from erlen.wire.multidict import (
    CombinedMultiDict,
    ImmutableDict,
    ImmutableMultiDict,
    MultiDict,
    convert,
)

PAIRS = [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize(
    "source",
    [
        PAIRS,
        tuple(PAIRS),
        iter(PAIRS),
        {"a": ["1", "3"], "b": "2"},
        {"a": ("1", "3"), "b": {"2"}},
        MultiDict(PAIRS),
        ImmutableMultiDict(PAIRS),
    ],
    ids=["list", "tuple", "iterator", "lists", "tuples and sets", "multi-dict", "immutable"],
)
def test_every_source_gives_the_same_content(source: Any) -> None:
    """DS-1: constructor."""
    assert list(MultiDict(source).lists()) == [("a", ["1", "3"]), ("b", ["2"])]


def test_no_source_gives_an_empty_one() -> None:
    empty: MultiDict[str, str] = MultiDict()
    assert not empty
    assert len(empty) == 0


def test_subscript_gives_the_first_value() -> None:
    """B-031."""
    assert MultiDict(PAIRS)["a"] == "1"


def test_missing_key_is_key_error_and_400() -> None:
    """DS-1."""
    with pytest.raises(BadRequestKeyError) as caught:
        MultiDict(PAIRS)["z"]
    assert isinstance(caught.value, KeyError | BadRequest)
    assert caught.value.key == "z"


def test_it_reads_as_a_mapping_of_first_values() -> None:
    d = MultiDict(PAIRS)
    assert dict(d) == {"a": "1", "b": "2"} == {**d}
    assert (list(d), list(d.keys()), list(d.values())) == (["a", "b"], ["a", "b"], ["1", "2"])
    assert "a" in d
    assert "z" not in d


def test_items_tell_first_values_or_with_multi_all() -> None:
    d = MultiDict(PAIRS)
    assert list(d.items()) == [("a", "1"), ("b", "2")]
    assert list(d.items(multi=True)) == [("a", "1"), ("a", "3"), ("b", "2")]
    assert len(d.items(multi=True)) == 3
    assert ("a", "3") in d.items(multi=True)
    assert ("a", "3") not in d.items()


def test_lists_are_copies() -> None:
    d = MultiDict(PAIRS)
    d.getlist("a").append("x")
    for values in d.listvalues():
        values.append("x")
    dict(d.lists())["a"].append("x")
    assert d.getlist("a") == ["1", "3"]


def test_get_falls_back_to_the_default() -> None:
    d = MultiDict(PAIRS)
    assert (d.get("a"), d.get("z"), d.get("z", "9")) == ("1", None, "9")
    assert d.get("b", type=int) == 2
    assert d.get("z", 7, type=int) == 7


@pytest.mark.parametrize(
    "text", ["٣", "1_0", "9" * 5000, "1e3", " 1 ", "", "0x1", "1.0", "9" * 19, str(2**63)]
)
def test_b032_loose_integers_give_the_default(text: str) -> None:
    assert MultiDict([("n", text)]).get("n", -1, type=int) == -1


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("+7", 7), ("-012", -12), ("9" * 18, 10**18 - 1), (str(2**63 - 1), 2**63 - 1)],
)
def test_b032_strict_integers_convert(text: str, value: int) -> None:
    assert MultiDict([("n", text)]).get("n", type=int) == value


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-Infinity", "1e999", "٣", "1_0", " 1", "", ".", "1e", "1" * 65]
)
def test_b032_loose_floats_give_the_default(text: str) -> None:
    assert MultiDict([("n", text)]).get("n", type=float) is None


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("-.5", -0.5), ("1.", 1.0), ("2e3", 2000.0)]
)
def test_finite_floats_convert(text: str, value: float) -> None:
    assert MultiDict([("n", text)]).get("n", type=float) == value


def test_values_that_are_no_text_convert_as_python_does() -> None:
    assert convert(3.9, int) == 3


def test_failing_type_gives_the_default() -> None:
    def refuse(value: str) -> str:
        raise TypeError(value)

    assert MultiDict(PAIRS).get("a", "d", type=refuse) == "d"


def test_getlist_leaves_out_what_does_not_convert() -> None:
    """DS-1, B-031."""
    d = MultiDict([("n", "1"), ("n", "x"), ("n", "3")])
    assert d.getlist("n", type=int) == [1, 3]
    assert d.getlist("z") == []
    assert d.getlist("z", type=int) == []


def test_to_dict_is_flat_or_of_lists() -> None:
    assert MultiDict(PAIRS).to_dict() == {"a": "1", "b": "2"}
    assert MultiDict(PAIRS).to_dict(flat=False) == {"a": ["1", "3"], "b": ["2"]}


def test_equality_compares_every_value() -> None:
    assert MultiDict(PAIRS) == ImmutableMultiDict(PAIRS)
    assert MultiDict(PAIRS) != MultiDict(PAIRS[:2])
    assert MultiDict(PAIRS) == {"a": ["1", "3"], "b": "2"}
    assert MultiDict(PAIRS) != PAIRS


def test_setting_replaces_and_adding_appends() -> None:
    d = MultiDict(PAIRS)
    d["a"] = "x"
    d.add("b", "y")
    d.add("c", "z")
    assert dict(d.lists()) == {"a": ["x"], "b": ["2", "y"], "c": ["z"]}


def test_setlist_replaces_and_without_values_removes() -> None:
    d = MultiDict(PAIRS)
    d.setlist("b", "xy")
    d.setlist("a", [])
    assert dict(d.lists()) == {"b": ["x", "y"]}


def test_setdefault_keeps_what_is_there() -> None:
    d: MultiDict[str, Any] = MultiDict(PAIRS)
    assert (d.setdefault("a", "x"), d.setdefault("c", "x"), d.setdefault("e")) == ("1", "x", None)
    assert d.setlistdefault("a", ["x"]) == ["1", "3"]
    assert d.setlistdefault("d", ["x"]) == ["x"]
    assert d.setlistdefault("f") == []


def test_update_extends() -> None:
    d = MultiDict(PAIRS)
    d.update({"a": ["4"]}, b="5")
    d |= [("c", "6")]
    assert dict(d.lists()) == {"a": ["1", "3", "4"], "b": ["2", "5"], "c": ["6"]}


def test_union_is_a_new_extended_one() -> None:
    d = MultiDict(PAIRS)
    assert (d | {"a": "4"}).getlist("a") == ["1", "3", "4"]
    assert d.getlist("a") == ["1", "3"]
    with pytest.raises(TypeError):
        d | 3  # type: ignore[operator]  # what must fail


def test_popping_removes_the_whole_key() -> None:
    d = MultiDict(PAIRS)
    assert (d.pop("a"), d.pop("a", "x"), d.poplist("b"), d.poplist("b")) == ("1", "x", ["2"], [])
    with pytest.raises(BadRequestKeyError):
        d.pop("a")


def test_popitem_takes_the_last_key() -> None:
    d = MultiDict(PAIRS)
    assert d.popitem() == ("b", "2")
    assert d.popitemlist() == ("a", ["1", "3"])
    with pytest.raises(BadRequestKeyError):
        d.popitem()


def test_deleting_and_clearing() -> None:
    d = MultiDict(PAIRS)
    del d["a"]
    with pytest.raises(BadRequestKeyError):
        del d["a"]
    d.clear()
    assert not d


def test_copies_are_independent_and_deep_ones_wholly() -> None:
    d: MultiDict[str, list[int]] = MultiDict([("a", [1])])
    for shallow in (d.copy(), copy.copy(d)):
        shallow.add("a", [2])
        assert shallow["a"] is d["a"]
    for deep in (d.deepcopy(), copy.deepcopy(d)):
        assert deep == d
        assert deep["a"] is not d["a"]
    assert len(d.getlist("a")) == 1


def test_it_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(ImmutableMultiDict(PAIRS))) == MultiDict(PAIRS)


def test_repr_shows_every_pair() -> None:
    assert repr(MultiDict(PAIRS[:1])) == "MultiDict([('a', '1')])"


MUTATIONS = {
    "add": ("a", "1"),
    "setlist": ("a", []),
    "setdefault": ("a",),
    "setlistdefault": ("a",),
    "update": ({},),
    "pop": ("a",),
    "popitem": (),
    "poplist": ("a",),
    "popitemlist": (),
    "clear": (),
    "__setitem__": ("a", "1"),
    "__delitem__": ("a",),
    "__ior__": ({},),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_immutable_one_refuses_every_change(name: str) -> None:
    """DS-1."""
    with pytest.raises(TypeError, match="read-only"):
        getattr(ImmutableMultiDict(PAIRS), name)(*MUTATIONS[name])


def test_immutable_one_is_hashable_and_its_copy_mutable() -> None:
    """DS-1."""
    d = ImmutableMultiDict(PAIRS)
    assert hash(d) == hash(ImmutableMultiDict(PAIRS))
    assert copy.copy(d) is d
    assert type(d.copy()) is MultiDict
    with pytest.raises(TypeError):
        hash(MultiDict(PAIRS))


def test_combined_first_wins_and_lists_concatenate() -> None:
    """DS-2."""
    d = CombinedMultiDict([MultiDict(PAIRS), MultiDict([("b", "9"), ("c", "8")])])
    assert (d["b"], d.getlist("b"), d["c"], len(d)) == ("2", ["2", "9"], "8", 3)
    assert not CombinedMultiDict()
    with pytest.raises(TypeError):
        d.add("a", "x")


def test_immutable_dict_refuses_change_and_copies_to_a_dict() -> None:
    d = ImmutableDict({"a": 1})
    for change in ("clear", "popitem", "pop", "setdefault", "update", "__setitem__", "__delitem__"):
        with pytest.raises(TypeError, match="ImmutableDict"):
            getattr(d, change)()
    assert d.copy() == {"a": 1}
    assert type(d.copy()) is dict
    assert copy.copy(d) is d
    assert repr(d) == "ImmutableDict({'a': 1})"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text())))
def test_reading_agrees_with_werkzeug(pairs: list[tuple[str, str]]) -> None:
    ours, theirs = MultiDict(pairs), Oracle(pairs)
    assert list(ours.lists()) == list(theirs.lists())
    assert list(ours.items(multi=True)) == list(theirs.items(multi=True))
    assert ours.to_dict() == theirs.to_dict()
