"""Floor 5: from a template and the running context to text, whole or in chunks."""

import inspect
from collections import ChainMap
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, closing
from time import perf_counter
from typing import Any, Protocol, TypeAlias, cast

import jinja2
from anyio.lowlevel import checkpoint
from blinker import NamedSignal

from erlen.context import Context, current
from erlen.signals import before_render_template, emit, template_rendered
from erlen.templating.environment import Environment
from erlen.templating.skeletons import PARENT

#: A template, its name, or several of which the first that exists is meant.
Named: TypeAlias = str | jinja2.Template | Sequence[str | jinja2.Template]

#: Characters of a chunk of a stream: of the first, so that a browser can begin with the head of the
#: page, and of the others.
FIRST_CHUNK, CHUNK = 1024, 8 * 1024
#: Seconds after which a chunk is given although it is short.
CHUNK_SECONDS = 0.01
#: What is rendered before a look at the clock: characters, of which each fragment counts 64 more.
#: 100 fragments of a table take about a tenth of a millisecond; of filters, one.
LOOK = 6 * 1024
#: Looks, and seconds, after which other tasks get a turn.
LOOKS, TURN_SECONDS = 16, 0.001


class Fragments(Protocol):
    """What can be iterated once, and closed before its end."""

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """End it now."""
        ...


