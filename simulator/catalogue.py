"""The table of credentials: what each stands for and what linking it should give."""

import hashlib
import string
from dataclasses import dataclass, field
from typing import Literal

type OwnerStatus = Literal["active", "inactive", "pending"]
type People = Literal["all", "self", "forbidden", "unauthorized"]

LINKED = "linked"
SITE_NOT_FOUND = "site_not_found"
TOKEN_REFUSED = "token_refused"
TOKEN_OWNER_INACTIVE = "token_owner_inactive"
THROTTLED = "namely_throttled"
UNAVAILABLE = "namely_unavailable"

TOKEN_LENGTH = 64
TOKEN_PREFIX = "SimulatorToken"
DEFAULT_SEED = "namely-link"
COMPANY_SIZE = 57


@dataclass(frozen=True)
class Role:
    """What the owner of a token may see; keys are those of *other* people's profiles."""

    people: People = "all"
    """Who `/profiles` lists, or the status it refuses with (403, 401)."""
    sees_work: bool = True
    sees_birth_date: bool = False
    sees_salary: bool = False
    sees_ssn: bool = False
    sees_job_titles: bool = True
    super_admin: bool = False


@dataclass(frozen=True)
class Owner:
    """The profile that made a token."""

    kind: Literal["integrations", "employee"] = "integrations"
    access_role: str | None = None
    status: OwnerStatus = "active"


@dataclass(frozen=True)
class Case:
    """One credential, its site and its token."""

    name: str
    expect: str
    behaviour: str = "healthy"
    subdomain: str = ""
    """Empty: the name."""
    home: str = ""
    """The site that the token belongs to; empty: the subdomain."""
    company_size: int = COMPANY_SIZE
    owner: Owner = field(default_factory=Owner)
    role: Role = field(default_factory=Role)
    revoked: bool = False


@dataclass(frozen=True)
class Credential:
    """What a person would type, and the outcome: `linked` or an error code."""

    name: str
    subdomain: str
    token: str
    expect: str


_EMPLOYEE = Owner(kind="employee", access_role="Employee")
_ADMINISTRATOR = Owner(kind="employee", access_role="Administrator")
_SEES_ALL = Role(sees_birth_date=True, sees_salary=True, sees_ssn=True, super_admin=True)
_CUSTOM = Owner(access_role="Integrations (read only)")

