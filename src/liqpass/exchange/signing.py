"""How OKX wants a request signed.

okx.com/docs-v5: prehash = timestamp + METHOD + requestPath with its query string + body; the signature is
base64(HMAC-SHA256); a timestamp more than 30 s from OKX's clock is refused.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime


def sign(secret: str, timestamp: str, method: str, target: str, body: str = "") -> str:
    """OK-ACCESS-SIGN. `target` is the path with its query string, exactly as it is sent."""
    prehash = f"{timestamp}{method}{target}{body}"
    return base64.b64encode(hmac.digest(secret.encode(), prehash.encode(), hashlib.sha256)).decode()


def timestamp_of(now: datetime) -> str:
    """ISO 8601 in UTC with exactly three decimals and Z; any other number breaks the signature."""
    return now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
