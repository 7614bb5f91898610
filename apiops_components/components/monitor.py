"""Runs a Pulumi program in this process, against a monitor that records instead of deploying.

It behaves as a real preview without a cloud: inputs are echoed, whatever only a provider could know stays unknown,
and what the engine refuses (two resources with one URN, a default provider that is disabled) is refused.
Each run has its own thread, event loop and context, so that runs leave nothing behind in the SDK's settings.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import ctypes
import gc
import json
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config
from pulumi.runtime.proto import engine_pb2

from apiops_components.components._registrations import Registrations
from apiops_components.components._stack_outputs import unknown_output
from apiops_components.delivery.recording import Diagnostic, Recording
from apiops_components.errors import NotRunnable, Problem

TIME_LIMIT = 60.0
"""Seconds that a program may take. The largest example needs two; beyond a minute something waits for ever."""

Program = Callable[[], object]


@dataclass(frozen=True)
class Circumstances:
    """What a program finds when it starts."""

    project: str
    """Name of the Pulumi project."""
    stack: str
    """Name of the stack."""
    organization: str = "organization"
    """Name of the organization; this is the one of a self-managed backend."""
    root: str = "."
    """Folder of ``Pulumi.yaml``, for programs that ask."""
    code: Path | None = None
    """Folder of the program's own code: places in it are named in messages."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Values of the stack configuration; a key without namespace belongs to the project."""
    secrets: AbstractSet[str] = frozenset()
    """Secret keys of the configuration: those without a value in ``config`` are unknown."""
    references: Callable[[str], Mapping[str, Any] | None] = lambda _name: None
    """Outputs of the stack with this name; None where nothing is known of it."""
    invokes: Mapping[str, Any] = field(default_factory=dict)
    """Answer of a provider's function by its token: a mapping, or a callable from arguments to one."""
    outputs: Callable[..., Mapping[str, Any] | None] = lambda _resource: None
    """What the provider adds to the outputs of a resource; ``id`` sets its identifier."""
    preview: bool = True
    """Values made by providers are unknown; false: they are known as after an update, ``<name>-id`` and None."""
    time_limit: float = TIME_LIMIT
    """Seconds until a program is given up."""

    def owns(self, filename: str) -> bool:
        """Whether this is a file of the program itself."""
        file = Path(filename)
        return self.code is not None and file.is_relative_to(self.code) and "site-packages" not in file.parts

    def place(self, frame: FrameType | None) -> str:
        """The line of the program's own code that this frame stands in or was called from, or nothing."""
        while frame is not None:
            if self.owns(frame.f_code.co_filename):
                return f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back
        return ""


class _GivenUp(SystemExit):
    """Raised in the thread of a program that is out of time; a `SystemExit`, as only those pass through asyncio."""


class TimedOut(NotRunnable):
    """The program did not come to its end within the time limit."""


def run(program: Program, given: Circumstances) -> Recording:
    """Runs the program to its end, all its outputs resolved, and returns what it registered.

    Raises:
        ApiOpsError: The engine would refuse what was registered, or the time limit passed.
        BaseException: Whatever the program raised, also inside ``apply``.
    """
    session = _Session(program, given)
    # A context of its own: the SDK keeps its settings in context variables.
    context = contextvars.Context()
    thread = threading.Thread(target=context.run, args=(session.run,), name=f"pulumi {given.stack}", daemon=True)
    thread.start()
    thread.join(given.time_limit)
    if thread.is_alive():
        waits = session.waits(thread)
        session.give_up(thread)
        raise TimedOut(
            Problem(
                f"the program did not end within {given.time_limit:g} s" + (f": {waits}" if waits else ""),
                code="program/time-limit",
                hint="an Output, a future or a call outside waits for something that does not happen",
            )
        )
    if session.raised is not None:
        raise session.raised
    return session.recording()


