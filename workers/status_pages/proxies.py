"""What trusted proxies say of a request: where it comes from, whether by TLS, and who signed in at the proxy."""

from ipaddress import ip_address, ip_network

from starlette.requests import HTTPConnection

from shared.config import Settings
from workers.status_pages.people import Person, Role

UNKNOWN_ADDRESS = "unknown"
LONGEST_NAME = 100


class Proxies:
    """The proxies of the settings. What anybody else says in their headers is not heard."""

    def __init__(self, settings: Settings) -> None:
        self._networks = [ip_network(each) for each in settings.proxy_addresses]
        self._user_header = settings.proxy_user_header
        self._groups_header = settings.proxy_groups_header
        self._operators = frozenset(settings.proxy_operators)
        self._viewers = frozenset(settings.proxy_viewers)

    def address(self, request: HTTPConnection) -> str:
        """Return the sender's address: the last in `X-Forwarded-For` that is no proxy of ours, else the peer's."""
        address = _peer(request)
        hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",")]
        while self._trusts(address) and hops and hops[-1]:
            address = hops.pop()
        return address

    def is_secure(self, request: HTTPConnection) -> bool:
        """Say whether the sender's browser speaks TLS, to us or to a proxy of ours."""
        if self._trusts(_peer(request)) and "x-forwarded-proto" in request.headers:
            return request.headers["x-forwarded-proto"].rpartition(",")[2].strip() == "https"
        return request.url.scheme == "https"

    def person(self, request: HTTPConnection) -> Person | None:
        """Return who signed in at a proxy of ours and may come in."""
        if not self._user_header or not self._trusts(_peer(request)):
            return None
        names = request.headers.getlist(self._user_header)
        if len(names) != 1 or not names[0].strip() or len(names[0]) > LONGEST_NAME:
            return None
        name = names[0].strip()
        role = self._role(self._groups(request) if self._groups_header else {name})
        return None if role is None else Person(name, role)

    def _groups(self, request: HTTPConnection) -> set[str]:
        lists = request.headers.getlist(self._groups_header)
        return {group.strip() for each in lists for group in each.split(",") if group.strip()}

    def _role(self, names: set[str]) -> Role | None:
        if names & self._operators:
            return Role.OPERATOR
        return Role.VIEWER if not self._viewers or names & self._viewers else None

    def _trusts(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def _peer(request: HTTPConnection) -> str:
    return request.client.host if request.client else UNKNOWN_ADDRESS
