"""`sweep`: on a schedule, finds what is due and finishes or undoes what was left."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from namely_link import bootstrap
from namely_link.settings import SweepSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.commands.sweep import Sweeper

logger = Logger()
metrics = Metrics()
settings = SweepSettings.read()


@cache
def sweeper() -> Sweeper:
    """Return what sweeps, made at the first sweep."""
    return bootstrap.sweeper(settings)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    swept = sweeper().sweep()
    done = dict(swept.done)
    # Missing where a sweep fails or does not end, and the alarm takes that for the worst.
    metrics.add_metric(name="OldestDueSeconds", unit=MetricUnit.Seconds, value=swept.oldest_due)
    metrics.add_metric(name="Due", unit=MetricUnit.Count, value=sum(done.values()))
    metrics.add_metric(name="SweepFaults", unit=MetricUnit.Count, value=done.get("faults", 0))
    logger.info("swept", done=done, oldest_due=swept.oldest_due)
    return done
