"""Every site and token as it is at the moment, and what a request is answered with."""

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict, Unpack
from urllib.parse import parse_qs

from simulator import documents
from simulator.answers import (
    LOGIN_PAGE,
    NOT_FOUND,
    UNAVAILABLE,
    Answer,
    JsonObject,
    Reply,
    json_reply,
)
from simulator.behaviours import BEHAVIOURS, REFUSED_401, Behaviour, Certificate
from simulator.catalogue import (
    CASES,
    Credential,
    Owner,
    OwnerStatus,
    People,
    Role,
    credentials,
    token_value,
)

if TYPE_CHECKING:
    from email.message import Message

DOMAIN = ".namely.com"
API = "/api/v1/"
DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 50
MAX_RECORDS = 100_000
GUARDED = ("profiles/me", "profiles", "resources", "job_titles")
FORBIDDEN = json_reply(403, {"message": "Forbidden", "errors": []})
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class UnknownNameError(LookupError):
    """No site, token or behaviour of that name."""


@dataclass(frozen=True)
class Site:
    """A site as it is at the moment."""

    subdomain: str
    name: str
    permalink: str
    company_size: int
    behaviour: Behaviour
    flap_seconds: float | None = None
    flap_since: float = 0.0


@dataclass(frozen=True)
class Token:
    """A token as it is at the moment; `index` is its owner's place in the site's list."""

    name: str
    home: str
    index: int
    owner: Owner
    role: Role
    revoked: bool


@dataclass(frozen=True)
class Request:
    """A request as it arrived; the token itself is not kept."""

    method: str
    host: str
    path: str
    query: str
    bearer: bool
    token_name: str | None
    """The name of the token that came; None for no token and for one never given out."""
    at: float
    """Seconds since the epoch."""


class TokenChange(TypedDict, total=False):
    """What can be changed about a token."""

    revoked: bool
    owner_status: OwnerStatus
    people: People
    sees_work: bool
    sees_birth_date: bool
    sees_salary: bool
    sees_ssn: bool
    sees_job_titles: bool
    super_admin: bool


