"""Passwords and their hashes."""

import pytest
from flaskr.passwords import NOBODY, check_password_hash, generate_password_hash


def test_password_is_known_by_its_hash() -> None:
    stored = generate_password_hash("correct horse")
    assert check_password_hash(stored, "correct horse")
    assert "correct" not in stored


@pytest.mark.parametrize("wrong", ["", "Correct horse", "correct horse ", "pässword"])
def test_other_passwords_are_not(wrong: str) -> None:
    assert not check_password_hash(generate_password_hash("correct horse", cost=2), wrong)


def test_same_password_has_another_hash_each_time() -> None:
    assert generate_password_hash("same", cost=2) != generate_password_hash("same", cost=2)


def test_nobody_has_a_password() -> None:
    assert not check_password_hash(NOBODY, "")
