"""Reads `template.yaml`, so that tests have the deployment's own table and never restate it."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their names and values."""


def _short_form(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {suffix: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _short_form)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 - a SafeLoader


def create_table(client: Any, name: str) -> None:
    """Create the table of the template, as far as it is about keys, indexes and the stream."""
    properties = TEMPLATE["Resources"]["Table"]["Properties"]
    kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    stream = properties["StreamSpecification"] | {"StreamEnabled": True}
    client.create_table(
        TableName=name, StreamSpecification=stream, **{key: properties[key] for key in kept}
    )
