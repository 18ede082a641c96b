"""Flask, under the adapter from WSGI."""

from a2wsgi import WSGIMiddleware
from flask import Flask

flask = Flask(__name__)


@flask.get("/")
def hello() -> str:
    return "Hello, World!"


app = WSGIMiddleware(flask)
