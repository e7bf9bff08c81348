"""What PowerSchool says of itself: plugin, version, time zone."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, TypeAdapter, field_validator

from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.cache import JsonCache

MAX_AGE = timedelta(hours=1)


class ServerMetadata(BaseModel):
    """The used part of `GET /ws/v1/metadata`."""

    plugin_id: int
    district_timezone: ZoneInfo
    powerschool_version: str = ""

    @field_validator("powerschool_version", mode="before")
    @classmethod
    def _version_is_text(cls, value: object) -> object:
        return str(value)


class _Envelope(BaseModel):
    metadata: ServerMetadata


_ENVELOPE = TypeAdapter(_Envelope)


class MetadataReader:
    """Reads the metadata once an hour for all workers."""

    def __init__(self, api: PowerSchoolApi, cache: JsonCache) -> None:
        self._api = api
        self._cache = cache

    def read(self) -> ServerMetadata:
        """Return the metadata, at most an hour old. Source: PowerSchool v1 API, `/ws/v1/metadata`."""
        kept = self._cache.get("metadata", "district")
        if kept is not None:
            return _ENVELOPE.validate_python({"metadata": kept}).metadata
        found = self._api.send("GET", "/ws/v1/metadata").parse(_ENVELOPE).metadata
        self._cache.put("metadata", "district", found.model_dump(mode="json"), MAX_AGE)
        return found

    def time_zone(self) -> ZoneInfo:
        """Return the district's time zone."""
        return self.read().district_timezone
