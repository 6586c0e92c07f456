"""What AWS asks for: us-east-1, US dollars, without free tiers. Change a price here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AS_OF: Final = "November 2026"
MILLION: Final = 1_000_000
GB: Final = 2**30


@dataclass(frozen=True)
class Price:
    """Dollars for so many of a unit, at a service; `note` says where two figures are about."""

    service: str
    item: str
    usd: float
    per: float = 1
    note: str = ""

    def of(self, units: float) -> float:
        """Return what so many units cost."""
        return units / self.per * self.usd


PRICES: Final = {
    "secret": Price("Secrets Manager", "secret, a month", 0.40),
    "secret_call": Price("Secrets Manager", "10,000 calls", 0.05, 10_000),
    "write": Price(
        *("DynamoDB", "million write units, on demand", 0.625, MILLION),
        note="since November 2024; texts before say 1.25",
    ),
    "read": Price(
        *("DynamoDB", "million read units, on demand", 0.125, MILLION),
        note="since November 2024; texts before say 0.25",
    ),
    "stored": Price("DynamoDB", "GB of the table and its indexes, a month", 0.25, GB),
    "recoverable": Price("DynamoDB", "GB with point-in-time recovery, a month", 0.20, GB),
    "lambda_request": Price("Lambda", "million invocations", 0.20, MILLION),
    "lambda_arm64": Price("Lambda", "GB-second on arm64", 0.0000133334),
    "lambda_x86_64": Price("Lambda", "GB-second on x86_64", 0.0000166667),
    "sqs": Price("SQS", "million requests, standard queue", 0.40, MILLION),
    "event": Price("EventBridge", "million events of your own (64 KB each)", 1.00, MILLION),
    "archived": Price(
        *("EventBridge", "GB put into the archive", 0.10, GB),
        note="some texts name 0.10 as a price of the GB kept; that would add less than a dollar",
    ),
    "archive": Price("EventBridge", "GB kept in the archive, a month", 0.023, GB),
    "key": Price(
        *("KMS", "key, a month", 1.00),
        note="each of the first two yearly rotations adds as much",
    ),
    "key_request": Price("KMS", "10,000 requests", 0.03, 10_000),
    "metric": Price("CloudWatch", "custom metric, a month", 0.30),
    "alarm": Price("CloudWatch", "alarm, a month", 0.10),
    "dashboard": Price(
        "CloudWatch", "dashboard, a month", 3.00, note="an account's first three are free"
    ),
    "log": Price("CloudWatch", "GB of logs taken in", 0.50, GB),
    "log_kept": Price(
        *("CloudWatch", "GB of logs kept, a month", 0.03, GB),
        note="of what is left when compressed, about 15 %",
    ),
    "rest": Price("API Gateway", "million requests to a REST API", 3.50, MILLION),
    "trace": Price("X-Ray", "million traces recorded", 5.00, MILLION),
}

SECRETS_A_REGION: Final = 500_000
"""Quota of secrets in one account and region."""
