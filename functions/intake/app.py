"""`intake`: does what events from other systems ask for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from namely_link import bootstrap
from namely_link.commands import requests
from namely_link.commands.requests import (
    HOW_TO_SEAL,
    Asked,
    CheckRequest,
    Handled,
    LinkRequest,
    UnlinkRequest,
)
from namely_link.domain.credentials import parse_subdomain
from namely_link.domain.problems import Problem, Reason, StorageError
from namely_link.domain.values import Actor, ActorKind, Owner, timestamp
from namely_link.http.fields import Fields
from namely_link.settings import IntakeSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.commands.ports import RequestPorts
    from namely_link.commands.requests import Request

logger = Logger()
metrics = Metrics()
settings = IntakeSettings.read()


@cache
def ports() -> RequestPorts:
    """Return what requests touch, made at the first one."""
    return bootstrap.request_ports(settings)


@logger.inject_lambda_context(correlation_id_path="id")
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> str:
    handled = _handle(event)
    name = "RequestsRefused" if handled.refused else "RequestsDone"
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
    logger.info("handled", type=_shown(event, "detail-type"), outcome=str(handled))
    return str(handled)


def _handle(event: Mapping[str, Any]) -> Handled:
    said = event.get("detail")
    detail = dict(said) if isinstance(said, dict) else {}
    asked = _asked(event, detail)
    try:
        request = _request(asked.kind, detail)
    except Problem as problem:
        return _refuse(asked, problem, plain_token="token" in detail)
    return requests.handle(asked, request, ports())


def _refuse(asked: Asked, problem: Problem, *, plain_token: bool) -> Handled:
    try:
        return requests.refuse(asked, problem, ports())
    except StorageError:
        # A plain token must not become a dead letter, so for once no event is better than a retry.
        if not plain_token:
            raise
        logger.error("not told", type=asked.kind)
    return Handled("refused", problem.code)


def _asked(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Asked:
    """Return who asks for what, from what can be shown of it; it is never refused."""
    kind = _shown(event, "detail-type", most=128)
    request_id = _shown(detail, "request_id", most=128) or _shown(event, "id", most=128)
    about: dict[str, object]
    if kind == "Link Requested":
        owner = {"id": _shown(detail, "owner_id"), "name": _shown(detail, "owner_name")}
        about = {"owner": owner, "subdomain": _shown(detail, "subdomain")}
    else:
        about = {"id": _shown(detail, "account_id")}
    return Asked(
        kind=kind,
        actor=Actor(kind=ActorKind.EVENT, name=_shown(event, "source", most=128)),
        request_id=request_id,
        at=_shown(event, "time") or timestamp(bootstrap.now()),
        shown=about,
    )


def _request(kind: str, detail: dict[str, Any]) -> Request:
    """Return what is asked for.

    Raises:
        Problem: invalid_request, invalid_subdomain.
    """
    if "token" in detail:
        raise Problem(Reason.INVALID_REQUEST, detail=HOW_TO_SEAL, field="token")
    fields = Fields(detail)
    fields.text("request_id", most=128, required=kind == "Link Requested")
    request: Request
    match kind:
        case "Link Requested":
            request = LinkRequest(
                owner=Owner(fields.owner_id(), fields.text("owner_name", required=True)),
                subdomain=parse_subdomain(fields.typed("subdomain")).label,
                sealed_token=fields.typed("sealed_token", most=8193),  # one too many is no Base64
                expires_at=_expiry(fields),
                label=fields.text("label", most=100),
                metadata=fields.metadata() or {},
            )
        case "Check Requested":
            subdomain = fields.typed("subdomain")
            request = CheckRequest(
                account_id=fields.text("account_id", most=40),
                owner_id=fields.owner_id(required=False),
                subdomain=parse_subdomain(subdomain).label if subdomain else "",
            )
            if request == CheckRequest():
                detail_of = "Name an account, owner or subdomain."
                raise Problem(Reason.INVALID_REQUEST, detail=detail_of)
        case "Unlink Requested":
            request = UnlinkRequest(account_id=fields.text("account_id", most=40, required=True))
        case _:
            raise Problem(Reason.INVALID_REQUEST, detail="This event is not known here.")
    fields.done()
    return request


def _expiry(fields: Fields) -> str:
    """Return until when the seal is good; a seal of the old form has none."""
    if "expires_at" not in fields:
        raise Problem(Reason.INVALID_REQUEST, detail=HOW_TO_SEAL, field="expires_at")
    return fields.moment("expires_at")


def _shown(values: Mapping[str, Any], name: str, *, most: int = 31) -> str:
    """Return a text of the sender that may be repeated; '' for one that is none or too long.

    Up to 31 characters it can't be a token that was put into the wrong field.
    """
    try:
        return Fields({name: values.get(name)}).text(name, most=most)
    except Problem:
        return ""
