"""`publish`: puts the events of committed changes on the bus, from the table's stream."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from namely_link import bootstrap
from namely_link.aws.outbox import published
from namely_link.domain.problems import RefusedError, StorageError, UnreadableError
from namely_link.http import documents
from namely_link.settings import PublishSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.aws.bus import EventBridgeBus
    from namely_link.aws.queue import DeadLetters

logger = Logger()
metrics = Metrics()
settings = PublishSettings.read()


@cache
def bus() -> EventBridgeBus:
    """Return the bus, made at the first event."""
    return bootstrap.bus(settings.bus)


@cache
def dead_letters() -> DeadLetters:
    """Return where records are set aside, made at the first one."""
    return bootstrap.dead_letters(settings.dead_letters)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Put events in the order of the stream, and stop at the first that EventBridge does not take.

    Lambda comes again from there until the stream's end, so the later events of an account wait. A
    record that can't be read, or has an event that EventBridge refuses for good, would never be
    taken: it becomes a dead letter, and an alarm tells.
    """
    for record in event["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            _publish(record["dynamodb"])
        except StorageError as error:
            logger.error("not published", error=str(error), sequence_number=number)
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def _publish(change: dict[str, Any]) -> None:
    try:
        events = [(one.type, documents.event(one, of)) for one, of in published(change)]
        bus().put(events)
    except (UnreadableError, RefusedError) as error:
        dead_letters().put({"unreadable": change})
        metrics.add_metric(name="Unreadable", unit=MetricUnit.Count, value=1)
        logger.error("set aside", error=str(error), sequence_number=change["SequenceNumber"])
        return
    for kind, detail in events:
        metrics.add_metric(name="Published", unit=MetricUnit.Count, value=1)
        logger.info("published", type=kind, event_id=detail["event_id"])