class _Session:
    def __init__(self, program: Program, given: Circumstances) -> None:
        self._program = program
        self._given = given
        self._monitor = Registrations(given)
        self._engine = _Engine()
        self._loop = _Loop()
        self._failed: BaseException | None = None
        self.raised: BaseException | None = None

    def recording(self) -> Recording:
        return self._monitor.recording(tuple(self._engine.messages))

    def waits(self, thread: threading.Thread) -> str:
        """What the program waits for, as far as it can be told from outside."""
        tasks = [task.get_coro() for task in self._tasks()]
        names = sorted({name for name in map(_registering, tasks) if name})
        if names:
            return f"inputs never resolve: {', '.join(names)}"
        frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  (documented; there is no other way)
        waiting = [frame, *(frame for task in tasks for frame in _awaited(task))]
        places = [place for place in map(self._given.place, waiting) if place]
        return f"it stands at {places[0]}" if places else ""

    def give_up(self, thread: threading.Thread) -> None:
        """Ends the thread where that is possible: at the next line of Python that it executes."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_GivenUp))
        with contextlib.suppress(RuntimeError):  # it ended by itself meanwhile
            self._loop.call_soon_threadsafe(lambda: None)  # wakes a loop that waits

    def _tasks(self) -> list[asyncio.Task[Any]]:
        try:
            return sorted(asyncio.all_tasks(self._loop), key=lambda task: task.get_name())
        except RuntimeError:  # the set of tasks changes all the time: the program is busy, not waiting
            return []

    def run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        # Tasks that fail after the first failure are of no interest, and must not print.
        loop.set_exception_handler(lambda _loop, _context: None)
        try:
            loop.run_until_complete(self._main())
        except BaseException as error:  # noqa: BLE001  (raised again in the thread of the caller)
            self.raised = error
        finally:
            _close(loop)
        if self.raised is not None:
            _forget(self.raised, loop.raised_at(self.raised), self._given.owns)

    async def _main(self) -> None:
        given = self._given
        configure(
            Settings(
                project=given.project,
                stack=given.stack,
                organization=given.organization,
                root_directory=given.root,
                dry_run=given.preview,
                monitor=self._monitor,
                engine=self._engine,
            )
        )
        set_all_config(_config(given), sorted(_qualified(key, given.project) for key in given.secrets))
        try:
            await run_in_stack(self._guarded)
        except BaseException as error:
            # A refused registration makes the program fail later and elsewhere: it is the cause, so it goes first.
            # Then comes what the program raised itself, which the SDK hides behind a failure of an Output.
            cause = self._monitor.refused() or self._failed
            if cause is None or cause is error:
                raise
            raise cause from error
        refused = self._monitor.refused()
        if refused is not None:
            raise refused

    async def _guarded(self) -> None:
        try:
            result = self._program()
            if isawaitable(result):
                await result
        except BaseException as error:
            self._failed = error
            raise


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that answers the SDK's calls of the monitor at once, in order, instead of in a pool of threads.

    That keeps the order of registrations the same in each run, and saves a third of the time. Other work that a
    program sends to the pool gets a daemon thread each: one that blocks must not keep the process from ending.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raised: dict[int, tuple[BaseException, TracebackType | None]] = {}
        self.set_task_factory(self._noting_failure)

    def raised_at(self, error: BaseException) -> TracebackType | None:
        """The traceback of where it was raised: asyncio drops it when a second task awaits the first."""
        return self._raised[id(error)][1] if id(error) in self._raised else error.__traceback__

    @staticmethod
    def _noting_failure(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        task.add_done_callback(loop._note)  # noqa: SLF001  (its own)
        return task

    def _note(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:  # kept with it, as its id is its key
            self._raised.setdefault(id(error), (error, error.__traceback__))

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        if str(getattr(func, "__module__", "")).startswith("pulumi."):
            future = self.create_future()
            _fulfil(future, func, args)
            return future
        job: concurrent.futures.Future[Any] = concurrent.futures.Future()
        threading.Thread(target=_fulfil, args=(job, func, args), daemon=True).start()
        return asyncio.wrap_future(job, loop=self)


class _Engine:
    """Takes the log messages of the SDK."""

    def __init__(self) -> None:
        self.messages: list[Diagnostic] = []

    def Log(self, request: Any) -> empty_pb2.Empty:  # noqa: N802  (gRPC's name)
        severity = _SEVERITIES.get(request.severity)
        if severity is not None:
            self.messages.append(Diagnostic(severity, request.message, request.urn))
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, _request: Any) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()


_SEVERITIES: dict[Any, Any] = {
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


def _fulfil(future: Any, func: Any, args: tuple[Any, ...]) -> None:
    with contextlib.suppress(concurrent.futures.InvalidStateError):  # given up meanwhile
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (the one who awaits gets it)
            future.set_exception(error)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(_GivenUp):
        for _ in range(3):  # a task may wait again for what was cancelled
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=0.1))
        loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


def _forget(error: BaseException, raised_at: TracebackType | None, keep: Callable[[str], bool]) -> None:
    """Gives the error of a failed run the traceback of where it was raised, and lets go of what the run left half done.

    The frames of the program itself stay for debuggers. Those of the SDK must go: otherwise coroutines that it never
    came to await would warn of that later, in the middle of something else.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        cause: BaseException | None = error
        while cause is not None:
            for frame, _ in traceback.walk_tb(cause.__traceback__):
                if not keep(frame.f_code.co_filename):
                    with contextlib.suppress(RuntimeError):  # it is running
                        frame.clear()
            cause = cause.__cause__ or cause.__context__
        error.with_traceback(raised_at)
        gc.collect()


def _registering(coroutine: Any) -> str:
    """The resource whose registration this coroutine of the SDK is, or nothing."""
    if getattr(coroutine, "__name__", "") not in ("do_register", "do_read"):
        return ""
    known = coroutine.cr_frame.f_locals if coroutine.cr_frame else {}
    return f"{known['ty']} {known['name']}" if {"ty", "name"} <= set(known) else ""


def _awaited(coroutine: Any) -> list[FrameType]:
    """The frames of a coroutine and of those it awaits, the innermost first."""
    frames: list[FrameType] = []
    while getattr(coroutine, "cr_frame", None) is not None:
        frames.insert(0, coroutine.cr_frame)
        coroutine = coroutine.cr_await
    return frames


def _config(given: Circumstances) -> dict[str, Any]:
    values: dict[str, Any] = {_qualified(key, given.project): _text(value) for key, value in given.config.items()}
    for key in given.secrets:
        # `Config.require_secret` takes an Output as it is: this is the way to a secret that is declared but unknown.
        values.setdefault(_qualified(key, given.project), unknown_output(is_secret=True))
    return values


def _qualified(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
