"""`check`: probes linked accounts again, as the queue asks."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch import process_partial_response as process

from namely_link import bootstrap
from namely_link.domain.account import Actor
from namely_link.domain.problems import ConflictError
from namely_link.settings import ProbeSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.commands.check import Checker

logger = Logger()
metrics = Metrics()
settings = ProbeSettings.read()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@cache
def checker() -> Checker:
    """Return what makes checks, made at the first one."""
    return bootstrap.checker(settings)


def check(record: SQSRecord) -> None:
    asked = json.loads(record.body)
    by = asked["asked_by"]
    actor = Actor(kind="api_key" if by else "check", name=by or "sweep")
    try:
        account = checker().check(asked["account_id"], actor=actor, request_id=record.message_id)
    except ConflictError:
        account = None  # it was linked again or changed meanwhile: that knows better
    outcome = "skipped"
    if account:
        outcome = account.status_reasons[0].code if account.status_reasons else "accepted"
    undetermined = outcome in {"namely_unavailable", "namely_throttled"}
    # 0 or 1: the average is the share, the number of samples that of the checks.
    metrics.add_metric(name="CheckUndetermined", unit=MetricUnit.Count, value=int(undetermined))
    logger.info("checked", account_id=asked["account_id"], outcome=outcome)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:  # noqa: ANN401 - of Powertools
    return process(event=event, record_handler=check, processor=processor, context=context)
