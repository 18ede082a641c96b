"""The session's dict: what counts as a change, and what a closed one refuses."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from erlen.exceptions import SessionClosedError
from erlen.sessions import NullSession, SecureCookieSession, Session, SessionMixin


def ior(session: Session) -> None:
    session |= {"b": 2}


CHANGES: dict[str, Callable[[Any], Any]] = {
    "setitem": lambda session: session.__setitem__("b", 2),
    "delitem": lambda session: session.__delitem__("a"),
    "clear": lambda session: session.clear(),
    "pop": lambda session: session.pop("a"),
    "popitem": lambda session: session.popitem(),
    "setdefault": lambda session: session.setdefault("b", 2),
    "update": lambda session: session.update({"b": 2}, c=3),
    "ior": ior,
    "permanent": lambda session: setattr(session, "permanent", True),
    "regenerate": lambda session: session.regenerate(),
}

READS: dict[str, Callable[[Any], Any]] = {
    "getitem": lambda session: session["a"],
    "get": lambda session: session.get("b"),
    "in": lambda session: "a" in session,
    "len": len,
    "iter": list,
    "items": lambda session: list(session.items()),
    "copy": lambda session: session.copy(),
    "or": lambda session: session | {"b": 2},
    "repr": repr,
    "equal": lambda session: session == {"a": 1},
    "permanent": lambda session: session.permanent,
    "a key that is missing": lambda session: session.pop("b", None),
    "a key that is there": lambda session: session.setdefault("a", 2),
    "not permanent": lambda session: setattr(session, "permanent", False),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_se1_what_changes_it_is_noted(change: Callable[[Any], Any]) -> None:
    session = SecureCookieSession({"a": 1})
    assert not session.modified
    change(session)
    assert session.modified


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_se1_what_leaves_it_alone_is_no_change(read: Callable[[Any], Any]) -> None:
    session = SecureCookieSession({"a": 1})
    read(session)
    assert (session.modified, session) == (False, {"a": 1})


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_b257_a_closed_session_refuses_what_changes_it(change: Callable[[Any], Any]) -> None:
    session = SecureCookieSession({"a": 1})
    session.close()
    with pytest.raises(SessionClosedError, match=r"would be lost\. Change it before the response"):
        change(session)
    assert (session.modified, session) == (False, {"a": 1})


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_b257_a_closed_session_can_be_read(read: Callable[[Any], Any]) -> None:
    session = SecureCookieSession({"a": 1})
    session.close()
    read(session)


def test_what_changes_inside_of_a_value_of_a_closed_session_cannot_be_seen() -> None:
    session = SecureCookieSession({"cart": []})
    session.close()
    session["cart"].append(1)


def test_se1_permanent_is_a_key() -> None:
    session = Session()
    session.permanent = True
    assert (session["_permanent"], session.permanent) == (True, True)
    session.permanent = False
    assert session.permanent is False


def test_se1_setting_permanent_again_is_no_change() -> None:
    session = Session({"_permanent": True})
    session.permanent = True
    assert not session.modified


def test_b260_regenerating_keeps_the_content_under_another_nonce() -> None:
    session = SecureCookieSession({"user": 1})
    session.regenerate()
    first = session["_nonce"]
    session.regenerate()
    assert session["user"] == 1
    assert session["_nonce"] != first
    assert (session.modified, session.regenerated) == (True, True)


def test_a_failing_change_says_what_a_dict_says() -> None:
    session = Session()
    for change in (lambda: session.pop("x"), lambda: session.__delitem__("x"), session.popitem):
        with pytest.raises(KeyError):
            change()
    assert not session.modified


def test_its_repr_names_the_class() -> None:
    assert repr(SecureCookieSession({"a": 1})) == "<SecureCookieSession {'a': 1}>"


# --- the session that cannot be -------------------------------------------------------------------


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_b258_se4_a_null_session_says_how_to_get_a_real_one(change: Callable[[Any], Any]) -> None:
    with pytest.raises(RuntimeError, match=r"no SECRET_KEY .* Set app\.secret_key to 32 random"):
        change(NullSession())


def test_b258_se4_a_null_session_can_be_read() -> None:
    session = NullSession()
    assert (session.get("a"), "a" in session, len(session)) == (None, False, 0)
    assert session.permanent is False


# --- a mapping of one's own -----------------------------------------------------------------------


class Rows(SessionMixin):
    """A session that is no dict."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self.rows[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.check_open()
        self.rows[key] = value

    def __delitem__(self, key: str) -> None:
        self.check_open()
        del self.rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def test_the_mixin_alone_makes_a_session_of_a_mapping() -> None:
    session = Rows()
    assert (session.new, session.modified, session.accessed) == (False, True, False)
    session.permanent = True
    session.regenerate()
    assert (session.permanent, session.regenerated) == (True, True)
    session.close()
    with pytest.raises(SessionClosedError):
        session["a"] = 1
    with pytest.raises(SessionClosedError):
        session.regenerate()
