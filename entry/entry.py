"""All that a function's own package holds, and it stays as it is: the code comes with the layer.

So a release changes a function in one call, which sets its layer and its settings together. With
code of its own there would be two calls, and seconds in between.
"""

import os
import sys
from pathlib import Path

import namely_link

_NAME = os.environ["POWERTOOLS_SERVICE_NAME"]
sys.path.insert(0, str(Path(namely_link.__file__).parents[1] / "functions" / _NAME))

from app import handler  # noqa: E402 - found by the line before

__all__ = ["handler"]
