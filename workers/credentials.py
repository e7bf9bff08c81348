"""HTTP Basic, read the same way by whoever asks for it."""

from base64 import b64decode


def name_and_password(authorization: str) -> tuple[str, str]:
    """Return both from an `Authorization` header in UTF-8; two empty texts from any other one."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password
