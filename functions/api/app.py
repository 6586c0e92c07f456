"""`api`: what the company's own backend does: sessions, and reading and changing accounts."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths

from namely_link import bootstrap, views, web
from namely_link.access import authorised
from namely_link.bearers import Kind, mint
from namely_link.credentials import parse_subdomain
from namely_link.manage import Manager
from namely_link.model import Actor, ConnectSession, Owner, Status, timestamp
from namely_link.problems import ConflictError, Problem, Reason, StorageError
from namely_link.registry import DynamoDbRegistry, Wanted
from namely_link.settings import ApiSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.model import ApiKey
    from namely_link.vault import SecretsManagerVault

logger = Logger()
settings = ApiSettings.read()
app = APIGatewayRestResolver()
_NO_STORE = {"Cache-Control": "no-store"}


@cache
def registry() -> DynamoDbRegistry:
    """Return the registry, made at the first request."""
    return bootstrap.registry(settings)


@cache
def vault() -> SecretsManagerVault:
    """Return the vault, made at the first unlinking."""
    return bootstrap.vault(settings)


@app.post("/v1/connect-sessions")
def post_session() -> Response[str]:
    key = _key("sessions")
    fields = _fields()
    now = bootstrap.now()
    lifetime = fields.number("expires_in", least=60, most=30 * 86400, default=1800)
    subdomain = fields.typed("subdomain")
    bearer = mint(Kind.CONNECT_SESSION)
    session = ConnectSession(
        id=bearer.id,
        owner=Owner(fields.owner_id(), fields.text("owner_name", required=True)),
        state="open",
        attempts_left=settings.session_attempts,
        created_at=timestamp(now),
        expires_at=timestamp(now + timedelta(seconds=lifetime)),
        account_id=fields.text("account_id", most=40),
        subdomain=parse_subdomain(subdomain).label if subdomain else "",
        label=fields.text("label", most=100),
        metadata=fields.metadata() or {},
        type="test" if fields.choice("type", "production", "test") == "test" else "production",
        return_url=fields.url("return_url"),
        locale=fields.text("locale", most=35),
        confirm=fields.flag("confirm"),
        created_by=key.name,
    )
    fields.done()
    if session.account_id:
        account = _manager(key).find(session.account_id, owner_id=session.owner.id)
        if account.status is Status.UNLINKED:
            raise Problem(Reason.NOT_FOUND)
    registry().create_session(session)
    shown = {"token": bearer.value, "url": f"{_base_url()}/hub#{bearer.value}"}
    return _json(201, views.connect_session(session) | shown)


@app.get("/v1/connect-sessions/<session_id>")
def get_session(session_id: str) -> Response[str]:
    _key("sessions")
    session = registry().session(session_id)
    if session is None:
        raise Problem(Reason.NOT_FOUND)
    return _json(200, views.connect_session(session))


@app.delete("/v1/connect-sessions/<session_id>")
def delete_session(session_id: str) -> Response[str]:
    _key("sessions")
    registry().revoke_session(session_id)
    return get_session(session_id)


@app.get("/v1/accounts")
def get_accounts() -> Response[str]:
    _key("read")
    query = web.Fields(app.current_event.query_string_parameters or {})
    subdomain = query.typed("subdomain")
    wanted = Wanted(
        limit=query.number("limit", least=1, most=100, default=50),
        cursor=web.cursor_in(query.text("cursor")),
        owner_id=query.owner_id(required=False),
        status=query.choice("status", "", *Status),
        subdomain=parse_subdomain(subdomain).label if subdomain else "",
    )
    query.done()
    accounts, cursor = registry().accounts(wanted)
    shown = [views.account(one) for one in accounts]
    return _json(200, {"accounts": shown, "cursor": web.cursor_out(cursor)})


@app.get("/v1/accounts/<account_id>")
def get_account(account_id: str) -> Response[str]:
    return _json(200, views.account(_manager(_key("read")).find(account_id)))


@app.patch("/v1/accounts/<account_id>")
def patch_account(account_id: str) -> Response[str]:
    manager = _manager(_key("manage"))
    fields = _fields()
    label = fields.text("label", most=100) if "label" in fields else None
    metadata = fields.metadata()
    fields.done()
    renamed = manager.rename(manager.find(account_id), label=label, metadata=metadata)
    return _json(200, views.account(renamed))


@app.delete("/v1/accounts/<account_id>")
def delete_account(account_id: str) -> Response[str]:
    manager = _manager(_key("manage"))
    return _json(200, views.account(manager.unlink(manager.find(account_id))))


@app.post("/v1/accounts/<account_id>/suspend")
def suspend_account(account_id: str) -> Response[str]:
    manager = _manager(_key("manage"))
    paused = manager.set_paused(manager.find(account_id), Status.SUSPENDED)
    return _json(200, views.account(paused))


@app.post("/v1/accounts/<account_id>/resume")
def resume_account(account_id: str) -> Response[str]:
    manager = _manager(_key("manage"))
    return _json(200, views.account(manager.set_paused(manager.find(account_id), Status.ACTIVE)))


@app.get("/v1/accounts/<account_id>/ledger")
def get_ledger(account_id: str) -> Response[str]:
    account = _manager(_key("read")).find(account_id)
    entries = [asdict(entry) for entry in registry().ledger(account.id)]
    return _json(200, {"entries": entries})


def _key(scope: str) -> ApiKey:
    bearer = web.bearer(app.current_event.headers)
    return authorised(registry(), bearer, scope=scope, now=bootstrap.now())


def _fields() -> web.Fields:
    event = app.current_event
    return web.Fields(
        web.read_body(event.body, event.headers, encoded=bool(event.is_base64_encoded))
    )


def _manager(key: ApiKey) -> Manager:
    return Manager(
        registry=registry(),
        vault=vault(),
        now=bootstrap.now,
        recovery_days=settings.recovery_days,
        actor=Actor(kind="api_key", name=key.name),
        request_id=app.current_event.request_context.request_id,
    )


def _base_url() -> str:
    """Return the address of the pages: a setting, or where this request came to."""
    if settings.public_url:
        return settings.public_url
    context = app.current_event.request_context
    return f"https://{context.domain_name}/{context.stage}"


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


def on_conflict(_error: ConflictError) -> Response[str]:
    return _problem(Problem(Reason.CONFLICT, retry_after=2))


app.exception_handler(ConflictError)(on_conflict)


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
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
