"""The key set that Canvas asks every tool for. passback uses none of Canvas's LTI services, so it signs nothing."""

import json
import secrets

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.adapters.redis.operations.lti import LtiStore
from shared.events import ALGORITHM

KEY_BITS = 2048


def public_key_set(store: LtiStore) -> str:
    """Return the key set as JSON; the first call of all processes makes it. The private half is not kept."""
    stored = store.public_key_set()
    if stored is not None:
        return stored
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS).public_key()
    public = {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": secrets.token_hex(8), "alg": ALGORITHM, "use": "sig"}
    store.add_public_key_set(json.dumps({"keys": [public]}))
    return store.public_key_set() or json.dumps({"keys": [public]})
