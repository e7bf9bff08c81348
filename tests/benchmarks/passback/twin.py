"""The naive twin of passback, in processes of its own: a Celery task per event, and a score request in each.

It does what a first implementation does, and leaves out, all in its own favour: signatures, whether the score may be
sent and whether the assignment exists (it reads neither system, and is given a table of what is what), flags, order
among tasks, errors and retries. Its Redis is passback's, another database of it.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from celery import Celery
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.sandbox.canvas.live_events.envelope import SHARD_SIZE
from shared.sandbox.district.small import Ids, student_dcid_of
from tests.benchmarks.rig.remote import FIRST_COURSE, FIRST_DCID
from tests.benchmarks.rig.town import Town
from tests.benchmarks.web.candidates import ACCEPTED, NO_BODY, body_of
from workers.dev.process_group import ProcessGroup, free_port, process_group, without_settings
from workers.dev.sandbox import point_events

QUEUE, TASK = "naive-grades", "naive.grade"
SETTLED_WITHIN_S = 300.0


def receiver(celery: Celery) -> ASGIApp:
    """Return an application that publishes a task for each grade."""

    def publish(grade: dict[str, str]) -> None:
        assignment_id = str(int(grade["assignment_id"]) % SHARD_SIZE)
        celery.send_task(TASK, args=[assignment_id, grade["student_sis_id"], grade["score"]], queue=QUEUE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            await send({**ACCEPTED, "status": 200})
            await send(NO_BODY)
        elif scope["type"] == "http":
            event = json.loads(await body_of(receive))
            if event["metadata"]["event_name"] == "grade_change":
                publish(event["body"])
            await send(ACCEPTED)
            await send(NO_BODY)

    return app


def put(http: httpx.Client, sections: dict[str, int], assignment_id: str, student: str, score: float) -> None:
    """Send one score."""
    row = {
        "_assignmentsection": {"assignmentsectionid": sections[assignment_id]},
        "studentsdcid": student_dcid_of(int(student)),
        "actualscoreentered": str(score),
        "actualscorekind": "REAL_SCORE",
        "scoretype": "POINTS",
        "scorepoints": score,
        "ismissing": False,
        "isexempt": False,
    }
    params = {"users_dcid": str(Ids.TEACHER), "status": "A"}
    http.put("/ws/xte/score", params=params, json={"assignment_scores": [row]}).raise_for_status()


def signed_in(powerschool: str) -> httpx.Client:
    """Return a client with a token, which outlives any benchmark."""
    http = httpx.Client(base_url=powerschool, headers={"Accept": "application/json"}, timeout=30, trust_env=False)
    asked = {"grant_type": "client_credentials"}
    answer = http.post("/oauth/access_token", data=asked, auth=("sandbox-client", "sandbox-secret"))
    http.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
    return http


@contextmanager
def twin_of(town: Town) -> Iterator[ProcessGroup]:
    """Let Canvas send its events to the twin instead of passback, for as long as the block lasts."""
    broker = town.redis_url.replace("unix://", "redis+socket://").replace("?db=0", "?virtual_host=1")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="passback-") as folder:
        table = Path(folder) / "assignments.json"
        table.write_text(json.dumps(_sections(town)))
        with process_group(Path(folder), without_settings()) as group:
            module = "tests.benchmarks.passback.twin"
            group.start("twin-web", "web", broker, "--port", str(port), module=module)
            given = ["--powerschool", town.stage.powerschool_url, "--table", str(table)]
            group.start("twin-worker", "worker", broker, *given, module=module)
            group.wait_ready(f"http://127.0.0.1:{port}/readyz")
            point_events(town.stage.canvas_url, f"http://127.0.0.1:{port}", signed=False)
            try:
                yield group
            finally:
                point_events(town.stage.canvas_url, town.web)


def settle(town: Town, group: ProcessGroup) -> None:
    """Return once every grade has been written, each by a request of its own."""
    until = time.monotonic() + SETTLED_WITHIN_S
    while len(town.stage.writes()) < len(town.stage.timestamps):
        group.check()
        if time.monotonic() > until:
            raise SystemExit("the twin did not write every grade")
        time.sleep(0.2)


def _sections(town: Town) -> dict[str, int]:
    """Return PowerSchool's assignment sections by Canvas's assignment ids."""
    sections = {}
    for row in town.stage.gradebook():
        course_id = int(str(row["section_dcid"])) - FIRST_DCID + FIRST_COURSE
        number = int(str(row["name"]).rpartition(" ")[2])
        sections[str(course_id * 1000 + number)] = int(str(row["assignment_section_id"]))
    return sections


def main() -> None:
    """Run the receiver or the worker until the process ends."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("part", choices=["web", "worker"])
    arguments.add_argument("broker")
    arguments.add_argument("--port", type=int)
    arguments.add_argument("--powerschool")
    arguments.add_argument("--table", type=Path)
    arguments.add_argument("--threads", type=int, default=8)
    given = arguments.parse_args()
    celery = Celery("twin", broker=given.broker)
    celery.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
    if given.part == "web":
        uvicorn.run(receiver(celery), port=given.port, log_level="error", access_log=False)
    else:
        sections = json.loads(given.table.read_text())
        http = signed_in(given.powerschool)

        @celery.task(name=TASK)  # type: ignore[untyped-decorator]  # Celery has no types
        def grade(assignment_id: str, student: str, score: float) -> None:
            put(http, sections, assignment_id, student, score)

        celery.worker_main(
            ["worker", "--pool=threads", f"--concurrency={given.threads}", f"--queues={QUEUE}", "--loglevel=ERROR"]
        )


if __name__ == "__main__":
    main()
