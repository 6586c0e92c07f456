"""The questions put to Namely and what their answers mean.

Everything known of Namely's wire format stands here: Namely's API reference and recorded traffic.
What is not explicitly an acceptance or a refusal is undetermined.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from namely_link.domain.account import AccountWarning, Identity, Receipt, Site, Subdomain, Token
from namely_link.domain.problems import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from namely_link.domain.account import Capability, Credential

SITE: Final = "/api/v1/companies/info"
ME: Final = "/api/v1/profiles/me"
PEOPLE: Final = "/api/v1/profiles?page=1&per_page=2"
RESOURCES: Final = "/api/v1/resources"

MAX_RETRY_AFTER: Final = 120
"""Seconds: our own cap on Namely's Retry-After."""

type Json = Any
"""Foreign JSON: the patterns below are what checks it."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. `body` is the parsed JSON; `is_json` tells null from no JSON."""

    status: int
    is_json: bool
    body: Json = None
    is_html: bool = False
    retry_after: int | None = None


class Failure(StrEnum):
    """Why there is no usable answer."""

    NO_DNS = "no_dns"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNUSABLE = "unusable"


type Reply = Answer | Failure


class Namely(Protocol):
    """Asks one site one question; the adapter over urllib3, or a fake."""

    def get(self, subdomain: Subdomain, path: str, token: Token | None, deadline: float) -> Reply:
        """Return what the site answers by `deadline`, a `time.monotonic` moment. Never raises."""


@dataclass(frozen=True)
class Proven:
    """The site says that it is the one that was asked for."""

    site: Site


@dataclass(frozen=True)
class Rejected:
    """Namely explicitly refused."""

    reason: Reason


@dataclass(frozen=True)
class Undetermined:
    """No verdict; says nothing about the credential."""

    reason: Reason
    retry_after: int | None = None


@dataclass(frozen=True)
class Accepted:
    """The credential works."""

    receipt: Receipt


type SiteFinding = Proven | Rejected | Undetermined
type Verdict = Accepted | Rejected | Undetermined
type Together = Callable[..., list[Any]]
"""Runs callables at the same time and returns their results in order."""

_FAILED: Final[Mapping[Failure, Reason]] = {
    Failure.NO_DNS: Reason.UNREACHABLE,
    Failure.UNREACHABLE: Reason.UNREACHABLE,
    Failure.TIMEOUT: Reason.TIMEOUT,
    Failure.UNUSABLE: Reason.UNEXPECTED_ANSWER,
}


def made_up_token() -> Token:
    """Return a token in the shape of Namely's that nobody was ever given."""
    alphabet = string.ascii_letters + string.digits
    return Token("".join(secrets.choice(alphabet) for _ in range(64)))


def judge_site(reply: Reply, subdomain: Subdomain) -> SiteFinding:
    """Judge `/companies/info`, asked without a token."""
    match reply:
        case Failure.NO_DNS:
            return Rejected(Reason.SITE_NO_DNS)
        case Failure():
            return Undetermined(_FAILED[reply])
        case Answer(status=200, body={"permalink": str(permalink)} as body):
            if permalink.lower() != subdomain.label:
                return Rejected(Reason.SITE_OTHER_PERMALINK)
            return Proven(Site(_text(body.get("name")), permalink))
        case Answer(status=200, is_json=True):
            return Undetermined(Reason.UNEXPECTED_ANSWER)
        case Answer(status=status) if 300 <= status < 400:
            return Rejected(Reason.SITE_REDIRECTS)
        case Answer(status=200):
            return Rejected(Reason.SITE_ANSWERS_HTML)
        case Answer(status=404):
            return Rejected(Reason.SITE_UNKNOWN)
        case _:
            return _no_verdict(reply)


def may_send_token(site: SiteFinding) -> bool:
    """Whether the token may go out: the site is proved, or unrefuted and reachable."""
    return isinstance(site, Proven) or (
        isinstance(site, Undetermined) and site.reason is not Reason.UNREACHABLE
    )


