"""Passwords: stored as hashes of scrypt (RFC 7914), from which nobody can tell them."""

import hashlib
import hmac
import secrets

#: What one hash costs: N and r make 16 MiB of memory, and p does it five times.
COST, BLOCK, REPEATS = 2**14, 8, 5
MAX_MEMORY = 64 * 1024 * 1024


def generate_password_hash(password: str, cost: int = COST) -> str:
    """Return the text to store: the parameters, a salt of its own, and the hash.

    Args:
        password: What its owner typed.
        cost: N of scrypt, a power of two; tests save time with a small one.
    """
    salt = secrets.token_hex(16)
    return f"scrypt:{cost}:{BLOCK}:{REPEATS}${salt}${_hash(password, salt, cost, BLOCK, REPEATS)}"


def check_password_hash(stored: str, password: str) -> bool:
    """Tell whether *stored* was made of *password*; takes the same time for every wrong one."""
    parameters, salt, expected = stored.split("$")
    cost, block, repeats = map(int, parameters.split(":")[1:])
    return hmac.compare_digest(_hash(password, salt, cost, block, repeats), expected)


def _hash(password: str, salt: str, cost: int, block: int, repeats: int) -> str:
    return hashlib.scrypt(
        password.encode(), salt=salt.encode(), n=cost, r=block, p=repeats, maxmem=MAX_MEMORY
    ).hex()


#: The hash of nobody's password: with it, an unknown name takes as long as a wrong password.
NOBODY = f"scrypt:{COST}:{BLOCK}:{REPEATS}${'0' * 32}${'0' * 128}"
