"""`api`: what the company's own backend does: sessions, and reading and changing accounts."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths

from namely_link import bootstrap
from namely_link.aws.accounts import Wanted
from namely_link.commands import change
from namely_link.domain.account import Status
from namely_link.domain.credentials import parse_subdomain
from namely_link.domain.lifecycle import Cause, Names
from namely_link.domain.problems import ConflictError, Problem, Reason, StorageError
from namely_link.domain.sessions import ConnectSession, PortalSession
from namely_link.domain.values import timestamp
from namely_link.http import documents, problem_details
from namely_link.http.access import authorised, open_portal
from namely_link.http.bearers import Kind, authorization, mint
from namely_link.http.body import cursor_in, cursor_out, read_body, refuse_repeated
from namely_link.http.fields import Fields, is_account_id, is_session_id
from namely_link.http.routing import base_url, routed
from namely_link.settings import ApiSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.aws.accounts import AccountTable
    from namely_link.aws.queue import CheckQueue
    from namely_link.aws.sessions import SessionTable
    from namely_link.aws.table import Table
    from namely_link.commands.ports import ChangePorts
    from namely_link.domain.account import Account
    from namely_link.http.access import Caller, Scope

logger = Logger()
settings = ApiSettings.read()
app = APIGatewayRestResolver()
_NO_STORE = {"Cache-Control": "no-store"}


@cache
def table() -> Table:
    """Return the table, made at the first request."""
    return bootstrap.table(settings)


@cache
def accounts() -> AccountTable:
    """Return where accounts are kept."""
    return bootstrap.accounts(table())


@cache
def sessions() -> SessionTable:
    """Return where sessions and keys are kept."""
    return bootstrap.sessions(table())


@cache
def ports() -> ChangePorts:
    """Return what a change of an account touches, made at the first one."""
    return bootstrap.change_ports(settings, table())


@cache
def checks() -> CheckQueue:
    """Return where checks wait, made at the first one that is asked for."""
    return bootstrap.checks(settings.check_queue)


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document, read at the first request; its server is filled in later."""
    text = (Path(__file__).parent / "openapi.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


@app.post("/v1/connect-sessions")
def post_session() -> Response[str]:
    caller = _caller("sessions")
    fields = _fields()
    now = bootstrap.now()
    lifetime = fields.number("expires_in", least=60, most=30 * 86400, default=1800)
    subdomain = fields.typed("subdomain")
    bearer = mint(Kind.CONNECT_SESSION)
    session = ConnectSession(
        id=bearer.id,
        owner=caller.on_behalf_of(fields.owner_id(required=False), fields.text("owner_name")),
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
        created_by=caller.actor.name,
    )
    fields.done()
    if session.account_id:
        account = _find(session.account_id, session.owner.id)
        if account.status is Status.UNLINKED:
            raise Problem(Reason.NOT_FOUND)
    sessions().create_session(session)
    made = documents.new_connect_session(session, token=bearer.value, pages=_base_url())
    return _json(201, made)


@app.get("/v1/connect-sessions/<session_id>")
def get_session(session_id: str) -> Response[str]:
    return _json(200, documents.connect_session(_session(session_id)))


@app.delete("/v1/connect-sessions/<session_id>")
def delete_session(session_id: str) -> Response[str]:
    sessions().revoke_session(_session(session_id).id)
    return get_session(session_id)


@app.post("/v1/portal-sessions")
def post_portal() -> Response[str]:
    caller = _caller("portal")
    fields = _fields()
    now = bootstrap.now()
    lifetime = fields.number("expires_in", least=60, most=30 * 86400, default=3600)
    # An owner that is there and empty is a mistake, which must not open the accounts of all.
    one_owner = "owner_id" in fields or "owner_name" in fields
    owner_id = fields.owner_id(required=one_owner)
    owner_name = fields.text("owner_name", required=one_owner)
    bearer = mint(Kind.PORTAL_SESSION)
    portal = PortalSession(
        id=bearer.id,
        rank="operator" if fields.choice("rank", "viewer", "operator") == "operator" else "viewer",
        owner=caller.on_behalf_of(owner_id, owner_name) if one_owner else None,
        created_at=timestamp(now),
        expires_at=timestamp(now + timedelta(seconds=lifetime)),
        locale=fields.text("locale", most=35),
        created_by=caller.actor.name,
    )
    fields.done()
    sessions().create_portal(portal)
    made = documents.new_portal_session(portal, token=bearer.value, pages=_base_url())
    return _json(201, made)


@app.get("/v1/portal-sessions/current")
def get_current_portal() -> Response[str]:
    bearer = authorization(app.current_event.headers)
    portal = open_portal(sessions(), bearer, now=bootstrap.now())
    return _json(200, documents.portal_session(portal))


@app.get("/v1/accounts")
def get_accounts() -> Response[str]:
    caller = _caller("read")
    refuse_repeated(app.current_event.multi_value_query_string_parameters)
    query = Fields(app.current_event.query_string_parameters or {})
    subdomain = query.typed("subdomain")
    # An owner that is there and empty is a mistake, which must not list the accounts of all.
    owner_id = query.owner_id(required="owner_id" in query)
    if caller.owner_id and owner_id not in {"", caller.owner_id}:
        raise Problem(Reason.FORBIDDEN)
    wanted = Wanted(
        limit=query.number("limit", least=1, most=100, default=50, written=True),
        cursor=cursor_in(query.text("cursor")),
        owner_id=caller.owner_id or owner_id,
        status=query.choice("status", *Status, default=""),
        subdomain=parse_subdomain(subdomain).label if subdomain else "",
    )
    query.done()
    found, cursor = accounts().accounts(wanted)
    shown = [documents.account(one) for one in found]
    return _json(200, {"accounts": shown, "cursor": cursor_out(cursor)})


@app.get("/v1/accounts/<account_id>")
def get_account(account_id: str) -> Response[str]:
    return _json(200, documents.account(_find(account_id, _caller("read").owner_id)))


@app.patch("/v1/accounts/<account_id>")
def patch_account(account_id: str) -> Response[str]:
    account, cause = _managed(account_id)
    fields = _fields()
    names = Names(
        label=fields.text("label", most=100) if "label" in fields else None,
        metadata=fields.metadata(),
        owner_name=fields.text("owner_name"),
    )
    fields.done()
    renamed = change.rename(account, names, cause=cause, accounts=accounts())
    return _json(200, documents.account(renamed))


@app.delete("/v1/accounts/<account_id>")
def delete_account(account_id: str) -> Response[str]:
    account, cause = _managed(account_id)
    return _json(200, documents.account(change.unlink(account, cause=cause, ports=ports())))


@app.post("/v1/accounts/<account_id>/suspend")
def suspend_account(account_id: str) -> Response[str]:
    return _set_paused(account_id, Status.SUSPENDED)


@app.post("/v1/accounts/<account_id>/resume")
def resume_account(account_id: str) -> Response[str]:
    return _set_paused(account_id, Status.ACTIVE)


def _set_paused(account_id: str, to: Literal[Status.SUSPENDED, Status.ACTIVE]) -> Response[str]:
    account, cause = _managed(account_id)
    changed = change.set_paused(account, to, cause=cause, accounts=accounts())
    return _json(200, documents.account(changed))


@app.post("/v1/accounts/<account_id>/restore")
def restore_account(account_id: str) -> Response[str]:
    account, cause = _managed(account_id)
    return _json(200, documents.account(change.restore(account, cause=cause, ports=ports())))


@app.post("/v1/accounts/<account_id>/check")
def check_account(account_id: str) -> Response[str]:
    caller = _caller("manage")
    account = _find(account_id, caller.owner_id)
    request_id = app.current_event.request_context.request_id
    checks().put(account.id, actor=caller.actor, request_id=request_id)
    return _json(202, documents.account(account))


@app.get("/v1/accounts/<account_id>/ledger")
def get_ledger(account_id: str) -> Response[str]:
    account = _find(account_id, _caller("read").owner_id)
    entries = [documents.ledger_entry(one) for one in accounts().ledger(account.id)]
    return _json(200, {"entries": entries})


@app.get("/v1/openapi.json")
def get_openapi() -> Response[str]:
    servers = [document()["servers"][0] | {"url": _base_url()}]
    body = json.dumps(document() | {"servers": servers}, ensure_ascii=False)
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(200, content_type="application/json", headers=headers, body=body)


def _caller(scope: Scope) -> Caller:
    bearer = authorization(app.current_event.headers)
    return authorised(sessions(), bearer, scope=scope, now=bootstrap.now())


def _fields() -> Fields:
    event = app.current_event
    return Fields(
        read_body(event.body, event.headers, encoded=bool(event.is_base64_encoded), forms=False)
    )


def _find(account_id: str, owner_id: str) -> Account:
    """Return an account; one of another owner is not there for who sees one owner only."""
    found = accounts().read(account_id) if is_account_id(account_id) else None
    if found is None or (owner_id and found.owner.id != owner_id):
        raise Problem(Reason.NOT_FOUND)
    return found


def _managed(account_id: str) -> tuple[Account, Cause]:
    caller = _caller("manage")
    request_id = app.current_event.request_context.request_id
    cause = Cause(actor=caller.actor, request_id=request_id, now=bootstrap.now())
    return _find(account_id, caller.owner_id), cause


def _session(session_id: str) -> ConnectSession:
    caller = _caller("sessions")
    found = sessions().session(session_id) if is_session_id(session_id) else None
    if found is None or (caller.owner_id and found.owner.id != caller.owner_id):
        raise Problem(Reason.NOT_FOUND)
    return found


def _base_url() -> str:
    """Return the address of the pages: a setting, or where this request came to."""
    return settings.public_url or base_url(app.current_event.raw_event)


def _json(status: int, document: Mapping[str, object]) -> Response[str]:
    return Response(
        status, content_type="application/json", headers=_NO_STORE, body=json.dumps(document)
    )


def _problem(problem: Problem) -> Response[str]:
    instance = app.current_event.request_context.request_id
    status, headers, body = problem_details.rendered(problem, instance=instance)
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
    logger.error("unexpected", error=type(error).__name__, where=problem_details.where(error))
    return _problem(Problem(Reason.INTERNAL_ERROR))


app.exception_handler(Exception)(on_error)


@app.not_found
def on_not_found(_error: Exception) -> Response[str]:
    return _problem(Problem(Reason.NOT_FOUND))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(routed(event), context)
