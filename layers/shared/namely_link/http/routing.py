"""Where a request was routed to, whatever domain and base path it came by."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def routed(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return API Gateway's event with the path of its route.

    Behind a custom domain the event's own `path` begins with the domain's base path, `resource` and
    `pathParameters` don't. What has no route gets the path of the catch-all, which nobody serves.
    """
    values = event["pathParameters"] or {}
    path = re.sub(r"\{(\w+)\}", lambda found: quote(values[found[1]], safe=""), event["resource"])
    return {**event, "path": path}


def base_url(event: Mapping[str, Any]) -> str:
    """Return what stands before every route for who sent a routed event, without a last slash.

    That is the stage's address, or the custom domain's with its base path.
    """
    context = event["requestContext"]
    base = context["path"].rstrip("/").removesuffix(event["path"])
    return f"https://{context['domainName']}{base}"
