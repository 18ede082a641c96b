"""erlen."""

from erlen import Erlen

app = Erlen(__name__)


@app.get("/")
async def hello() -> str:
    return "Hello, World!"
