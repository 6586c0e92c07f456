"""`publish`: puts the events of committed changes on the bus, from the table's stream."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from namely_link import bootstrap
from namely_link.aws.registry import published
from namely_link.domain.problems import StorageError
from namely_link.settings import PublishSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.aws.bus import EventBridgeBus

logger = Logger()
metrics = Metrics()
settings = PublishSettings.read()


@cache
def bus() -> EventBridgeBus:
    """Return the bus, made at the first event."""
    return bootstrap.bus(settings.bus)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Put events in the order of the stream, and stop at the first record that fails.

    Lambda comes again from there, halves the batch, and sends a record that never works to the
    dead-letter queue, so that it stops nothing else.
    """
    for record in event["Records"]:
        try:
            events = published(record["dynamodb"])
            bus().put(events)
        except (StorageError, KeyError, TypeError, ValueError) as error:
            number = record["dynamodb"]["SequenceNumber"]
            logger.error("not published", error=type(error).__name__, sequence_number=number)
            return {"batchItemFailures": [{"itemIdentifier": number}]}
        for kind, detail in events:
            metrics.add_metric(name="Published", unit=MetricUnit.Count, value=1)
            logger.info("published", type=kind, event_id=detail["event_id"])
    return {"batchItemFailures": []}
