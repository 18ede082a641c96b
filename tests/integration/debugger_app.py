"""What the browser tests of the debugger serve."""

import anyio

from erlen import Erlen
from erlen.debugger import Debugger

app = Erlen("shop")
app.debug = True


async def total_of(prices: list[float]) -> float:
    await anyio.lowlevel.checkpoint()
    return sum(prices)


async def average(prices: list[float], count: int) -> float:
    total = await total_of(prices)
    return total / count


@app.get("/orders/<int:number>")
async def order(number: int) -> str:
    return str(await average([1.5, 2.5], number))


served = Debugger(app)
