"""The simulator as a Python object."""

import ssl
from types import TracebackType
from typing import Self, Unpack

from simulator.catalogue import DEFAULT_SEED, Credential, OwnerStatus, People
from simulator.control import ControlServer
from simulator.server import NamelyServer
from simulator.world import Request, TokenChange, World


class Simulator:
    """A running Namely; `with` ends it."""

    def __init__(self, port: int = 0, *, control_port: int = 0, seed: str = DEFAULT_SEED) -> None:
        """Answers at once on loopback; port 0 is any; OSError when a port is taken."""
        self._world = World(seed=seed)
        self._namely = NamelyServer(port, self._world)
        try:
            self._control = ControlServer(control_port, self._world, self._namely.address)
        except OSError:
            self._namely.server_close()
            raise
        self._namely.start()
        self._control.start()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends it."""
        self.close()

    def close(self) -> None:
        """Ends both ports and every connection at once."""
        self._control.stop()
        self._namely.stop()

    @property
    def address(self) -> str:
        """HOST:PORT of every site, over TLS."""
        return self._namely.address

    @property
    def control_address(self) -> str:
        """HOST:PORT of the switches, over plain HTTP."""
        return self._control.address

    @property
    def ca_pem(self) -> str:
        """The CA certificate to trust."""
        return self._namely.certificates.ca_pem

    def certify(self, host: str, context: ssl.SSLContext) -> None:
        """Give another server a certificate of the CA."""
        self._namely.certificates.certify(host, context)

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """Every credential with the outcome to expect while no switch was used."""
        return self._world.credentials

    def credential(self, name: str) -> Credential:
        """The credential of a name; UnknownNameError when there is none."""
        return self._world.credential(name)

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests that came to any site, oldest first."""
        return self._world.requests

    def clear_requests(self) -> None:
        """Forgets the requests that came."""
        self._world.clear_requests()

    def set_site(self, subdomain: str, behaviour: str) -> None:
        """Makes a site behave as a name of `BEHAVIOURS` says."""
        self._world.set_behaviour(subdomain, behaviour)

    def rename_site(self, subdomain: str, permalink: str) -> None:
        """Gives a site another permalink; it answers at the old and at the new address."""
        self._world.rename(subdomain, permalink)

    def flap(self, subdomain: str, period: float | None) -> None:
        """Makes a site answer 503 for `period` seconds, then well for as long; None ends it."""
        self._world.flap(subdomain, period)

    def outage(self, on: bool) -> None:  # noqa: FBT001 - one switch with two positions
        """Makes every site answer 503, or ends that."""
        self._world.set_outage(on=on)

    def revoke(self, token_name: str) -> None:
        """Makes a token be refused."""
        self._world.set_token(token_name, revoked=True)

    def restore(self, token_name: str) -> None:
        """Makes a revoked token be accepted."""
        self._world.set_token(token_name, revoked=False)

    def set_owner_status(self, token_name: str, status: OwnerStatus) -> None:
        """Sets the `user_status` of the person who made a token."""
        self._world.set_token(token_name, owner_status=status)

    def set_visible_keys(
        self,
        token_name: str,
        *,
        salary: bool | None = None,
        ssn: bool | None = None,
        birth_date: bool | None = None,
        work: bool | None = None,
    ) -> None:
        """Shows or hides keys of other people's profiles; None leaves them as they are."""
        change: TokenChange = {}
        if salary is not None:
            change["sees_salary"] = salary
        if ssn is not None:
            change["sees_ssn"] = ssn
        if birth_date is not None:
            change["sees_birth_date"] = birth_date
        if work is not None:
            change["sees_work"] = work
        self._world.set_token(token_name, **change)

    def set_people(self, token_name: str, people: People) -> None:
        """Makes `/profiles` list all, only the owner, or answer 403 or 401."""
        self._world.set_token(token_name, people=people)

    def set_token(self, token_name: str, **change: Unpack[TokenChange]) -> None:
        """Changes several things about a token at once."""
        self._world.set_token(token_name, **change)
