"""`link`: links accounts for people with a connect session, and for API keys that may link."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

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
from namely_link.domain.credentials import parse_credential
from namely_link.domain.problems import Problem, Reason, StorageError
from namely_link.domain.values import Actor, ActorKind
from namely_link.http import documents, problem_details
from namely_link.http.access import authorised
from namely_link.http.bearers import Kind, authorization, parse
from namely_link.http.body import FORM, media_type, read_body
from namely_link.http.fields import Fields
from namely_link.http.routing import routed
from namely_link.settings import LinkSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.aws.sessions import SessionTable
    from namely_link.aws.table import Table
    from namely_link.commands.ports import LinkPorts
    from namely_link.domain.sessions import ConnectSession
    from namely_link.http.bearers import Bearer

logger = Logger()
metrics = Metrics()
_NO_STORE = {"Cache-Control": "no-store"}
settings = LinkSettings.read()
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
def table() -> Table:
    """Return the table, made at the first request."""
    return bootstrap.table(settings)


@cache
def sessions() -> SessionTable:
    """Return where sessions and keys are kept."""
    return bootstrap.sessions(table())


@cache
def ports() -> LinkPorts:
    """Return what the link command touches, made at the first link."""
    return bootstrap.link_ports(settings, table())


@app.post("/v1/accounts")
def post_account() -> Response[str]:
    event = app.current_event
    fields = Fields(read_body(event.body, event.headers, encoded=bool(event.is_base64_encoded)))
    if media_type(event.headers) == FORM:
        return _by_form(fields)
    bearer = authorization(event.headers)
    done = _link(fields, bearer, dry_run=fields.flag("dry_run"))
    if isinstance(done, Tried):
        return _json(200, documents.dry_run(done.receipt))
    by_session = bearer.kind is Kind.CONNECT_SESSION
    show = documents.own_account if by_session else documents.account
    status = 202 if isinstance(done, Parked) else 200 if done.again else 201
    return _json(status, show(done.account))


@app.get("/v1/connect-sessions/current")
def get_current_session() -> Response[str]:
    bearer = authorization(app.current_event.headers)
    session = sessions().session(bearer.id) if bearer.kind is Kind.CONNECT_SESSION else None
    if session is None:
        raise Problem(Reason.UNAUTHORIZED)
    if session.state == "revoked":
        raise Problem(Reason.SESSION_USED)
    if session.state == "open" and not session.usable(bootstrap.now()):
        raise Problem(Reason.SESSION_EXPIRED)
    return _json(200, documents.own_session(session))


@app.get("/v1/health")
def get_health() -> Response[str]:
    return _json(200, {"status": "ok", "stack": settings.stack})


def _count(name: str) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def _command(fields: Fields, bearer: Bearer, *, dry_run: bool) -> LinkCommand:
    credential = parse_credential(fields.typed("subdomain"), fields.typed("token"))
    label = fields.text("label", most=100)
    permission: BySession | ByOwner
    if bearer.kind is Kind.CONNECT_SESSION:
        permission = BySession(session_id=bearer.id, bearer=bearer.value)
        actor = Actor(kind=ActorKind.SESSION, name=bearer.id)
    else:
        caller = authorised(sessions(), bearer, scope="link", now=bootstrap.now())
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


def _link(
    fields: Fields, bearer: Bearer, *, dry_run: bool = False
) -> LinkedAccount | Parked | Tried:
    """Do what the fields ask for, and count how it went.

    Raises:
        Problem, StorageError: nothing was linked.
    """
    try:
        done = link(_command(fields, bearer, dry_run=dry_run), ports())
    except Problem as problem:
        _count("LinksUndetermined" if problem.transient else "LinksRefused")
        raise
    if not isinstance(done, Tried):
        _count("LinksDone")
        logger.info("stored", account_id=done.account.id, outcome=type(done).__name__)
    return done


def _by_form(fields: Fields) -> Response[str]:
    """Link by a web form without script, and send the browser on, so that nothing is sent twice.

    It has no Authorization header: its session is a hidden field.
    """
    session = None
    try:
        bearer = parse(fields.text("session"))
        if bearer is None or bearer.kind is not Kind.CONNECT_SESSION:
            raise Problem(Reason.UNAUTHORIZED)
        session = sessions().session(bearer.id)
        return _see_other(_done_at(session, _link(fields, bearer)))
    except Problem as problem:
        logger.info("refused", code=problem.code, reason=problem.reason)
        return _see_other(_refused_at(session, problem))
    except StorageError as error:
        logger.error("storage", error=str(error))
        return _see_other(_refused_at(session, Problem(Reason.STORAGE_UNAVAILABLE)))


def _done_at(session: ConnectSession | None, done: LinkedAccount | Parked | Tried) -> str:
    """Return where a browser goes whose form has linked, or whose link waits for Namely."""
    assert not isinstance(done, Tried)  # noqa: S101 - a form never asks for a dry run
    outcome = "parked" if isinstance(done, Parked) else "linked"
    if session and session.return_url:
        told = {"status": outcome, "account_id": done.account.id}
        return _with_query(session.return_url, told)
    return _result(outcome, session, subdomain=done.account.subdomain)


def _refused_at(session: ConnectSession | None, problem: Problem) -> str:
    """Return where a browser goes whose form was refused."""
    if session and session.return_url:
        told = {"status": "failed", "code": problem.code, "reason": problem.reason}
        return _with_query(session.return_url, told)
    left, wait = problem.attempts_left, problem.retry_after
    return _result(
        "refused",
        session,
        reason=problem.reason,
        subdomain=problem.subdomain,
        attempts_left="" if left is None else str(left),
        minutes=str(min(math.ceil(wait / 60), 60)) if wait else "",
    )


def _result(outcome: str, session: ConnectSession | None, **told: str) -> str:
    """Return the address of the page that says how it went, seen from `POST /v1/accounts`."""
    known = {"outcome": outcome, "locale": session.locale if session else "", **told}
    return "../result?" + urlencode({name: value for name, value in known.items() if value})


def _with_query(address: str, fields: Mapping[str, str]) -> str:
    """Return a checked address with more fields in its query, before its fragment."""
    parts = urlsplit(address)
    query = "&".join(one for one in (parts.query, urlencode(fields)) if one)
    return parts._replace(query=query).geturl()


def _see_other(location: str) -> Response[str]:
    return Response(303, headers={"Location": location, **_NO_STORE}, body="")


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
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(routed(event), context)
