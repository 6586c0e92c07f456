"""`webhook`: sends events to the deployer's own address, as the queue delivers them."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from namely_link import bootstrap
from namely_link.domain.problems import NamelyLinkError
from namely_link.outgoing.webhook import SECONDS, message
from namely_link.settings import WebhookSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.aws.vault import SigningKeys
    from namely_link.outgoing.webhook import Webhook

logger = Logger()
metrics = Metrics()
settings = WebhookSettings.read()


@cache
def webhook() -> Webhook:
    """Return where events go, made at the first one."""
    return bootstrap.webhook(settings)


@cache
def keys() -> SigningKeys:
    """Return what events are signed with, made at the first one."""
    return bootstrap.signing_keys(settings)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Send each event; what was not taken comes again when the queue shows it again."""
    failed = [one["messageId"] for one in event["Records"] if not _sent(one)]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def _sent(record: dict[str, Any]) -> bool:
    times, event_id = int(record["attributes"]["ApproximateReceiveCount"]), ""
    try:
        told = message(record["body"])
        event_id = told.id
        deadline = time.monotonic() + SECONDS
        at = int(bootstrap.now().timestamp())
        webhook().send(told, at=at, keys=keys().read(), deadline=deadline)
    except NamelyLinkError as error:
        metrics.add_metric(name="WebhooksFailed", unit=MetricUnit.Count, value=1)
        logger.error("not sent", event_id=event_id, error=str(error), times=times)
        return False
    metrics.add_metric(name="WebhooksSent", unit=MetricUnit.Count, value=1)
    logger.info("sent", event_id=event_id, times=times)
    return True
