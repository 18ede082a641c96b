"""Floor 5: ``session``: a name for the session of the running exchange."""

from typing import cast

from erlen.proxies import Proxy
from erlen.sessions.session import SessionMixin

session = cast(SessionMixin, Proxy("session"))
