"""`hub`: links accounts for people with a connect session, and for API keys that may link."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from pages import Pages, Theme

from namely_link import bootstrap
from namely_link.commands.link import (
    ByOwner,
    BySession,
    LinkCommand,
    LinkedAccount,
    Parked,
    Tried,
    link,
)
from namely_link.domain.account import Actor
from namely_link.domain.credentials import parse_credential
from namely_link.domain.problems import Problem, Reason, StorageError
from namely_link.http import documents as views
from namely_link.http import fields as web
from namely_link.http.access import authorised
from namely_link.http.bearers import Kind, parse
from namely_link.settings import HubSettings, PageSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.aws.registry import DynamoDbRegistry
    from namely_link.commands.ports import Ports
    from namely_link.domain.account import ConnectSession
    from namely_link.http.bearers import Bearer

logger = Logger()
metrics = Metrics()
_NO_STORE = {"Cache-Control": "no-store"}
settings = HubSettings.read()
app = APIGatewayRestResolver(
    cors=CORSConfig(
        allow_origin=settings.allowed_origins[0],
        extra_origins=list(settings.allowed_origins[1:]),
        allow_headers=["Authorization", "Content-Type"],
        max_age=600,
    )
    if settings.allowed_origins
    else None
)


@cache
def registry() -> DynamoDbRegistry:
    """Return the registry, made at the first request."""
    return bootstrap.registry(settings)


@cache
def ports() -> Ports:
    """Return what the link command touches, made at the first link."""
    return bootstrap.ports(settings, registry())


@cache
def pages() -> Pages:
    """Return the pages in the deployment's theme, made at the first one that is asked for."""
    wanted = PageSettings.read()
    return Pages(Theme(wanted.name, wanted.color, wanted.logo), wanted.frame_ancestors)


@app.post("/v1/accounts")
def post_account() -> Response[str]:
    event = app.current_event
    form = web.media_type(event.headers) == web.FORM
    fields = web.Fields(
        web.read_body(event.body, event.headers, encoded=bool(event.is_base64_encoded))
    )
    session = None
    try:
        bearer = _form_session(fields) if form else web.bearer(event.headers)
        session = registry().session(bearer.id) if form else None
        dry_run = False if form else fields.flag("dry_run")
        done = link(_command(fields, bearer, dry_run=dry_run), ports())
    except Problem as problem:
        _count("LinksUndetermined" if problem.status == 503 else "LinksRefused")
        if form:
            return _form_answer(session, problem=problem)
        raise
    if isinstance(done, Tried):
        return _json(200, {"receipt": views.receipt(done.receipt)})
    _count("LinksDone")
    logger.info("stored", account_id=done.account.id, outcome=type(done).__name__)
    if form:
        return _form_answer(session, done=done)
    show = views.own_account if bearer.kind is Kind.CONNECT_SESSION else views.account
    status = 202 if isinstance(done, Parked) else 200 if done.again else 201
    return _json(status, show(done.account))


@app.get("/v1/connect-sessions/current")
def get_current_session() -> Response[str]:
    bearer = web.bearer(app.current_event.headers)
    session = registry().session(bearer.id) if bearer.kind is Kind.CONNECT_SESSION else None
    if session is None:
        raise Problem(Reason.UNAUTHORIZED)
    if session.state == "revoked":
        raise Problem(Reason.SESSION_USED)
    if session.state == "open" and not session.usable(bootstrap.now()):
        raise Problem(Reason.SESSION_EXPIRED)
    return _json(200, views.connect_session(session) | {"metadata": {}})


@app.get("/hub")
def get_hub() -> Response[str]:
    return _page(pages().page("hub"))


@app.get("/hub.js")
def get_hub_script() -> Response[str]:
    return _page(pages().page("hub.js"))


@app.get("/accounts")
def get_accounts_page() -> Response[str]:
    return _page(pages().page("accounts"))


@app.get("/assets/<name>")
def get_asset(name: str) -> Response[str]:
    return _page(pages().asset(name))


@app.get("/v1/health")
def get_health() -> Response[str]:
    return _json(200, {"status": "ok", "stack": settings.stack})


