"""`sweep`: each minute finds what is due and finishes or undoes what was left; each day reconciles.

An event with `"task": "reconcile"` compares the secrets with the rows; any other one sweeps.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from namely_link import bootstrap
from namely_link.commands.reconcile import reconcile
from namely_link.commands.sweep import sweep
from namely_link.settings import SweepSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from namely_link.commands.ports import SweepPorts

logger = Logger()
metrics = Metrics()
settings = SweepSettings.read()


@cache
def ports() -> SweepPorts:
    """Return what a sweep touches, made at the first one."""
    return bootstrap.sweep_ports(settings)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    return _reconcile() if event.get("task") == "reconcile" else _sweep()


def _sweep() -> dict[str, int]:
    swept = sweep(ports())
    if swept is None:
        logger.info("another sweep is at work")
        return {}
    done = dict(swept.done)
    # Missing where a sweep fails or does not end, and the alarm takes that for the worst.
    if swept.oldest_due is not None:
        metrics.add_metric(name="OldestDueSeconds", unit=MetricUnit.Seconds, value=swept.oldest_due)
    metrics.add_metric(name="Due", unit=MetricUnit.Count, value=sum(done.values()))
    metrics.add_metric(name="SweepFaults", unit=MetricUnit.Count, value=len(swept.faults))
    _tell(swept.faults)
    logger.info("swept", done=done, oldest_due=swept.oldest_due)
    return done | ({"faults": len(swept.faults)} if swept.faults else {})


def _reconcile() -> dict[str, int]:
    done = reconcile(ports())
    wrong = len(done.found) + (not done.complete)
    metrics.add_metric(name="Reconciled", unit=MetricUnit.Count, value=wrong)
    metrics.add_metric(name="SweepFaults", unit=MetricUnit.Count, value=len(done.faults))
    for name, what in done.found.items():
        logger.error("reconciled", secret=name, what=what)
    _tell(done.faults)
    if not done.complete:
        logger.error("not all compared", secrets=done.secrets)
    logger.info("compared", secrets=done.secrets, complete=done.complete)
    return {"secrets": done.secrets, "found": len(done.found), "faults": len(done.faults)}


def _tell(faults: Mapping[str, Exception]) -> None:
    for name, error in faults.items():
        # Not its text, which may quote what a row or a token says.
        logger.error("fault", of=name, error=type(error).__name__)
