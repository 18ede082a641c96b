"""Floor 3: the one worker thread of an exchange, in which all its ``def`` functions run.

A thread-bound object that a ``def`` hook opens (a SQLite connection on ``g``) can be used by the
``def`` view and closed by the ``def`` teardown, as in Flask.

There and back. :meth:`Worker.run` takes a ``def`` function from the task to the thread. There
:func:`await_in_task` takes a coroutine function back to the task, which waits for the ``def``
function anyway: it is awaited in the same task, with the same context variables and cancel scopes.
The thread meanwhile runs what is sent to it, so that ``def`` functions that the coroutine calls run
in it too. Either way may lead into the other to any depth.
"""

from erlen.threads.waiting import await_in_new_loop, await_in_task, in_worker
from erlen.threads.worker import Threads, Worker

__all__ = ["Threads", "Worker", "await_in_new_loop", "await_in_task", "in_worker"]
