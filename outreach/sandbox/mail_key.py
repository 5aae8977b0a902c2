"""The key with which the Event Webhook is signed."""

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)


def new_key() -> str:
    """A private key of the Event Webhook, as `Config.webhook_key` takes it: base64 DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Raises ValueError."""
    key = load_der_private_key(base64.b64decode(text, validate=True), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key for elliptic curves")  # noqa: TRY004  Whoever gave it gave a wrong value.
    return key


def public_key(key: ec.EllipticCurvePrivateKey) -> str:
    """As SendGrid shows it: base64 DER."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
