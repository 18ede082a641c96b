"""Floor 5: the keys by which sessions are signed, and whether anybody could guess them."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from erlen.exceptions import SetupError

#: Bytes below which a key is searched through rather than guessed.
SHORTEST = 16

#: Keys of tutorials, in lower case. SAFETY: whoever knows the key writes any session he likes.
EXAMPLES = frozenset(
    {
        "192b9bdd22ab9ed4d12e236c78afcd9a393ec15f71bbf5dc987d54727823bcbf",
        '_5#y2l"f4q8z\\n\\xec]/',
        "a-very-secret-key",
        "change-me",
        "change me",
        "change-this-secret-key",
        "changeme",
        "change_me",
        "dev",
        "development",
        "development key",
        "development-secret-key",
        "insecure",
        "key",
        "my-secret-key",
        "my_secret_key",
        "mysecretkey",
        "password",
        "secret",
        "secret key",
        "secret-key",
        "secret_key",
        "super secret key",
        "super-secret",
        "super-secret-key",
        "super_secret_key",
        "supersecret",
        "supersecretkey",
        "test",
        "test-secret-key",
        "testing",
        "thisisasecretkey",
        "this-is-a-secret-key",
        "this-should-be-changed",
        "top-secret-key",
        "you-will-never-guess",
        "your-secret-key",
        "your_secret_key",
        "your-secret-key-here",
    }
)


def signing_keys(config: Mapping[str, Any]) -> tuple[str | bytes, ...]:
    """Return the keys that verify, in the order of itsdangerous: the last one signs.

    Returns:
        ``SECRET_KEY_FALLBACKS`` and then ``SECRET_KEY``; nothing without the latter.
    """
    key = config["SECRET_KEY"]
    return (*(config["SECRET_KEY_FALLBACKS"] or ()), key) if key else ()


def check_secret_key(config: Mapping[str, Any], debug: bool) -> list[str]:
    """Return what is wrong with the keys, as sentences for the log; called at the freeze.

    Nothing is wrong in debug mode and in tests.

    Args:
        config: ``SECRET_KEY``, ``SECRET_KEY_FALLBACKS`` and ``TESTING`` are read.
        debug: Whether the application runs in debug mode.

    Raises:
        SetupError: Something is wrong and the environment says ``ERLEN_ENV=production``.
    """
    if debug or config["TESTING"]:
        return []
    warnings = list(_weaknesses(signing_keys(config)))
    if warnings and os.environ.get("ERLEN_ENV") == "production":
        raise SetupError(" ".join(warnings))
    return warnings


def _weaknesses(keys: Iterable[str | bytes]) -> Iterable[str]:
    """Say what is wrong with each key; never the key."""
    *fallbacks, current = keys or (b"",)
    for name, key in (("SECRET_KEY", current), *(("SECRET_KEY_FALLBACKS", k) for k in fallbacks)):
        size = len(key.encode() if isinstance(key, str) else key)
        text = key if isinstance(key, str) else repr(key)[2:-1]
        if text.lower() in EXAMPLES:
            found = "is a key of documentations, which everybody can read"
        elif 0 < size < SHORTEST:
            found = f"has {size} bytes, which a computer can search through"
        else:
            continue
        yield (
            f"{name} {found}, so that anybody can forge sessions. Set one of 32 random bytes, such "
            "as \"python -c 'import secrets; print(secrets.token_hex())'\" prints."
        )
