"""`intake`: does what events from other systems ask for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from namely_link import bootstrap
from namely_link.settings import IntakeSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.commands.requests import Intake

logger = Logger()
metrics = Metrics()
settings = IntakeSettings.read()


@cache
def intake() -> Intake:
    """Return what handles requests, made at the first one."""
    return bootstrap.intake(settings)


@logger.inject_lambda_context(correlation_id_path="id")
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> str:
    outcome = intake().handle(event)
    name = "RequestsRefused" if outcome.startswith("refused") else "RequestsDone"
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
    logger.info("handled", type=event.get("detail-type"), outcome=outcome)
    return outcome
