"""The direction of dependencies: functions → bootstrap → adapters → model."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "layers" / "shared" / "namely_link"
KNOWN_TO_ONE = {
    "urllib3": {"namely"},
    "boto3": {"bootstrap", "registry"},  # the registry takes the serialiser of types only
    "botocore": {"bootstrap", "vault", "registry", "bus", "checks", "sealing"},
    "mypy_boto3_dynamodb": {"registry"},
    "mypy_boto3_secretsmanager": {"vault"},
    "mypy_boto3_events": {"bus"},
    "mypy_boto3_sqs": {"checks"},
    "mypy_boto3_kms": {"sealing"},
}
ADAPTERS = {"namely", "vault", "registry", "bus", "checks", "sealing", "settings", "bootstrap"}
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def imports(module: str) -> set[str]:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "namely_link":
            found |= {f"namely_link.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_each_vendor_is_known_only_where_it_is_adapted(module: str) -> None:
    vendors = {one.partition(".")[0] for one in imports(module)}
    vendors -= {*sys.stdlib_module_names, "namely_link"}
    assert all(module in KNOWN_TO_ONE[vendor] for vendor in vendors)


@pytest.mark.parametrize("module", [one for one in MODULES if one not in ADAPTERS])
def test_the_domain_knows_no_adapter(module: str) -> None:
    assert not imports(module) & {f"namely_link.{one}" for one in ADAPTERS}


@pytest.mark.parametrize("module", [one for one in MODULES if one != "bootstrap"])
def test_nothing_but_the_functions_knows_the_bootstrap(module: str) -> None:
    assert "namely_link.bootstrap" not in imports(module)


@pytest.mark.parametrize("module", [one for one in MODULES if one != "settings"])
def test_only_the_settings_read_the_environment(module: str) -> None:
    assert "os" not in imports(module)
