"""The uploads that make Canvas hold a data set: none for what it holds already."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date

from shared.domain.provisioning_run import AppliedMark, DataSetChange, Upload, data_set_id_of, digest_of
from shared.domain.sis_import import DataSet, DataSetKey
from shared.domain.sis_uploads import Upload as NeededUpload
from shared.domain.sis_uploads import UploadRules, uploads_needed


@dataclass(frozen=True, slots=True)
class Held:
    """What Canvas was given last of a data set, and what an unfinished import tried to give it since."""

    mark: AppliedMark | None = None
    rows: DataSet | None = None
    attempted: DataSet | None = None

    @property
    def possible(self) -> DataSet | None:
        """Every row that Canvas may hold."""
        if self.rows is None or self.attempted is None:
            return self.rows or self.attempted
        entity = self.rows.key.entity
        rows = {row.key(entity): row for data_set in (self.rows, self.attempted) for row in data_set.rows}
        return DataSet(self.rows.key, tuple(sorted(rows.values())))

    @property
    def is_certain(self) -> bool:
        """Say whether it is known what Canvas holds."""
        return self.mark is not None and self.mark.digest is not None and self.mark.attempted is None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a data set needs: what changes, the upload if there is one, and the rows that stand behind digests."""

    key: DataSetKey
    digest: str
    change: DataSetChange | None
    upload: Upload | None
    rows: Mapping[str, DataSet]


class UploadPlanner:
    """Decides by the rules. `prefix` begins every data set's name in Canvas, `today` is the district's date."""

    def __init__(self, rules: UploadRules, prefix: str, today: Callable[[], date]) -> None:
        self._rules = rules
        self._prefix = prefix
        self.today = today

    def prepared(self, after: DataSet, held: Held, ended_terms: Collection[str], *, renew: bool) -> Prepared:
        """Return what makes Canvas hold `after`. With `renew`, bases are renewed that are old or had errors."""
        digest, mark = digest_of(after), held.mark
        before: DataSet | None = after
        if held.is_certain and mark is not None and mark.digest == digest:
            # Equal by its digest, whether or not the rows are still kept.
            rules = self._rules if renew else replace(self._rules, remaster_days=0)
        elif held.is_certain:
            before, rules = held.rows, replace(self._rules, remaster_days=0)
        else:
            # Whatever term it is of: until it is sent whole, nobody knows what Canvas holds.
            before, rules, mark, ended_terms = held.possible, replace(self._rules, remaster_days=1), None, ()
        found = uploads_needed(
            [] if before is None else [before], [after], self._renewed(after, mark), self.today(), rules, ended_terms
        )
        needed = found[0] if found else None
        if needed is None:
            return Prepared(after.key, digest, None, None, {digest: after})
        upload = self._upload(needed, digest)
        rows = {digest: after, upload.digest: needed.data_set}
        return Prepared(after.key, digest, _change(needed, held, digest), upload, rows)

    def as_new_base(self, before: DataSet | None, after: DataSet) -> tuple[Upload, DataSet]:
        """Return an upload that Canvas takes without comparing, with what is gone in it once more."""
        known = [] if before is None else [before]
        rules = replace(self._rules, remaster_days=1)
        needed = uploads_needed(known, [after], {}, self.today(), rules)[0]
        return self._upload(needed, digest_of(after)), needed.data_set

    def _renewed(self, after: DataSet, mark: AppliedMark | None) -> dict[DataSetKey, date]:
        """Return when the data set was sent whole last; not at all where Canvas refused some of its rows since."""
        if mark is None or mark.remastered_on is None:
            return {}
        return {} if mark.has_errors and mark.remastered_on < self.today() else {after.key: mark.remastered_on}

    def _upload(self, needed: NeededUpload, holds: str) -> Upload:
        key = needed.data_set.key
        digest = digest_of(needed.data_set)
        return Upload(key, data_set_id_of(self._prefix, key), digest, holds, len(needed.data_set.rows), needed.options)


def _change(needed: NeededUpload, held: Held, digest: str) -> DataSetChange | None:
    if not needed.difference:
        return None
    before = held.mark.digest if held.mark else None
    d = needed.difference
    return DataSetChange(needed.data_set.key, before, digest, len(d.added), len(d.changed), len(d.removed))