def _no_verdict(answer: Answer) -> Undetermined:
    """Explain an answer that neither accepts nor refuses.

    406 is how Namely throttles `/profiles` (100 a minute); 429 is undocumented, but honoured.
    """
    if answer.status in {406, 429}:
        wait = 60 if answer.retry_after is None else min(answer.retry_after, MAX_RETRY_AFTER)
        return Undetermined(Reason.THROTTLED, max(wait, 1))
    if answer.status >= 500:
        return Undetermined(Reason.OUTAGE)
    return Undetermined(Reason.UNEXPECTED_ANSWER)


def _judge_me(reply: Reply, site: SiteFinding) -> Identity | Rejected | Undetermined:
    proven = isinstance(site, Proven)
    match reply:
        case Failure():
            return Undetermined(_FAILED[reply])
        case Answer(
            status=200,
            body={"profiles": [{"id": str(profile_id), "email": str(email)} as profile]},
        ) if profile_id and email:
            identity = Identity(
                profile_id=profile_id,
                name=_name(profile),
                user_status=_text(profile.get("user_status")),
                role=_text(profile.get("access_role")),
            )
            if identity.user_status == "inactive":
                return Rejected(Reason.OWNER_INACTIVE)
            return identity
        case Answer(status=401):
            return Rejected(Reason.TOKEN_UNAUTHORIZED if proven else Reason.CREDENTIAL_UNCLEAR)
        case Answer(status=403, is_html=False):
            return Rejected(Reason.TOKEN_FORBIDDEN if proven else Reason.CREDENTIAL_UNCLEAR)
        case Answer(status=status) if 300 <= status < 400 and not proven:
            return Rejected(Reason.SITE_REDIRECTS)
        case Answer(status=200, is_json=False, is_html=True) if not proven:
            return Rejected(Reason.SITE_ANSWERS_HTML)
        case Answer(status=404) if not proven:
            return Rejected(Reason.SITE_UNKNOWN)
        case _:
            return _no_verdict(reply)


@dataclass(frozen=True)
class _Sight:
    """What the token sees of other people: key names only, never values."""

    people: int | None
    capabilities: dict[str, Capability]
    warnings: tuple[AccountWarning, ...]


_WORK_FIELDS: Final = frozenset({"start_date", "departure_date", "reports_to", "employee_type"})
_PERSONAL_FIELDS: Final = frozenset({"dob", "home", "personal_email", "mobile_phone", "home_phone"})
_SALARY_FIELDS: Final = frozenset({"salary", "salaries"})
_SSN_FIELDS: Final = frozenset({"ssn"})
_FIELDS: Final = {
    "work_fields": _WORK_FIELDS,
    "personal_fields": _PERSONAL_FIELDS,
    "salary": _SALARY_FIELDS,
    "ssn": _SSN_FIELDS,
}
CAPABILITIES: Final = ("own_profile", "profiles", "other_profiles", *_FIELDS)
"""What a receipt tells of a token, each yes, no or unknown."""


_SEES_PEOPLE: Final[dict[str, Capability]] = {"own_profile": "yes", "profiles": "yes"}
_SEES_NOBODY: Final[dict[str, Capability]] = {
    "own_profile": "yes",
    "profiles": "no",
    "other_profiles": "no",
}


def _judge_people(reply: Reply, me: Identity) -> _Sight | Undetermined:
    unknown: dict[str, Capability] = dict.fromkeys(CAPABILITIES, "unknown")
    match reply:
        case Failure():
            return Undetermined(_FAILED[reply])
        case Answer(status=200, body={"profiles": list(profiles)} as body) if all(
            isinstance(profile, dict) for profile in profiles
        ):
            others = [profile for profile in profiles if profile.get("id") != me.profile_id]
            sees = unknown | _SEES_PEOPLE
            people = _total(body)
            if not others:
                sees["other_profiles"] = "no"
                return _Sight(people, sees, (AccountWarning.ONLY_SELF_VISIBLE,))
            listed = set(others[0])
            sees["other_profiles"] = "yes"
            for name, keys in _FIELDS.items():
                sees[name] = "yes" if keys & listed else "no"
            over = "yes" in (sees["salary"], sees["ssn"])
            return _Sight(people, sees, (AccountWarning.OVER_PRIVILEGED,) if over else ())
        case Answer(status=401 | 403, is_html=False):
            sees = unknown | _SEES_NOBODY
            return _Sight(None, sees, (AccountWarning.NARROW_ROLE,))
        case _:
            return _no_verdict(reply)


