"""Client of both sandboxes through their control APIs. Records when a person changed a score."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from shared.clock import Clock

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The time at which a person changed a score in Canvas, and whose."""

    scene: str
    at: datetime
    assignment_id: int
    user_id: int


@dataclass
class DemoClient:
    """What the demo does in the sandboxes, and reads from them."""

    canvas_url: str
    powerschool_url: str
    clock: Clock
    timestamps: list[Timestamp] = field(default_factory=list)
    actions: list[Json] = field(default_factory=list)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))

    def close(self) -> None:
        """Close the connections to both sandboxes."""
        self.http.close()

    def grade(self, scene: str, course_id: int, assignment_id: int, user_id: int, score: float) -> None:
        """A teacher enters a score."""
        self._record(scene, assignment_id, [user_id])
        self.act(do="grade", course_id=course_id, assignment_id=assignment_id, user_id=user_id, score=score)

    def take_quiz(self, scene: str, course_id: int, assignment_id: int, scores: Iterable[tuple[int, float]]) -> None:
        """Students hand in a quiz that Canvas grades at once."""
        for user_id, score in scores:
            self._record(scene, assignment_id, [user_id])
            self.act(do="quiz_submit", course_id=course_id, assignment_id=assignment_id, user_id=user_id, score=score)

    def act(self, **action: object) -> None:
        """Do an action in Canvas as one of its users."""
        self.actions.append(action)
        self.http.post(f"{self.canvas_url}/_sandbox/act", json=action).raise_for_status()

    def powerschool_faults(self, **faults: object) -> None:
        """Set PowerSchool's faults; none ends them."""
        self.http.put(f"{self.powerschool_url}/_sandbox/faults", json=faults).raise_for_status()

    def canvas_faults(self, **faults: object) -> None:
        """Set Canvas's faults; none ends them."""
        self.http.put(f"{self.canvas_url}/_sandbox/faults", json=faults).raise_for_status()

    def rescore_by_hand(self, section_dcid: int, name: str, student_dcid: int, points: int) -> None:
        """A teacher enters a score in PowerSchool."""
        (row,) = (r for r in self.gradebook() if r["section_dcid"] == section_dcid and r["name"] == name)
        target = row["assignment_section_id"]
        action = {"do": "rescore", "assignment_section_id": target, "student_dcid": student_dcid, "points": points}
        self.http.post(f"{self.powerschool_url}/_sandbox/act", json=action).raise_for_status()

    def submissions(self) -> list[Json]:
        """Return every submission Canvas has."""
        return [s for course in self._canvas_state()["courses"] for s in course["submissions"]]

    def assignments(self) -> list[Json]:
        """Return every assignment Canvas has."""
        return [a for course in self._canvas_state()["courses"] for a in course["assignments"]]

    def assignment_names(self) -> dict[str, str]:
        """Return Canvas's assignment names by id."""
        return {
            str(a["id"]): str(a["name"]) for course in self._canvas_state()["courses"] for a in course["assignments"]
        }

    def outstanding_events(self) -> int:
        """Return how many Live Events are not delivered yet."""
        return int(self._canvas_state()["outstanding_events"])

    def gradebook(self) -> list[Json]:
        """Return every assignment section PowerSchool has, with its scores."""
        return self._get(f"{self.powerschool_url}/_sandbox/state")

    def writes(self) -> list[Json]:
        """Return every write PowerSchool accepted, in order."""
        return self._get(f"{self.powerschool_url}/_sandbox/writes")

    def requests(self, url: str) -> list[Json]:
        """Return a sandbox's request log."""
        return self._get(f"{url}/_sandbox/requests")

    def clear_requests(self, url: str) -> None:
        """Empty a sandbox's request log."""
        self.http.delete(f"{url}/_sandbox/requests").raise_for_status()

    def clear_writes(self) -> None:
        """Empty PowerSchool's log of writes."""
        self.http.delete(f"{self.powerschool_url}/_sandbox/writes").raise_for_status()

    def events(self) -> int:
        """Return how many Live Events Canvas sent."""
        return len(self._get(f"{self.canvas_url}/_sandbox/deliveries"))

    def _record(self, scene: str, assignment_id: int, users: Iterable[int]) -> None:
        self.timestamps += [Timestamp(scene, self.clock.now(), assignment_id, user) for user in users]

    def _canvas_state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.http.get(f"{self.canvas_url}/_sandbox/state").raise_for_status().json()
        return state

    def _get(self, url: str) -> list[Json]:
        rows: list[Json] = self.http.get(url).raise_for_status().json()
        return rows
