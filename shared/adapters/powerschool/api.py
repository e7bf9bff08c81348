"""One call to PowerSchool as the passback plugin."""

from collections.abc import Mapping

from shared.adapters.http.answers import Answer, Decoder
from shared.adapters.http.api import JsonApi, Params
from shared.adapters.http.exact_json import Json
from shared.adapters.powerschool.refusals import TokenRefused
from shared.adapters.powerschool.token import SharedToken


class PowerSchoolApi:
    """Sends requests with the shared token, and once more with a fresh one where PowerSchool refuses it."""

    def __init__(self, api: JsonApi, token: SharedToken) -> None:
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
    ) -> Answer:
        """Return a successful answer. Raises the errors of `shared.errors`, `AccessDenied` for wrong credentials."""
        token = self._token.current()
        try:
            return self._send_as(token, method, template, ids, params, body, decoder)
        except TokenRefused:
            self._token.drop(token)
        return self._send_as(self._token.current(), method, template, ids, params, body, decoder)

    def query(self, path: str, params: Params, body: Json, decoder: Decoder | None = None) -> Answer:
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
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        return self._api.send(method, template, ids, params=params, body=body, headers=headers, decoder=decoder)
