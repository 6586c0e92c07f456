"""`pages`: the Hub, the Accounts page, their files, and what a plain form's answer leads to.

It may do nothing but write its log: whoever finds a hole in it has found no account and no secret.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler import Response as Answer
from aws_lambda_powertools.logging import correlation_paths
from pages import WEB, Pages
from result import read_result
from theme import Theme, file_logo

from namely_link.domain.problems import Problem, Reason
from namely_link.http import problem_details
from namely_link.http.body import refuse_repeated
from namely_link.http.routing import routed
from namely_link.settings import PageSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from pages import Response

logger = Logger()
app = APIGatewayRestResolver()


@cache
def pages() -> Pages:
    """Return the pages in the deployment's theme, made at the first one that is asked for."""
    wanted = PageSettings.read()
    theme = Theme(wanted.name, wanted.color, wanted.logo or file_logo(WEB))
    return Pages(theme, wanted.frame_ancestors)


@app.get("/hub")
def get_hub() -> Answer[str]:
    return _answer(pages().page("hub"))


@app.get("/hub.js")
def get_hub_script() -> Answer[str]:
    return _answer(pages().page("hub.js"))


@app.get("/accounts")
def get_accounts_page() -> Answer[str]:
    return _answer(pages().page("accounts"))


@app.get("/assets/<name>")
def get_asset(name: str) -> Answer[str]:
    return _answer(pages().asset(name))


@app.get("/result")
def get_result() -> Answer[str]:
    event = app.current_event
    refuse_repeated(event.multi_value_query_string_parameters)
    told = read_result(event.query_string_parameters or {})
    language = event.headers.get("accept-language", "")
    return _answer(pages().result(told, accept_language=language))


def _answer(found: Response | None) -> Answer[str]:
    if found is None:
        raise Problem(Reason.NOT_FOUND)
    status, headers, body = found
    return Answer(status, headers=headers, body=body)


def _problem(problem: Problem) -> Answer[str]:
    instance = app.current_event.request_context.request_id
    logger.info("refused", code=problem.code, reason=problem.reason)
    return _answer(problem_details.rendered(problem, instance=instance))


app.exception_handler(Problem)(_problem)


def on_error(error: Exception) -> Answer[str]:
    logger.error("unexpected", error=type(error).__name__, where=problem_details.where(error))
    return _problem(Problem(Reason.INTERNAL_ERROR))


app.exception_handler(Exception)(on_error)


@app.not_found
def on_not_found(_error: Exception) -> Answer[str]:
    return _problem(Problem(Reason.NOT_FOUND))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(routed(event), context)
