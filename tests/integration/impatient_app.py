"""The application for clients that do not read."""

from tests.integration.app import make_app

#: Seconds in which a client must take something.
TIMEOUT = 0.4

app = make_app()
app.config["SEND_TIMEOUT"] = TIMEOUT
