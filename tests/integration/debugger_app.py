"""What the browser tests of the debugger serve, by ``erlen run --debug``."""

import anyio

from erlen import Erlen, request, websocket

app = Erlen("shop")
app.secret_key = "a key of this shop"


async def total_of(prices: list[float]) -> float:
    await anyio.lowlevel.checkpoint()
    return sum(prices)


async def average(prices: list[float], count: int) -> float:
    total = await total_of(prices)
    return total / count


@app.get("/orders/<int:number>")
async def order(number: int) -> str:
    return str(await average([1.5, 2.5], number))


@app.post("/orders")
async def create() -> str:
    raise LookupError(request.method)


@app.get("/form")
async def form() -> str:
    return (
        '<form method="post" action="/orders"><input name="item" value="bread"><button>Go</button>'
    )


async def reserve(item: str) -> None:
    await anyio.lowlevel.checkpoint()
    raise LookupError(item)


@app.get("/group")
async def group() -> str:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reserve, "bread")
    return ""


async def poll() -> None:
    await anyio.sleep_forever()


@app.get("/poll")
async def start_poll() -> str:
    app.add_background_task(poll)
    return ""


@app.websocket("/talk")
async def talk() -> None:
    async for message in websocket:
        raise ValueError(message)