def _total(body: Mapping[str, Json]) -> int | None:
    match body:
        case {"meta": {"total_count": int(total)}}:
            return total
        case _:
            return None


def _is_super_admin(reply: Reply) -> bool:
    match reply:
        case Answer(status=200, body={"meta": {"is_super_admin": True}}):
            return True
        case _:
            return False


def _judge_control(
    reply: Reply | None,
) -> Rejected | tuple[AccountWarning, ...]:
    """Judge what a made-up token got from `/profiles/me`; None where it was not asked."""
    match reply:
        case Answer(status=401 | 403) | None:
            return ()
        case Answer(status=200, body={"profiles": [{"id": str()}, *_]}):
            return Rejected(Reason.SITE_ACCEPTS_ANY_TOKEN)
        case _:
            return (AccountWarning.CONTROL_INCONCLUSIVE,)


_ADMIN_ROLES: Final = frozenset({"administrator", "admin", "super admin"})
_PERSONAL_ROLES: Final = frozenset({"employee", "manager", "executive"})


def judge(
    site: SiteFinding, *, me: Reply, people: Reply, resources: Reply, control: Reply | None
) -> Verdict:
    """Return the verdict on a credential from everything that Namely answered."""
    checked = _judge_control(control)
    if isinstance(checked, Rejected):
        return checked
    identity = _judge_me(me, site)
    if not isinstance(identity, Identity):
        return identity
    sight = _judge_people(people, identity)
    if isinstance(sight, Undetermined):
        return sight
    role = identity.role.lower()
    warnings = {*checked, *sight.warnings}
    if _is_super_admin(resources) or role in _ADMIN_ROLES:
        warnings.add(AccountWarning.OVER_PRIVILEGED)
    if role in _PERSONAL_ROLES:
        warnings.add(AccountWarning.PERSONAL_TOKEN)
    if identity.user_status != "active":
        warnings.add(AccountWarning.OWNER_NOT_ACTIVE)
    if not isinstance(site, Proven):
        warnings.add(AccountWarning.SITE_UNPROVEN)
    return Accepted(
        Receipt(
            site=site.site if isinstance(site, Proven) else Site("", ""),
            identity=identity,
            visible_people=sight.people,
            capabilities=sight.capabilities,
            warnings=tuple(warning for warning in AccountWarning if warning in warnings),
        )
    )


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Puts the questions of a probe; the same ones for a link and for a check."""

    namely: Namely
    together: Together
    negative_control: bool

    def site(self, subdomain: Subdomain, deadline: float) -> SiteFinding:
        """Ask who the site is, without a token."""
        return judge_site(self.namely.get(subdomain, SITE, None, deadline), subdomain)

    def credential(
        self,
        credential: Credential,
        site: SiteFinding,
        deadline: float,
        *beside: Callable[[], object],
    ) -> tuple[Verdict, list[Any]]:
        """Ask everything about a token at once, and run `beside` at the same time.

        An exception of `beside` is raised after the answers have come.
        """
        subdomain, token = credential.subdomain, credential.token

        def ask(path: str, with_token: Token) -> Callable[[], Reply]:
            return lambda: self.namely.get(subdomain, path, with_token, deadline)

        control = [ask(ME, made_up_token())] if self.negative_control else []
        me, people, resources, *rest = self.together(
            ask(ME, token), ask(PEOPLE, token), ask(RESOURCES, token), *control, *beside
        )
        answered = rest.pop(0) if control else None
        verdict = judge(site, me=me, people=people, resources=resources, control=answered)
        return verdict, rest


def _text(value: Json | None) -> str:
    return value[:200] if isinstance(value, str) else ""


def _name(profile: Mapping[str, Json]) -> str:
    full = _text(profile.get("full_name"))
    return full or " ".join(
        part for part in (_text(profile.get("first_name")), _text(profile.get("last_name"))) if part
    )
