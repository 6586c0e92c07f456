"""A function's own code, loaded as a new container of Lambda does."""

import importlib.util
from dataclasses import dataclass
from types import ModuleType

from templates import ROOT


@dataclass
class Context:
    """What Lambda gives a handler."""

    function_name: str = "function"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id: str = "r1"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "functions" / name / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
