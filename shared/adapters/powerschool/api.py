"""One call to PowerSchool as the passback plugin."""

import re
from collections.abc import Mapping

from shared.adapters.http.client import Params, RemoteApi
from shared.adapters.http.decimal_json import Json
from shared.adapters.http.response import ApiResponse, Decoder
from shared.adapters.powerschool.errors import TokenRefused
from shared.adapters.powerschool.token import SharedToken
from shared.errors import AccessDenied, RequestRejected

# What every valid token may ask for, whatever else the plugin was granted.
PROBE = "/ws/v1/metadata"
_FIELD = re.compile(r"[a-z_]+\.[a-z_]+")


class PowerSchoolApi:
    """Sends requests with the shared token, and once more with a fresh one where PowerSchool refuses it."""

    def __init__(self, api: RemoteApi, token: SharedToken) -> None:
        self._api = api
        self._token = token

    def send(
        self,
        method: str,
        template: str,
        ids: Mapping[str, object] | None = None,
        *,
        params: Params = (),
        body: Json = None,
        decoder: Decoder | None = None,
    ) -> ApiResponse:
        """Return a successful answer. Raises the errors of `shared.errors`, `AccessDenied` for wrong credentials."""
        token = self._token.current()
        try:
            return self._send_as(token, method, template, ids, params, body, decoder)
        except TokenRefused:
            self._token.drop(token)
        except AccessDenied as refused:
            raise self._as_far_as_it_goes(refused, template, token) from None
        token = self._token.current()
        try:
            return self._send_as(token, method, template, ids, params, body, decoder)
        except AccessDenied as refused:
            raise self._as_far_as_it_goes(refused, template, token) from None

    def _as_far_as_it_goes(self, refused: AccessDenied, template: str, token: str) -> AccessDenied:
        """Return the refusal as one of the credentials, or of what was asked about alone.

        It concerns everybody only if a call that any valid token may make is refused as well. For a field that
        PowerSchool says it gives no access to, that is a call that reads one row of this field.
        """
        field = next((row.field for row in refused.rows if _FIELD.fullmatch(row.field)), None)
        try:
            if refused.cause == "powerschool_grant_missing" and field is not None:
                table, _, column = field.partition(".")
                params = [("projection", column), ("pagesize", "1")]
                self._send_as(token, "GET", "/ws/schema/table/{table}", {"table": table}, params, None, None)
            elif refused.status == 401 and template != PROBE:
                self._send_as(token, "GET", PROBE, None, (), None, None)
            else:
                return refused
        except RequestRejected:
            return refused
        return AccessDenied(
            refused.message,
            cause="powerschool_403",
            status=refused.status,
            error_text=refused.error_text,
            rows=refused.rows,
        )

    def query(self, path: str, params: Params, body: Json, decoder: Decoder | None = None) -> ApiResponse:
        """Return the answer of a PowerQuery: a read by POST."""
        return self.send("POST", path, params=params, body=body, decoder=decoder)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _send_as(
        self,
        token: str,
        method: str,
        template: str,
        ids: Mapping[str, object] | None,
        params: Params,
        body: Json,
        decoder: Decoder | None,
    ) -> ApiResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return self._api.send(method, template, ids, params=params, body=body, headers=headers, decoder=decoder)
