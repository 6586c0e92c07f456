"""The environment of each function holds 4 KB, whatever is chosen for the parameters.

Lambda measures names and values as one JSON object.
"""

import base64
import json
import re
from typing import Any

import pytest
import trustme

from templates import TEMPLATE

PARAMETERS = TEMPLATE["Parameters"]
FUNCTIONS = {
    name: one["Properties"]
    for name, one in TEMPLATE["Resources"].items()
    if one["Type"] == "AWS::Serverless::Function"
}
LIMIT = 4096
PARAMETER_LIMIT = 4096
"""Bytes of a parameter's value."""

ESCAPED = 12
"""Bytes of a character beyond the basic plane, as JSON may write it."""

REGION = len("ap-southeast-1")
ARN = len("arn:aws-us-gov:") + REGION + len("::123456789012:")
LONGEST = {
    "AWS::StackName": 128,
    "AWS::Region": REGION,
    "AWS::AccountId": 12,
    "AWS::Partition": len("aws-us-gov"),
    "AWS::URLSuffix": len("amazonaws.com.cn"),
    "AWS::DynamoDB::Table": 255,
    "AWS::SQS::Queue": len("https://sqs..amazonaws.com.cn/123456789012/") + REGION + 80,
    "AWS::Events::EventBus": 256,
    "AWS::SecretsManager::Secret Id": ARN + len("secretsmanager") + len("secret:-abcdef") + 512,
    "AWS::KMS::Key Arn": ARN + len("kms") + len("key/mrk-") + 36,
}
"""Characters at most, as AWS documents them; of a resource, what `Ref` gives."""


def of_parameter(name: str) -> int:
    """Bytes that a parameter's value may have."""
    parameter = PARAMETERS[name]
    if parameter["Type"] == "Number":
        numbers = [parameter.get("MinValue"), parameter.get("MaxValue")]
        return max(len(str(one)) for one in parameter.get("AllowedValues", numbers))
    if "AllowedValues" in parameter:
        return max(map(len, parameter["AllowedValues"]))
    pattern = parameter["AllowedPattern"]
    classes = re.findall(r"\[(\^?)(?:\\.|[^\]\\])*\]", pattern)
    outside = re.sub(r"\[(?:\\.|[^\]\\])*\]|\\.", "", pattern)
    # What names its characters names none beyond ASCII; a range may have a quote, which is escaped.
    named = 2 if r"\x" in pattern else 1
    each = ESCAPED if "^" in classes or "." in outside else named
    return parameter.get("MaxLength", PARAMETER_LIMIT) * each


def longest(node: Any) -> int:
    """Bytes that a value of the environment may have."""
    match node:
        case {"If": [_, yes, no]}:
            return max(longest(yes), longest(no))
        case {"Ref": str(name)} if name in PARAMETERS:
            return of_parameter(name)
        case {"Ref": "AWS::NoValue"}:
            return 0
        case {"Ref": str(name)}:
            return LONGEST[name if "::" in name else TEMPLATE["Resources"][name]["Type"]]
        case {"GetAtt": str(name)}:
            resource, _, attribute = name.partition(".")
            return LONGEST[f"{TEMPLATE['Resources'][resource]['Type']} {attribute}"]
        case {"Sub": str(text)}:
            refs = re.findall(r"\$\{([\w:]+)\}", text)
            fixed = len(re.sub(r"\$\{[\w:]+\}", "", text).encode())
            return fixed + sum(longest({"Ref": one}) for one in refs)
        case str() | int():
            return len(str(node).encode())
    raise NotImplementedError(node)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_environment_fits_whatever_is_chosen(name: str) -> None:
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    variables = shared | FUNCTIONS[name]["Environment"]["Variables"]
    quoted = len(json.dumps({"": ""}, separators=(",", ":"))) - 1
    sizes = {key: len(key) + longest(one) + quoted for key, one in variables.items()}
    assert 2 + sum(sizes.values()) <= LIMIT, sizes


@pytest.mark.parametrize(
    "name", [name for name, one in PARAMETERS.items() if one["Type"] == "String"]
)
def test_every_text_among_the_parameters_is_bounded(name: str) -> None:
    parameter = PARAMETERS[name]
    assert "AllowedValues" in parameter or parameter["MaxLength"] <= PARAMETER_LIMIT


@pytest.mark.parametrize(
    ("pattern", "each"),
    [("^[a-z]*$", 1), (r"^[\x21-\x7e]+$", 2), ("^[^a]*$", 12), ("^.*$", 12), (r"^a\.[.]b$", 1)],
)
def test_a_pattern_that_lets_everything_in_counts_for_more(
    monkeypatch: pytest.MonkeyPatch, pattern: str, each: int
) -> None:
    parameter = {"Type": "String", "AllowedPattern": pattern, "MaxLength": 7}
    monkeypatch.setitem(PARAMETERS, "MadeUp", parameter)
    assert of_parameter("MadeUp") == 7 * each


def test_the_simulators_authority_fits_its_parameter() -> None:
    authority = base64.b64encode(trustme.CA().cert_pem.bytes())
    assert len(authority) <= PARAMETERS["NamelyCaBundle"]["MaxLength"]