class Renderer:
    """Renders templates of the running context's application in the task that awaits it.

    The methods of the last section are where it waits for something, or lets others run. Who
    renders elsewhere (``erlen.sync``, in a thread) has others there; the rest is the same.
    """

    async def render_template(self, template_name_or_list: Named, /, **context: Any) -> str:
        """Render a template of the current application.

        Args:
            template_name_or_list: A name, a template, or a list of which the first that exists is
                rendered.
            context: Variables of the template; they win over those of context processors, of which
                the innermost blueprint's win, which win over the environment's globals.

        Raises:
            TemplateNotFound: No loader has it.
            OutsideContextError: There is no application context.
            Exception: What the template raised, itself, with the template's lines in its traceback.
        """
        return await self._render(self.find(template_name_or_list), context)

    async def render_template_string(self, source: str, /, **context: Any) -> str:
        """Render the template *source*; the rest as :meth:`render_template`.

        Never pass text of a user as *source*: a template can run code. Pass it as a variable.
        """
        return await self._render(self.environment().from_string(source), context)

    async def stream_template(
        self, template_name_or_list: Named, /, **context: Any
    ) -> AsyncGenerator[str, None]:
        """Render a template in chunks, for a page that is large or whose parts come slowly.

        The template is found and its variables are computed here; it is rendered while the returned
        iterator is iterated, no faster than the client reads. Fragments are gathered to chunks of
        8 KiB (the first: 1 KiB), or for 10 ms. An error before the first chunk is answered like any
        error of a view; a later one breaks the connection. At its end the asynchronous generators
        among the variables are closed, however far they were iterated.

        Args:
            template_name_or_list: As for :meth:`render_template`.
            context: As for :meth:`render_template`.

        Raises:
            TemplateNotFound: No loader has it.
            OutsideContextError: There is no application context.
        """
        return await self._stream(self.find(template_name_or_list), context)

    async def stream_template_string(
        self, source: str, /, **context: Any
    ) -> AsyncGenerator[str, None]:
        """Render the template *source* in chunks; the rest as :meth:`stream_template`."""
        return await self._stream(self.environment().from_string(source), context)

    async def get_template_attribute(self, template_name: str, attribute: str) -> Any:
        """Return a macro or variable that a template exports, without the current context.

        A macro is awaited when it is called, because it may await, unless the environment was made
        with ``enable_async=False``::

            hello = await get_template_attribute("_greetings.html", "hello")
            return await hello("World")

        Raises:
            TemplateNotFound: No loader has the template.
            AttributeError: It exports no such name.
            OutsideContextError: There is no application context.
        """
        template = self.environment().get_template(template_name)
        is_async = template.environment.is_async
        module = await template.make_module_async() if is_async else template.make_module()
        try:
            return getattr(module, attribute)
        except AttributeError:
            exported = sorted(name for name in vars(module) if not name.startswith("_"))
            raise AttributeError(
                f"The template {template_name!r} exports no {attribute!r}, but {exported!r}. "
                "Define it with {% macro %} or {% set %} outside of blocks."
            ) from None

    async def render_block(
        self, template_name_or_list: str | Sequence[str], block: str, /, **context: Any
    ) -> str:
        """Render one block of a template, for a page that replaces a part of itself.

        Overridden blocks and ``super()`` work as in the whole page. Of what stands outside of all
        blocks, all that does not print is run first: imports, macros, ``{% set %}``.

        Args:
            template_name_or_list: A name, or a list of which the first that exists is taken.
            block: Name of a block of the template, or of one that it extends.
            context: As for :meth:`render_template`. A block in a loop gets its variable here.

        Raises:
            TemplateNotFound: No loader has the template.
            LookupError: It has no such block; the sentence names those that it has.
            OutsideContextError: There is no application context.
        """
        skeletons = self.environment().skeletons
        template = skeletons.find(template_name_or_list)
        variables = await self._prepare(template, context)
        scope = open_scope(template, {**variables, PARENT: skeletons.get})
        await self.write(template, template.root_render_func(scope))
        if block not in scope.blocks:
            raise LookupError(
                f"The template {template.name!r} has no block {block!r}, "
                f"but {sorted(scope.blocks)!r}. Name one of these."
            )
        part = await self.write(template, scope.blocks[block][0](scope))
        await self._tell(template_rendered, template, variables)
        return part

    # --- from the variables to the text -----------------------------------------------------------

    def find(self, named: Named) -> jinja2.Template:
        """Return a template, or the first that exists of several."""
        return self.environment().get_or_select_template(cast(Any, named))

    async def _prepare(self, template: jinja2.Template, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables of *template*, and tell that it is about to be rendered.

        They are what the context processors provide, outermost first, and over it what is *given*.
        """
        variables: dict[str, Any] = {}
        for processor in current().line.context_processors:
            provided = await self.call(processor)
            if not isinstance(provided, Mapping):
                name = getattr(processor, "__qualname__", processor)
                raise TypeError(
                    f"The context processor {name!r} returned {provided!r}. "
                    "Return a dict of variables."
                )
            variables.update(provided)
        variables.update(given)
        await self._tell(before_render_template, template, variables)
        return variables

    async def _tell(
        self, signal: NamedSignal, template: jinja2.Template, variables: Mapping[str, Any]
    ) -> None:
        """Send one of the two signals about a template."""
        if signal.receivers:
            await self.tell(signal, current(), template=template, context=variables)

    async def _render(self, template: jinja2.Template, given: Mapping[str, Any]) -> str:
        variables = await self._prepare(template, given)
        scope = open_scope(template, variables)
        page = await self.write(template, template.root_render_func(scope))
        await self._tell(template_rendered, template, variables)
        return page

    async def _stream(
        self, template: jinja2.Template, given: Mapping[str, Any]
    ) -> AsyncGenerator[str, None]:
        return self._chunks(template, await self._prepare(template, given))

    async def _chunks(
        self, template: jinja2.Template, variables: dict[str, Any]
    ) -> AsyncGenerator[str, None]:
        """Render, giving the fragments gathered.

        PERF: a table of 3,000 rows is 21,000 fragments. Sent one by one they take 37 ms without the
        server's own work, gathered 18 ms, and as a whole page 16 ms.
        """
        gathered: list[str] = []
        size, limit, since = 0, FIRST_CHUNK, perf_counter()
        rendered = template.root_render_func(open_scope(template, variables))
        async with AsyncExitStack() as ending:
            for generator in filter(inspect.isasyncgen, variables.values()):
                ending.push_async_callback(generator.aclose)  # a template's "for" closes nothing
            source = await ending.enter_async_context(aclosing(self.fragments(template, rendered)))
            try:
                async for fragment in source:
                    gathered.append(fragment)
                    size += len(fragment)
                    if size >= limit or (size and perf_counter() - since > CHUNK_SECONDS):
                        yield "".join(gathered)
                        await self.pause()  # SAFETY: send() may return at once for ever
                        gathered.clear()
                        size, limit, since = 0, CHUNK, perf_counter()
            except Exception:  # noqa: BLE001  # it is raised again, with the template's lines
                template.environment.handle_exception()
        if size:
            yield "".join(gathered)
        await self._tell(template_rendered, template, variables)

    # --- where it waits ---------------------------------------------------------------------------

    def environment(self) -> Environment:
        """Return the environment of the current application."""
        found: Environment = cast(Any, current().app).jinja_env
        return found

    async def call(self, processor: Callable[[], Awaitable[Any]]) -> Any:
        """Return what a context processor provides."""
        return await processor()

    async def tell(self, signal: NamedSignal, running: Context, /, **values: Any) -> None:
        """Send *signal* to those who listen."""
        await emit(signal, running.app, run_sync=running.run_sync, **values)

    async def write(self, template: jinja2.Template, rendered: Any) -> str:
        """Return the whole text of what a root or block function of *template* renders.

        PERF: a small page costs 9.8 µs, a table of 100 rows 147. Jinja's own plain templates take
        9.4 and 352, asynchronous ones 11.5 and 483 (CPython 3.11).
        """
        fragments: list[str] = []
        left, looks, since = LOOK, LOOKS, perf_counter()
        source = self.fragments(template, rendered)
        try:
            async for fragment in source:
                fragments.append(fragment)
                left -= 64 + len(fragment)
                if left < 0:
                    left, looks = LOOK, looks - 1
                    if not looks or perf_counter() - since > TURN_SECONDS:
                        # SAFETY: a page of a million rows would hold up every other request.
                        await self.pause()
                        looks, since = LOOKS, perf_counter()
        except Exception:  # noqa: BLE001  # it is raised again, with the template's lines
            template.environment.handle_exception()
        finally:
            await source.aclose()
        return "".join(fragments)

    def fragments(self, template: jinja2.Template, rendered: Any) -> AsyncGenerator[str, None]:
        """Return what a root or block function gave, in whichever way its environment renders."""
        return rendered if template.environment.is_async else give_each(rendered)

    async def pause(self) -> None:
        """Let others run."""
        await checkpoint()


def open_scope(template: jinja2.Template, variables: Mapping[str, Any]) -> jinja2.runtime.Context:
    """Return a context of Jinja's in which *template* knows its globals and *variables*.

    PERF: 2.6 µs; ``template.new_context(variables)`` takes 8.3, as it asks the chained dicts of the
    globals for one name after another.
    """
    names = template.globals
    known: dict[str, Any] = {}
    for each in reversed(names.maps) if isinstance(names, ChainMap) else (names,):
        known.update(each)
    known.update(variables)
    return template.new_context(known, shared=True)


async def give_each(fragments: Fragments) -> AsyncGenerator[str, None]:
    """Give what a plain generator gives."""
    with closing(fragments):
        for fragment in fragments:
            yield fragment


_renderer = Renderer()
render_template = _renderer.render_template
render_template_string = _renderer.render_template_string
stream_template = _renderer.stream_template
stream_template_string = _renderer.stream_template_string
render_block = _renderer.render_block
get_template_attribute = _renderer.get_template_attribute