CASES = (
    # Good credentials, and those that deserve a warning.
    Case("acme", LINKED, company_size=412, owner=_CUSTOM),
    Case("acme-second-token", LINKED, subdomain="acme", owner=_CUSTOM),
    Case("small-company", LINKED, company_size=1),
    Case("narrow-role", LINKED, role=Role(people="forbidden")),
    Case("narrow-role-401", LINKED, role=Role(people="unauthorized")),
    Case("only-self", LINKED, role=Role(people="self")),
    Case("over-privileged", LINKED, owner=_ADMINISTRATOR, role=_SEES_ALL),
    Case("personal-token", LINKED, owner=_EMPLOYEE),
    Case("owner-pending", LINKED, owner=Owner(status="pending")),
    Case("owner-inactive", TOKEN_OWNER_INACTIVE, owner=Owner(status="inactive")),
    Case("legacy-2014", LINKED, "legacy-2014"),
    # The site is not there, or not to be believed.
    Case("unknown-html", SITE_NOT_FOUND, "unknown-html"),
    Case("unknown-redirect", SITE_NOT_FOUND, "unknown-redirect"),
    Case("unknown-404", SITE_NOT_FOUND, "unknown-404"),
    Case("another-permalink", SITE_NOT_FOUND, "another-permalink"),
    Case("accepts-any-token", SITE_NOT_FOUND, "accepts-any-token"),
    # The token is refused, in each way seen or likely.
    Case("refused-401-json", TOKEN_REFUSED, "refuses-401-json", revoked=True),
    Case("refused-401-empty", TOKEN_REFUSED, "refuses-401-empty", revoked=True),
    Case("refused-401-message", TOKEN_REFUSED, "refuses-401-message", revoked=True),
    Case("refused-403-json", TOKEN_REFUSED, "refuses-403-json", revoked=True),
    Case("refused-403-empty", TOKEN_REFUSED, "refuses-403-empty", revoked=True),
    Case("refused-403-text", TOKEN_REFUSED, "refuses-403-text", revoked=True),
    Case("token-of-another-site", TOKEN_REFUSED, home="acme"),
    # The site or the negative control proves nothing.
    Case("info-needs-token", LINKED, "info-needs-token"),
    Case("info-needs-token-refused", TOKEN_REFUSED, "info-needs-token", revoked=True),
    Case("info-500", LINKED, "info-500"),
    Case("info-503", LINKED, "info-503"),
    Case("info-cut", LINKED, "info-cut"),
    Case("info-slow", LINKED, "info-slow"),
    Case("control-inconclusive", LINKED, "made-up-token-500"),
    # The token is proved; what it sees is not known yet.
    Case("profiles-500", LINKED, "profiles-500"),
    Case("profiles-504", LINKED, "profiles-504"),
    Case("profiles-slow", LINKED, "profiles-slow"),
    Case("profiles-cut", LINKED, "profiles-cut"),
    Case("profiles-html", LINKED, "profiles-html"),
    Case("profiles-odd", LINKED, "profiles-odd"),
    Case("profiles-406-unproved", THROTTLED, "profiles-406-made-up-token-500"),
    Case("resources-500", LINKED, "resources-500"),
    # The token is refused, but Namely is out of order.
    Case("incident-info-503", UNAVAILABLE, "incident-info-503"),
    Case("incident-info-slow", UNAVAILABLE, "incident-info-slow"),
    Case("incident-profiles-503", UNAVAILABLE, "incident-profiles-503"),
    # Throttled.
    Case("throttled-406", LINKED, "throttled-406"),
    Case("profiles-429", LINKED, "profiles-429"),
    Case("throttled-429", THROTTLED, "throttled-429"),
    Case("throttled-429-bare", THROTTLED, "throttled-429-bare"),
    Case("throttled-429-absurd", THROTTLED, "throttled-429-absurd"),
    # Out of order.
    Case("error-500", UNAVAILABLE, "error-500"),
    Case("error-502", UNAVAILABLE, "error-502"),
    Case("error-503", UNAVAILABLE, "error-503"),
    Case("error-504", UNAVAILABLE, "error-504"),
    Case("error-502-once", LINKED, "502-once"),
    Case("cut", UNAVAILABLE, "cut"),
    Case("cut-mid-body", UNAVAILABLE, "cut-mid-body"),
    Case("slow", UNAVAILABLE, "slow"),
    Case("slow-me", UNAVAILABLE, "slow-me"),
    Case("dribbling-headers", UNAVAILABLE, "dribbling-headers"),
    Case("dribbling-body", UNAVAILABLE, "dribbling-body"),
    Case("endless-body", UNAVAILABLE, "endless-body"),
    # Nonsense from a site that proves itself.
    Case("huge-json", UNAVAILABLE, "huge-json"),
    Case("nested-json", UNAVAILABLE, "nested-json"),
    Case("broken-json", UNAVAILABLE, "broken-json"),
    Case("list-json", UNAVAILABLE, "list-json"),
    Case("wrong-content-type", UNAVAILABLE, "wrong-content-type"),
    Case("html-403", UNAVAILABLE, "html-403"),
    Case("two-profiles", UNAVAILABLE, "two-profiles"),
    Case("no-profiles", UNAVAILABLE, "no-profiles"),
    Case("no-email", UNAVAILABLE, "no-email"),
    Case("gzip-bomb", UNAVAILABLE, "gzip-bomb"),
    # TLS.
    Case("bad-certificate-host", UNAVAILABLE, "bad-certificate-host"),
    Case("bad-certificate-ca", UNAVAILABLE, "bad-certificate-ca"),
)


def token_value(name: str, *, seed: str = DEFAULT_SEED) -> str:
    """The 64 letters and digits that stand for a token: the same for the same name and seed."""
    letters = string.ascii_letters + string.digits
    digest = hashlib.shake_256(f"{seed}:{name}".encode()).digest(TOKEN_LENGTH - len(TOKEN_PREFIX))
    return TOKEN_PREFIX + "".join(letters[byte % len(letters)] for byte in digest)


def credentials(*, seed: str = DEFAULT_SEED) -> tuple[Credential, ...]:
    """Every credential of the table."""
    return tuple(
        Credential(
            case.name, case.subdomain or case.name, token_value(case.name, seed=seed), case.expect
        )
        for case in CASES
    )
