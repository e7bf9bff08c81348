"""The keys that sign Live Events, and their rotation.

Source: canvas-lms doc/api/data_services, "Data service setup": RS256, a set of previous, current and next key, rotated
every month; the middle key signs. The issuer is what public receivers saw.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.clock import Clock

ISSUER: Final = "https://live-events.canvas.instructure.com"


@dataclass(frozen=True)
class SigningKey:
    """An RSA key and its name."""

    kid: str
    private_key: rsa.RSAPrivateKey = field(repr=False)

    @cached_property
    def public_jwk(self) -> dict[str, Any]:
        """The public half, as a set publishes it."""
        jwk: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self.private_key.public_key()))
        return jwk | {"kid": self.kid, "alg": "RS256", "use": "sig"}


@dataclass
class KeyRing:
    """Previous, current and next key; made when they are first needed, since that takes a moment."""

    clock: Clock
    _made: int = 0
    _keys: list[SigningKey] = field(default_factory=list)

    def jwks(self) -> dict[str, Any]:
        """Return the public key set."""
        return {"keys": [key.public_jwk for key in self._three()]}

    def rotate(self) -> dict[str, Any]:
        """Retire the previous key, sign with the next one from now on, and return the new set."""
        self._keys = [*self._three()[1:], self._new()]
        return self.jwks()

    def sign(self, payload: dict[str, Any]) -> str:
        """Return the event as a compact JWT: its claims are the event itself."""
        current = self._three()[1]
        claims = {"iss": ISSUER, "iat": int(self.clock.now().timestamp())} | payload
        return jwt.encode(claims, current.private_key, algorithm="RS256", headers={"kid": current.kid})

    def _three(self) -> list[SigningKey]:
        while len(self._keys) < 3:
            self._keys.append(self._new())
        return self._keys

    def _new(self) -> SigningKey:
        self._made += 1
        return SigningKey(f"sandbox-key-{self._made}", rsa.generate_private_key(public_exponent=65537, key_size=2048))
