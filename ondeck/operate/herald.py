"""The worker's voice: tells the environment's channel when a job needs a person, beside the work."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from ondeck.operate import notify
from ondeck.operate.desk import Desk
from ondeck.operate.notify import Message, Route

TELL_SECONDS = 10.0


class Herald:
    """Tells in threads of its own, so that a deaf channel holds up nothing; every try ends as a note."""

    def __init__(self, desk: Desk, route: Route | None, actor: str, seconds: float) -> None:
        """Without a route nothing is ever told.

        Args:
            desk: Where notes go.
            route: From the handshake.
            actor: Who started the job.
            seconds: How long one telling may take, as it counts in this process.
        """
        self._desk = desk
        self._route = route
        self._actor = actor
        self._seconds = seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, state: str, why: str) -> None:
        """Begin to tell; returns at once."""
        if self._route is None:
            return
        task = asyncio.create_task(self._tell(self._route, self._message(state, why)), name="tell")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def done(self) -> None:
        """Wait for what is on its way; each takes no longer than its time."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _message(self, state: str, why: str) -> Message:
        plan, job = self._desk.view.plan, self._desk.at.id
        request = plan.request
        text = f"{state}: {plan.title}, {request.subject} ({request.env}), by {self._actor}: {why}"
        return Message(
            text=f"{text}. See: ondeck attach {job}",
            job=job,
            subject=request.subject,
            env=request.env,
            state=state,
            actor=self._actor,
        )

    async def _tell(self, route: Route, message: Message) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def deliver(trouble: str) -> None:
            if not answer.done():
                answer.set_result(trouble)

        def work() -> None:
            trouble = notify.send(route, message, self._seconds)
            # The loop may be gone when a slow channel answers after its time.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(deliver, trouble)

        threading.Thread(target=work, daemon=True, name="tell").start()
        try:
            async with asyncio.timeout(self._seconds):
                trouble = await answer
        except TimeoutError:
            trouble = "it did not answer in time"
        if trouble:
            self._desk.note(f"{route.channel} could not be told that it is {message.state}: {trouble}")
        else:
            self._desk.note(f"{route.channel} was told that it is {message.state}")