class World:
    """The sites and tokens, safe to change while requests come in."""

    def __init__(self, *, seed: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Sets up the whole catalogue."""
        self.credentials = credentials(seed=seed)
        self._clock = clock
        self._lock = threading.RLock()
        self._outage = False
        self._requests: deque[Request] = deque(maxlen=MAX_RECORDS)
        self._asked: Counter[tuple[str, str, str | None]] = Counter()
        self._names = {token_value(case.name, seed=seed): case.name for case in CASES}
        self._sites: dict[str, Site] = {}
        self._tokens: dict[str, Token] = {}
        owners: Counter[str] = Counter()
        for case in CASES:
            subdomain = case.subdomain or case.name
            home = case.home or subdomain
            self._tokens[case.name] = Token(
                case.name, home, owners[home], case.owner, case.role, case.revoked
            )
            owners[home] += 1
            if subdomain not in self._sites:
                self._sites[subdomain] = Site(
                    subdomain,
                    f"{subdomain.replace('-', ' ').title()} (simulated)",
                    subdomain,
                    case.company_size,
                    BEHAVIOURS[case.behaviour],
                )

    # What can be changed.

    def set_behaviour(self, subdomain: str, behaviour: str) -> None:
        """Makes a site do what the table of behaviours says."""
        if behaviour not in BEHAVIOURS:
            message = f"no behaviour {behaviour!r}"
            raise UnknownNameError(message)
        with self._lock:
            self._sites[subdomain] = replace(self.site(subdomain), behaviour=BEHAVIOURS[behaviour])
            for kind in [kind for kind in self._asked if kind[0] == subdomain]:
                del self._asked[kind]

    def rename(self, subdomain: str, permalink: str) -> None:
        """Gives a site another permalink; it answers at the old and at the new address."""
        if not LABEL.fullmatch(permalink):
            message = f"not a DNS label: {permalink!r}"
            raise ValueError(message)
        with self._lock:
            site = self.site(subdomain)
            taken = (other for other in self._sites.values() if other is not site)
            if any(permalink in (other.subdomain, other.permalink) for other in taken):
                message = f"another site is called {permalink!r}"
                raise ValueError(message)
            self._sites[subdomain] = replace(site, permalink=permalink)

    def flap(self, subdomain: str, period: float | None) -> None:
        """Makes a site answer 503 for `period` seconds, then well for as long, and so on."""
        if period is not None and not 0 < period < float("inf"):
            message = f"not a number of seconds: {period!r}"
            raise ValueError(message)
        with self._lock:
            self._sites[subdomain] = replace(
                self.site(subdomain), flap_seconds=period, flap_since=self._clock()
            )

    def set_outage(self, *, on: bool) -> None:
        """Makes every site answer 503."""
        self._outage = on

    def set_token(self, name: str, **change: Unpack[TokenChange]) -> None:
        """Changes a token, its owner or its owner's role."""
        with self._lock:
            token = self.token(name)
            rest = dict(change)
            revoked = bool(rest.pop("revoked", token.revoked))
            status = rest.pop("owner_status", token.owner.status)
            owner = replace(token.owner, status=status)  # type: ignore[arg-type] # TokenChange
            role = replace(token.role, **rest)  # type: ignore[arg-type] # TokenChange
            self._tokens[name] = replace(token, revoked=revoked, owner=owner, role=role)

    # What can be seen.

    @property
    def outage(self) -> bool:
        """Whether every site answers 503."""
        return self._outage

    @property
    def sites(self) -> tuple[Site, ...]:
        """Every site as it is now."""
        with self._lock:
            return tuple(self._sites.values())

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Every token as it is now."""
        with self._lock:
            return tuple(self._tokens.values())

    def site(self, subdomain: str) -> Site:
        """The site of a subdomain."""
        try:
            return self._sites[subdomain]
        except KeyError:
            message = f"no site {subdomain!r}"
            raise UnknownNameError(message) from None

    def token(self, name: str) -> Token:
        """The token of a name."""
        try:
            return self._tokens[name]
        except KeyError:
            message = f"no token {name!r}"
            raise UnknownNameError(message) from None

    def credential(self, name: str) -> Credential:
        """The credential of a name."""
        for credential in self.credentials:
            if credential.name == name:
                return credential
        message = f"no credential {name!r}"
        raise UnknownNameError(message)

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests that came, oldest first."""
        with self._lock:
            return tuple(self._requests)

    def clear_requests(self) -> None:
        """Forgets the requests that came."""
        with self._lock:
            self._requests.clear()

    def certificate(self, host: str) -> Certificate:
        """The certificate that a host shows."""
        with self._lock:
            site = self._site_at(host)
        return site.behaviour.certificate if site else "good"

    # What a request is answered with.

    def answer(self, method: str, target: str, headers: "Message[str, str]") -> Answer:
        """Records a request and says what to do with it."""
        path, _, query = target.partition("?")
        host = _host(headers.get("Host", ""))
        bearer = _bearer(headers.get("Authorization", ""))
        name = self._names.get(bearer or "")
        request = Request(method, host, path, query, bearer is not None, name, time.time())
        with self._lock:
            self._requests.append(request)
            site = self._site_at(host)
            if self._outage or (site and self._is_down(site)):
                return UNAVAILABLE
            if path == "/users/login" or not site:
                return LOGIN_PAGE
            first = site.behaviour.first_of_pair
            if first:
                kind = (site.subdomain, path, name)
                self._asked[kind] += 1
                if self._asked[kind] % 2:
                    return first
            owner = self._accepted(site, request)
        if site.behaviour.everywhere:
            return site.behaviour.everywhere
        return self._api_answer(site, owner, request, headers.get("Accept", ""))

    def _api_answer(self, site: Site, owner: Token | None, request: Request, accept: str) -> Answer:
        name = request.path.removeprefix(API).removesuffix(".json")
        known = request.path.startswith(API) and (name == "companies/info" or name in GUARDED)
        if not known or request.method != "GET":
            return NOT_FOUND
        if "application/json" not in accept.lower() and not request.path.endswith(".json"):
            return Reply(406)
        if name == "companies/info":
            return self._info_answer(site, owner)
        if name == "profiles/me" and site.behaviour.refused_me:
            return site.behaviour.refused_me
        if site.behaviour.guarded:
            return site.behaviour.guarded
        if owner is None:
            made_up = request.bearer and request.token_name is None
            return (site.behaviour.made_up_token if made_up else None) or site.behaviour.refusal
        match name:
            case "profiles/me":
                return self._me_answer(site, owner)
            case "profiles":
                return self._profiles_answer(site, owner, request.query)
            case "resources":
                if site.behaviour.resources:
                    return site.behaviour.resources
                return json_reply(200, documents.resources(super_admin=owner.role.super_admin))
            case _:
                if not owner.role.sees_job_titles:
                    return FORBIDDEN
                return json_reply(200, documents.job_titles(site.subdomain))

    def _info_answer(self, site: Site, owner: Token | None) -> Answer:
        behaviour = site.behaviour
        if behaviour.info:
            return behaviour.info
        if behaviour.info_needs_token and owner is None:
            return behaviour.refusal
        permalink = behaviour.permalink or site.permalink
        return json_reply(200, documents.company_info(site.name, permalink))

    def _me_answer(self, site: Site, owner: Token) -> Answer:
        me = self._profiles(site, owner, range(owner.index, owner.index + 1))
        document = documents.profiles_envelope(
            site.subdomain, me, total=1, shape=site.behaviour.shape
        )
        twist = site.behaviour.me
        return twist(document) if twist else json_reply(200, document)

    def _profiles_answer(self, site: Site, owner: Token, query: str) -> Answer:
        if site.behaviour.profiles:
            return site.behaviour.profiles
        match owner.role.people:
            case "forbidden":
                return FORBIDDEN
            case "unauthorized":
                return REFUSED_401
            case "self":
                indexes = range(owner.index, owner.index + 1)
            case "all":
                indexes = range(site.company_size)
        page = self._profiles(site, owner, _page(indexes, query))
        document = documents.profiles_envelope(
            site.subdomain, page, total=len(indexes), shape=site.behaviour.shape
        )
        return json_reply(200, document)

    def _profiles(self, site: Site, viewer: Token, indexes: range) -> list[JsonObject]:
        """The people at places of a site's list, as the owner of a token sees them."""
        home = site.subdomain
        owners = {token.index: token.owner for token in self.tokens if token.home == home}
        shape = site.behaviour.shape
        profiles = []
        for index in indexes:
            profile = documents.profile(home, index, owners.get(index))
            own = index == viewer.index
            profiles.append(documents.seen(profile, viewer.role, own=own, shape=shape))
        return profiles

    def _accepted(self, site: Site, request: Request) -> Token | None:
        """The token whose owner is answered, or None when the token is not good here."""
        token = self._tokens.get(request.token_name or "")
        if token and token.home == site.subdomain and not token.revoked:
            return token
        if site.behaviour.accepts_any_token and request.bearer:
            homes = (token for token in self._tokens.values() if token.home == site.subdomain)
            return next(homes, None)
        return None

    def _site_at(self, host: str) -> Site | None:
        label = host.removesuffix(DOMAIN)
        if label == host:
            return None
        renamed = (site for site in self._sites.values() if site.permalink == label)
        return self._sites.get(label) or next(renamed, None)

    def _is_down(self, site: Site) -> bool:
        if site.flap_seconds is None:
            return False
        return int((self._clock() - site.flap_since) / site.flap_seconds) % 2 == 0


def _host(header: str) -> str:
    return header.partition(":")[0].lower()


def _bearer(header: str) -> str | None:
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _page(indexes: range, query: str) -> range:
    numbers = parse_qs(query)
    page = _number(numbers.get("page"), default=1)
    per_page = min(_number(numbers.get("per_page"), default=DEFAULT_PER_PAGE), MAX_PER_PAGE)
    return indexes[(page - 1) * per_page : page * per_page]


def _number(values: list[str] | None, *, default: int) -> int:
    text = values[-1] if values else ""
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(2**31))
    return int(text) or default if digits else default