def _count(name: str) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def _command(fields: web.Fields, bearer: Bearer, *, dry_run: bool) -> LinkCommand:
    credential = parse_credential(fields.typed("subdomain"), fields.typed("token"))
    label = fields.text("label", most=100)
    permission: BySession | ByOwner
    if bearer.kind is Kind.CONNECT_SESSION:
        permission = BySession(session_id=bearer.id, bearer=bearer.value)
        actor = Actor(kind="session", name=bearer.id)
    else:
        caller = authorised(registry(), bearer, scope="link", now=bootstrap.now())
        permission = ByOwner(
            owner=caller.on_behalf_of(
                fields.owner_id(required=False), fields.text("owner_name", most=200)
            ),
            park=bearer.kind is Kind.PORTAL_SESSION,
            metadata=fields.metadata() or {},
            type="test" if fields.choice("type", "production", "test") == "test" else "production",
        )
        actor = caller.actor
    fields.done()
    return LinkCommand(
        credential=credential,
        permission=permission,
        actor=actor,
        request_id=app.current_event.request_context.request_id,
        label=label,
        dry_run=dry_run,
    )


def _form_session(fields: web.Fields) -> Bearer:
    """A form without script has no Authorization header: its session is a hidden field."""
    bearer = parse(fields.text("session"))
    if bearer is None or bearer.kind is not Kind.CONNECT_SESSION:
        raise Problem(Reason.UNAUTHORIZED)
    return bearer


def _form_answer(
    session: ConnectSession | None,
    *,
    done: LinkedAccount | Parked | None = None,
    problem: Problem | None = None,
) -> Response[str]:
    """Send the browser back, or show a page where the session names no return address."""
    if session and session.return_url:
        result = {}
        if done:
            status = "parked" if isinstance(done, Parked) else "linked"
            result = {"status": status, "account_id": done.account.id}
        if problem:
            result = {"status": "failed", "code": problem.code, "reason": problem.reason}
        location = web.with_query(session.return_url, result)
        return Response(303, headers={"Location": location, **_NO_STORE}, body="")
    locale = session.locale if session else ""
    language = app.current_event.headers.get("accept-language", "")
    if problem:
        shown = pages().result_page(
            status=problem.status,
            locale=locale,
            accept_language=language,
            subdomain=problem.subdomain,
            reason=problem.reason,
            detail=problem.detail,
            hint=problem.hint,
            attempts_left=problem.attempts_left,
            retry_after=problem.retry_after,
        )
    else:
        shown = pages().result_page(
            locale=locale,
            accept_language=language,
            subdomain=done.account.subdomain if done else "",
            parked=isinstance(done, Parked),
        )
    return _page(shown)


def _page(found: tuple[int, dict[str, str], str] | None) -> Response[str]:
    if found is None:
        raise Problem(Reason.NOT_FOUND)
    status, headers, body = found
    return Response(status, headers=headers, body=body)


def _json(status: int, document: dict[str, Any]) -> Response[str]:
    return Response(
        status, content_type="application/json", headers=_NO_STORE, body=json.dumps(document)
    )


def _problem(problem: Problem) -> Response[str]:
    instance = app.current_event.request_context.request_id
    status, headers, body = web.rendered(problem, instance=instance)
    logger.info("refused", code=problem.code, reason=problem.reason)
    return Response(status, headers=headers, body=body)


app.exception_handler(Problem)(_problem)


def on_storage_error(error: StorageError) -> Response[str]:
    logger.error("storage", error=str(error))
    return _problem(Problem(Reason.STORAGE_UNAVAILABLE))


app.exception_handler(StorageError)(on_storage_error)


def on_error(error: Exception) -> Response[str]:
    logger.error("unexpected", error=type(error).__name__, where=web.where(error))
    return _problem(Problem(Reason.INTERNAL_ERROR))


app.exception_handler(Exception)(on_error)


@app.not_found
def on_not_found(_error: Exception) -> Response[str]:
    return _problem(Problem(Reason.NOT_FOUND))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
