"""BlackSheep."""

from blacksheep import Application, get

app = Application()


@get("/")
async def hello() -> str:
    return "Hello, World!"
