"""One typed error inside, one RFC 9457 problem document at the edge (`edge.py` holds the mapper)."""

from http import HTTPStatus

# Stable codes that callers match on, with their HTTP status. Bad input is 4xx and says which field,
# an expected conflict is 409, somebody else's row is 404.
STATUS_BY_CODE: dict[str, int] = {
    "MALFORMED_JSON": 400,
    "MISSING_FIELDS": 400,
    "INVALID_FIELD": 400,
    "SIGNIN_REJECTED": 401,
    "NOT_SIGNED_IN": 401,
    "FOREIGN_ORIGIN": 403,
    "API_KEY_NOT_READ_ONLY": 403,
    "OWN_CLAIM": 403,
    "NOT_FOUND": 404,
    "API_ACCOUNT_NOT_FOUND": 404,
    "POSITION_NOT_FOUND": 404,
    "BINDING_NOT_FOUND": 404,
    "ORDER_NOT_FOUND": 404,
    "SKU_NOT_FOUND": 404,
    "CLAIM_NOT_FOUND": 404,
    "RUN_NOT_FOUND": 404,
    "BREAK_NOT_FOUND": 404,
    "BUNDLE_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "BODY_TOO_SLOW": 408,
    "API_ACCOUNT_ON_HOLD": 409,
    "BREAK_CLOSED": 409,
    "BINDING_HAS_OTHER_SKU": 409,
    "BINDING_NOT_OPEN": 409,
    "CAPACITY_EXHAUSTED": 409,
    "CAPITAL_SHORT": 409,
    "CHAIN_NOT_READ": 409,
    "CLAIM_NOT_OPEN": 409,
    "OBJECTION_ALREADY_MADE": 409,
    "ORDER_NOT_COVERED": 409,
    "POSITION_ALREADY_INSURED": 409,
    "POSITION_CHANGED": 409,
    "POSITION_NOT_INSURABLE": 409,
    "ORDER_ALREADY_HAS_DIFFERENT_TX": 409,
    "ORDER_NOT_CANCELLABLE": 409,
    "ORDER_NOT_PAYABLE": 409,
    "PERMIT_UNAVAILABLE": 409,
    "RESTORE_UNSETTLED": 409,
    "SALE_STOPPED": 409,
    "TX_ALREADY_SUBMITTED": 409,
    "BODY_TOO_LARGE": 413,
    "API_KEY_REJECTED": 422,
    "API_KEY_UNKNOWN": 422,
    "PERMIT_REJECTED": 422,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL_ERROR": 500,
    "API_ACCOUNT_UNREADABLE": 503,
    "BIND_CREATE_FAILED": 503,
    "DATABASE_UNAVAILABLE": 503,
    "EXCHANGE_UNAVAILABLE": 503,
    "NODE_UNAVAILABLE": 503,
    "PRICE_UNAVAILABLE": 503,
}


class Problem(Exception):  # noqa: N818, RFC 9457's word
    """An expected refusal: a stable code, a sentence for the reader, the field it is about.

    `extra` becomes members of the document (RFC 9457, 3.2): whatever helps the caller to go on.
    """

    def __init__(self, code: str, detail: str, *, field: str | None = None, **extra: object) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.extra = extra if field is None else {"field": field, **extra}

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return STATUS_BY_CODE[self.code]

    def document(self, request_id: str) -> dict[str, object]:
        """The body of the answer (`application/problem+json`)."""
        return {
            "type": f"urn:liqpass:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "requestId": request_id,
            **self.extra,
        }
