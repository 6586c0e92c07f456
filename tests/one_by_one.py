"""A pool without threads: what is submitted has run when `submit` returns."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class OneByOne(Executor):
    """Runs one after the other what production runs at once, whatever one raises."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Run it; what is no `Exception` (the process ends) is raised here."""
        done: Future[Any] = Future()
        try:
            done.set_result(call(*arguments, **options))
        except Exception as error:  # noqa: BLE001 - raised by `result`
            done.set_exception(error)
        return done
