"""What the ingest benchmark sends: grade changes, plain and signed, and the keys they are signed with."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

DISTRICT = "district-uuid-of-the-benchmark"
ISSUER = "https://live-events.canvas.instructure.com"
KEY_ID = "benchmark-key"
EVENTS = 512


def new_key() -> rsa.RSAPrivateKey:
    """Return a key as long as Canvas's."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def events() -> list[dict[str, object]]:
    """Return grade changes of about 1 KB in forty courses, with ids as Canvas sends them."""
    shard = 9_000 * 10**13
    return [
        {
            "metadata": {
                "event_name": "grade_change",
                "event_time": "2026-03-02T15:04:05.678Z",
                "producer": "canvas",
                "context_type": "Course",
                "context_id": str(shard + 700 + number % 40),
                "context_account_id": str(shard + 3),
                "context_role": "TeacherEnrollment",
                "root_account_id": str(shard + 1),
                "root_account_uuid": DISTRICT,
                "root_account_lti_guid": f"{DISTRICT}.canvas.example",
                "hostname": "canvas.example",
                "http_method": "PUT",
                "request_id": "00000000-0000-4000-8000-000000000000",
                "session_id": "0123456789abcdef0123456789abcdef",
                "time_zone": "America/Chicago",
                "url": f"https://canvas.example/api/v1/courses/700/assignments/{number}/submissions/55",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
                "user_id": str(shard + 12),
            },
            "body": {
                "submission_id": str(shard + 90_000 + number),
                "assignment_id": str(shard + 2_000 + number),
                "student_id": str(shard + 55),
                "user_id": str(shard + 55),
                "student_sis_id": "100055",
                "score": number % 11,
                "old_score": None,
                "grade": str(number % 11),
                "old_grade": None,
                "points_possible": 10,
                "old_points_possible": 10,
                "grader_id": str(shard + 12),
                "grading_complete": True,
                "muted": False,
            },
        }
        for number in range(EVENTS)
    ]


def write_bodies(folder: Path, key: rsa.RSAPrivateKey) -> dict[bool, Path]:
    """Write the events as the load generator reads them, a body per line; return the files, by whether signed."""
    plain, signed = folder / "plain", folder / "signed"
    plain.write_text("\n".join(json.dumps(event) for event in events()))
    issued = {"iss": ISSUER, "iat": int(time.time())}
    tokens = (jwt.encode({**event, **issued}, key, "RS256", {"kid": KEY_ID}) for event in events())
    signed.write_text("\n".join(tokens))
    return {False: plain, True: signed}


@contextmanager
def key_server(key: rsa.RSAPrivateKey) -> Iterator[str]:
    """Serve the key set as Canvas does; give its address."""
    jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": KEY_ID, "alg": "RS256"}
    content = json.dumps({"keys": [jwk]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks"
        server.shutdown()
