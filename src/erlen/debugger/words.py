"""Floor 8: the names that every console knows, where the code that failed has no others of them."""

from erlen.app import current_app
from erlen.links import url_for
from erlen.proxies import g, request, websocket
from erlen.sessions.current import session

#: Name → what it stands for in the exchange that failed.
WORDS: dict[str, object] = {
    "current_app": current_app,
    "g": g,
    "request": request,
    "session": session,
    "url_for": url_for,
    "websocket": websocket,
}
