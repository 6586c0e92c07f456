"""`check`: probes linked accounts again, as the queue asks."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch import process_partial_response as process

from namely_link import bootstrap
from namely_link.aws.queue import asked
from namely_link.commands.check import check
from namely_link.domain.account import Account
from namely_link.domain.problems import Code, ConflictError
from namely_link.settings import ProbeSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.commands.ports import CheckPorts
    from namely_link.domain.lifecycle import State

logger = Logger()
metrics = Metrics()
settings = ProbeSettings.read()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
_NO_VERDICT = {Code.NAMELY_UNAVAILABLE, Code.NAMELY_THROTTLED}


@cache
def ports() -> CheckPorts:
    """Return what checks touch, made at the first one."""
    return bootstrap.check_ports(settings)


def handle(record: SQSRecord) -> None:
    wanted = asked(record.body, message_id=record.message_id)
    try:
        checked = check(
            wanted.account_id, actor=wanted.actor, request_id=wanted.request_id, ports=ports()
        )
    except ConflictError:
        checked = None  # it was linked again or changed meanwhile: that knows better
    outcome = _outcome(checked)
    # 0 or 1: the average is the share, the number of samples that of the checks.
    undetermined = int(outcome in _NO_VERDICT)
    metrics.add_metric(name="CheckUndetermined", unit=MetricUnit.Count, value=undetermined)
    logger.info("checked", account_id=wanted.account_id, outcome=outcome)


def _outcome(checked: State) -> str:
    if checked is None:
        return "skipped"
    if not isinstance(checked, Account):
        return "rejected"
    reasons = checked.health.reasons
    return reasons[0].code if reasons else "accepted"


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:  # noqa: ANN401 - of Powertools
    return process(event=event, record_handler=handle, processor=processor, context=context)
