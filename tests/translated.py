"""`template.yaml` as CloudFormation gets it: SAM's shorthand expanded, and references resolved.

What only a deployment tells (ids, ARNs) is made up by the rules of the service, so that policies
can be evaluated and names compared.
"""

from __future__ import annotations

import copy
import logging
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from unittest.mock import patch

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from templates import ROOT

ACCOUNT: Final = "123456789012"

_FORMS: Final = {
    "AWS::ApiGateway::RestApi": "apigateway:{region}::/restapis/{name}",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{name}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
}
"""What follows `arn:aws:`; of other types no policy says anything."""

_NAMES: Final = {
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
}
"""The property with the name; without one it is the stack's, the resource's and a random end."""

_logger = logging.getLogger("samtranslator")


class _Policies:
    """SAM asks for AWS's managed policies, which the template does not use."""

    def load(self) -> dict[str, str]:
        return {}


def translated(region: str = "eu-central-1") -> dict[str, Any]:
    """Return the template with SAM's shorthand expanded, references as they are."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for name, one in template["Resources"].items():
        for code in ("CodeUri", "ContentUri"):
            if code in one["Properties"]:
                one["Properties"][code] = f"s3://packaged/{name}"
    _logger.setLevel(logging.CRITICAL)
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": region}):
        return transform(template, {}, _Policies())


@dataclass
class Deployed:
    """The template as it is deployed once: under which name, where, by which parameters."""

    stack: str = "stack"
    region: str = "eu-central-1"
    parameters: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def template(self) -> dict[str, Any]:
        return translated(self.region)

    @cached_property
    def resources(self) -> dict[str, Any]:
        """Resources whose condition holds, everything in them resolved."""
        found = {
            name: one
            for name, one in self.template["Resources"].items()
            if "Condition" not in one or self._holds(one["Condition"])
        }
        return {name: self.resolved(copy.deepcopy(one)) for name, one in found.items()}

    def resolved(self, value: Any) -> Any:
        """Return a value of the template without its functions."""
        match value:
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::GetAtt": str(path)}:
                return self._attribute(*path.split(".", 1))
            case {"Fn::Sub": str(text)}:
                return self._filled(text, {})
            case {"Fn::Sub": [str(text), dict(more)]}:
                return self._filled(text, self.resolved(more))
            case {"Fn::If": [str(condition), yes, no]}:
                return self.resolved(yes if self._holds(condition) else no)
            case {"Fn::Join": [str(between), list(parts)]}:
                return between.join(self.resolved(parts))
            case dict():
                inner = {key: self.resolved(one) for key, one in value.items()}
                return {key: one for key, one in inner.items() if one is not None}
            case list():
                return [one for each in value if (one := self.resolved(each)) is not None]
        return value

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": None,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.template["Parameters"]:
            return self.parameters.get(name, self.template["Parameters"][name]["Default"])
        if self.template["Resources"][name]["Type"] == "AWS::IAM::ManagedPolicy":
            return self._attribute(name, "Arn")
        return self.name(name)

    def name(self, name: str) -> str:
        """Return what a resource is called in the account."""
        one = self.template["Resources"][name]
        named = _NAMES.get(one["Type"], "")
        if named in one.get("Properties", {}):
            return str(self.resolved(one["Properties"][named]))
        return f"{self.stack}-{name}-4F9A1B2C3D4E"

    def _attribute(self, name: str, attribute: str) -> str:
        kind = self.template["Resources"][name]["Type"]
        if attribute == "StreamArn":
            return f"{self._attribute(name, 'Arn')}/stream/2026-11-25T00:00:00.000"
        if attribute in {"Arn", "Id"} and kind in _FORMS:
            form = _FORMS[kind].format(region=self.region, account=ACCOUNT, name=self.name(name))
            return f"arn:aws:{form}"
        return f"arn:aws:other:{self.region}:{ACCOUNT}:{self.name(name)}:{attribute}"

    def _filled(self, text: str, more: dict[str, Any]) -> str:
        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name in more:
                return str(more[name])
            resource, dot, attribute = name.partition(".")
            return str(self._attribute(resource, attribute) if dot else self._ref(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", one, text)

    def _holds(self, condition: Any) -> bool:
        match condition:
            case str():
                return self._holds(self.template["Conditions"][condition])
            case {"Fn::Equals": [one, other]}:
                return str(self.resolved(one)) == str(self.resolved(other))
            case {"Fn::Not": [one]}:
                return not self._holds(one)
            case {"Fn::And": list(parts)}:
                return all(self._holds(one) for one in parts)
            case {"Fn::Or": list(parts)}:
                return any(self._holds(one) for one in parts)
            case {"Condition": str(name)}:
                return self._holds(name)
        msg = f"no condition: {condition}"
        raise ValueError(msg)

    def passes(self, rule: str) -> bool:
        """Whether the parameters pass a rule of the template."""
        one = self.template["Rules"][rule]
        if "RuleCondition" in one and not self._holds(one["RuleCondition"]):
            return True
        return all(self._holds(each["Assert"]) for each in one["Assertions"])

    def policies(self) -> dict[str, dict[str, Any]]:
        """Return the policy of each role and each managed policy, by the name of its resource."""
        found: dict[str, dict[str, Any]] = {}
        for name, one in self.resources.items():
            match one["Type"]:
                case "AWS::IAM::Role":
                    (inline,) = one["Properties"]["Policies"]
                    found[name] = inline["PolicyDocument"]
                case "AWS::IAM::ManagedPolicy":
                    found[name] = one["Properties"]["PolicyDocument"]
        return found
