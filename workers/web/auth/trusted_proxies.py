"""Reads the headers of trusted proxies: where a request comes from, whether by TLS, and who signed in at the proxy."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

from shared.config import Settings
from workers.web.auth.roles import Role, User

UNKNOWN_ADDRESS = "unknown"
MAX_NAME_CHARS = 100

Address = IPv4Address | IPv6Address


class Proxies:
    """The proxies of the settings. The same headers from any other address are ignored."""

    def __init__(self, settings: Settings) -> None:
        self._networks = [ip_network(address) for address in settings.proxy_addresses]
        self._user_header, self._groups_header = (*settings.proxy_headers, "", "")[:2]
        self._operators = settings.proxy_names(Role.OPERATOR)
        self._score_viewers = settings.proxy_names(Role.SCORE_VIEWER)
        self._viewers = settings.proxy_names(Role.VIEWER)

    def sender(self, request: HTTPConnection) -> str:
        """Return where a request comes from, as `sender_of` does."""
        return self.sender_of(_peer(request), request.headers.getlist("x-forwarded-for"))

    def sender_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the sender of a request: of an IPv4 address itself, of an IPv6 address its /64.

        `forwarded` are the lines of `X-Forwarded-For`, in their order. The address is the right-most of these that is
        no trusted proxy; each proxy adds the address that it got the request from, with a port or without, to the last
        line or in a line of its own. What is left of the first one that cannot be read may be the sender's invention.
        """
        hops = [hop for line in forwarded for hop in line.split(",")]
        address = _read_address(peer)
        while hops and self._trusts(address):
            hop = _read_address(hops.pop())
            if hop is None:
                break
            address = hop
        if address is None:
            return UNKNOWN_ADDRESS
        return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))

    def is_secure(self, request: HTTPConnection) -> bool:
        """Say whether the sender's browser uses TLS, to us or to a trusted proxy."""
        schemes = request.headers.getlist("x-forwarded-proto")
        if schemes and self._trusts(_read_address(_peer(request))):
            return schemes[-1].rpartition(",")[2].strip() == "https"
        return request.url.scheme == "https"

    def user(self, request: HTTPConnection) -> User | None:
        """Return who signed in at a trusted proxy and has a role here."""
        if not self._user_header or not self._trusts(_read_address(_peer(request))):
            return None
        names = request.headers.getlist(self._user_header)
        if len(names) != 1 or not names[0].strip() or len(names[0]) > MAX_NAME_CHARS:
            return None
        name = names[0].strip()
        role = self._role(self._groups(request) if self._groups_header else {name})
        return None if role is None else User(name, role)

    def _groups(self, request: HTTPConnection) -> set[str]:
        lists = request.headers.getlist(self._groups_header)
        if len(lists) != 1:
            # One of several lines may come from the sender.
            return set()
        return {group.strip() for group in lists[0].split(",") if group.strip()}

    def _role(self, names: set[str]) -> Role | None:
        if names & self._operators:
            return Role.OPERATOR
        if names & self._score_viewers:
            return Role.SCORE_VIEWER
        return Role.VIEWER if not self._viewers or names & self._viewers else None

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _peer(request: HTTPConnection) -> str:
    return request.client.host if request.client else UNKNOWN_ADDRESS


def _read_address(text: str) -> Address | None:
    """Return the address in `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1` or `[2001:db8::1]:443`, else None."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
