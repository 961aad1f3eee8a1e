"""What a line of the API's access log holds."""

from __future__ import annotations

import json

from ordernotify.settings.model import ApiKind

_LOGGED = {
    "requestId": "requestId",
    "extendedRequestId": "extendedRequestId",
    "requestTime": "requestTime",
    "ip": "identity.sourceIp",
    "method": "httpMethod",
    "path": "path",
    "status": "status",
    "responseLength": "responseLength",
    "latencyMs": "responseLatency",
    "error": "error.message",
    "errorType": "error.responseType",
}
_LOGGED_BY_KIND = {
    ApiKind.REST: {
        "integrationLatencyMs": "integration.latency",
        "integrationStatus": "integration.integrationStatus",
        "integrationError": "integration.error",
    },
    ApiKind.HTTP: {
        "integrationLatencyMs": "integrationLatency",
        "integrationStatus": "integrationStatus",
        "integrationError": "integrationErrorMessage",
    },
}
LOG_FORMATS = {
    kind: json.dumps({name: f"$context.{variable}" for name, variable in {**_LOGGED, **more}.items()})
    for kind, more in _LOGGED_BY_KIND.items()
}
"""One line of the access log: JSON in which every value is a text, so that it is valid whatever is missing.

No user agent or other text of a client's choice: API Gateway does not escape it. Source of the variables:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""
