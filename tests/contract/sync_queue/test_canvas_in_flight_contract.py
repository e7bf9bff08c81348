"""However many workers there are, Canvas never has more of our requests under way than one access token may have."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
import redis

from shared.adapters.canvas import canvas_client, canvas_sis_imports
from shared.adapters.http.exchange import RequestContext, use_context
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.clock import SystemClock
from shared.config import Settings, load
from shared.errors import PassbackError, ServiceUnavailable
from workers.runtime.heartbeat import this_process

MOST = 8
A_WHILE = timedelta(milliseconds=300)
LONG = timedelta(seconds=60)


class SlowCanvas(httpx.BaseTransport):
    """Takes a moment for each request, and counts how many are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self.most = 0
        self.answered = Counter[str]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        time.sleep(0.02)
        with self._lock:
            self._under_way -= 1
            self.answered[request.url.path] += 1
        return httpx.Response(200, json={"id": 1, "sis_imports": []})


def settings(**changes: str) -> Settings:
    given = {"CANVAS_URL": "https://canvas.test", "CANVAS_TOKEN": "token", "CANVAS_ACCOUNT": "1", **changes}
    return load({f"PASSBACK_{name}": value for name, value in given.items()}, env_file=Path("/dev/null"))


def gate_of(
    client: redis.Redis,
    keys: Keys,
    *,
    most: int = 1,
    longest_wait: timedelta = LONG,
    longest_request: timedelta = LONG,
) -> RemoteLimiter:
    return RemoteLimiter(
        client,
        keys,
        "canvas",
        SystemClock(),
        timedelta(0),
        max_in_flight=most,
        longest_request=longest_request,
        longest_wait=longest_wait,
    )


def in_line(client: redis.Redis, keys: Keys) -> int:
    return client.zcard(keys.line("canvas"))


def wait_until_in_line(client: redis.Redis, keys: Keys, wanted: int) -> None:
    for _ in range(500):
        if in_line(client, keys) == wanted:
            return
        time.sleep(0.01)
    raise AssertionError(f"{in_line(client, keys)} in the line, not {wanted}")


def test_workers_and_provisioning_share_one_bound(client: redis.Redis, keys: Keys) -> None:
    """Three processes of eight threads each: eight requests under way at the most, all of them answered."""
    remote, clock = SlowCanvas(), SystemClock()
    one, other = (canvas_client(settings(), client, keys, clock, transport=remote) for _ in range(2))
    imports = canvas_sis_imports(settings(), client, keys, clock, transport=remote)
    with ThreadPoolExecutor(24) as threads:
        calls = [threads.submit(call) for _ in range(40) for call in (one.check_token, other.check_token)]
        calls += [threads.submit(imports.newest, 1) for _ in range(40)]
        for call in calls:
            call.result()
    assert MOST // 2 < remote.most <= MOST
    assert remote.answered["/api/v1/users/self"] == 80
    assert remote.answered["/api/v1/accounts/1/sis_imports"] == 40
    assert in_line(client, keys) == 0


def test_pages_take_a_place_each(client: redis.Redis, keys: Keys) -> None:
    """Whoever reads a long list leaves the line between two pages."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(in_line(client, keys))
        link = {"Link": '<https://canvas.test/api/sis/accounts/1/assignments?page=2>; rel="next"'}
        return httpx.Response(200, json=[{"course_id": 7}], headers={} if "page=2" in str(request.url) else link)

    canvas = canvas_client(settings(), client, keys, SystemClock(), transport=httpx.MockTransport(answer))
    between = [in_line(client, keys) for _ in canvas.courses_to_sync(SystemClock().now())]
    assert (seen, between) == ([1, 1], [0, 0])


def test_callers_come_through_in_their_order(client: redis.Redis, keys: Keys) -> None:
    """Who came first goes first, whichever process asks again first: nobody starves."""
    gates = [gate_of(client, keys) for _ in range(4)]
    permit, through = gates[0].acquire(), []

    def call(number: int) -> None:
        own = gates[number].acquire()
        through.append(number)
        gates[number].release(own, succeeded=True)

    threads = [threading.Thread(target=call, args=[number]) for number in (1, 2, 3)]
    for ahead, thread in enumerate(threads, 1):
        thread.start()
        wait_until_in_line(client, keys, ahead + 1)
    gates[0].release(permit, succeeded=True)
    for thread in threads:
        thread.join(20)
    assert through == [1, 2, 3]


def test_waiting_too_long_puts_off_and_spends_no_attempt(client: redis.Redis, keys: Keys) -> None:
    """The caller leaves the line, so that it does not hold up others, and its course is synced later."""
    gate_of(client, keys).acquire()
    with pytest.raises(ServiceUnavailable) as caught:
        gate_of(client, keys, longest_wait=timedelta(milliseconds=50)).acquire()
    assert caught.value.cause == "canvas_throttled"
    assert caught.value.delay > timedelta(0)
    assert in_line(client, keys) == 1


def test_the_place_of_a_killed_worker_comes_free(client: redis.Redis, keys: Keys) -> None:
    """Once the longest time that waiting and a request may take is over."""
    limits = {"longest_wait": A_WHILE / 6, "longest_request": 5 * A_WHILE}
    gate_of(client, keys, **limits).acquire()
    other = gate_of(client, keys, **limits)
    with pytest.raises(ServiceUnavailable):
        other.acquire()
    time.sleep(6 * A_WHILE.total_seconds())
    other.acquire()


def test_the_place_of_a_process_without_heartbeat_comes_free_at_once(client: redis.Redis, keys: Keys) -> None:
    """Whoever waits drops it, long before the longest time that a request may take."""
    gate_of(client, keys).acquire()
    other = gate_of(client, keys, longest_wait=A_WHILE)
    long_ago = round((time.time() - 20) * 1000)
    client.hset(keys.heartbeats, this_process("worker"), long_ago)
    other.release(other.acquire(), succeeded=True)
    assert in_line(client, keys) == 0


@pytest.mark.parametrize("beats", [{}, {"worker": 20, "web": 1}, {"worker@elsewhere:1": 20}])
def test_the_place_of_a_living_process_is_kept(client: redis.Redis, keys: Keys, beats: dict[str, int]) -> None:
    """One that never had a heartbeat, such as a command, is believed; so is one whose number somebody had before."""
    gate_of(client, keys).acquire()
    for process, age_s in beats.items():
        name = process if "@" in process else this_process(process)
        client.hset(keys.heartbeats, name, round((time.time() - age_s) * 1000))
    with pytest.raises(ServiceUnavailable):
        gate_of(client, keys, longest_wait=timedelta(milliseconds=50)).acquire()


def test_a_line_that_redis_forgot_begins_anew(client: redis.Redis, keys: Keys) -> None:
    """Nobody is stuck, and whoever was under way leaves as always."""
    gate = gate_of(client, keys)
    earlier = gate.acquire()
    client.delete(keys.line("canvas"))
    later = gate.acquire()
    gate.release(earlier, succeeded=True)
    assert in_line(client, keys) == 1
    gate.release(later, succeeded=True)
    assert in_line(client, keys) == 0


def test_a_clock_that_was_put_back_keeps_nobody_in_the_line(client: redis.Redis, keys: Keys) -> None:
    """A killed worker's place from the future would come free only then."""
    client.zadd(keys.line("canvas"), {"killed": (time.time() + 3600) * 1e6})
    gate_of(client, keys).acquire()


def test_the_line_ends_by_itself(client: redis.Redis, keys: Keys) -> None:
    """Nothing is left of a Canvas that is not called any more."""
    gate_of(client, keys).acquire()
    assert 0 < client.pttl(keys.line("canvas")) <= 120_000


@pytest.mark.parametrize(
    "came_back",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.InvalidURL("a defect"),
        KeyboardInterrupt(),
        httpx.Response(200, content=b"{", headers={"Content-Type": "application/json"}),
        httpx.Response(404, json={}),
        httpx.Response(429),
        httpx.Response(500),
    ],
    ids=str,
)
def test_a_place_is_given_back_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, client: redis.Redis, keys: Keys, came_back: httpx.Response | BaseException
) -> None:
    """Also with a bound of one, where the look at whether Canvas is well needs the same place again."""

    def answer(request: httpx.Request) -> httpx.Response:
        if isinstance(came_back, BaseException):
            raise came_back
        return came_back

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr("shared.adapters.canvas.MAX_IN_FLIGHT", 1)
    canvas = canvas_client(settings(), client, keys, SystemClock(), transport=transport)
    impatient = RequestContext(None, lambda: A_WHILE)
    with use_context(impatient), pytest.raises((PassbackError, httpx.InvalidURL, KeyboardInterrupt)):
        canvas.check_token()
    assert in_line(client, keys) == 0


def test_a_pause_or_a_probe_keeps_nobody_in_the_line(client: redis.Redis, keys: Keys) -> None:
    """Who waits for Canvas to be well again takes no place from whoever finds it out."""
    gates = [gate_of(client, keys, longest_wait=timedelta(milliseconds=50)) for _ in range(3)]
    gates[0].record_failure("canvas_unavailable", LONG, for_everybody=True)
    with pytest.raises(ServiceUnavailable, match="unavailable"):
        gates[0].acquire()
    client.delete(keys.pause("canvas"))
    probe = gates[1].acquire()
    with pytest.raises(ServiceUnavailable, match="probed"):
        gates[2].acquire()
    assert in_line(client, keys) == 1
    gates[1].release(probe, succeeded=True)
    gates[2].acquire()


def test_a_caller_without_a_place_leaves_the_probe_to_others(client: redis.Redis, keys: Keys) -> None:
    """It sends nothing that could find out whether Canvas is well again."""
    full, other = (gate_of(client, keys, longest_wait=timedelta(milliseconds=50)) for _ in range(2))
    permit = full.acquire()
    full.record_failure("canvas_unavailable", LONG, for_everybody=True)
    client.delete(keys.pause("canvas"))
    with pytest.raises(ServiceUnavailable, match="busy"):
        other.acquire()
    assert not client.exists(keys.probe("canvas"))
    full.release(permit, succeeded=False)
    other.acquire()


class Interrupted:
    """A clock whose sleeper is told to stop."""

    def now(self) -> datetime:
        raise NotImplementedError

    def sleep(self, duration: timedelta) -> None:
        raise KeyboardInterrupt


def test_who_is_stopped_while_it_waits_leaves_the_line(client: redis.Redis, keys: Keys) -> None:
    """The place of a process that ends is not kept for it."""
    gate_of(client, keys).acquire()
    stopped = RemoteLimiter(client, keys, "canvas", Interrupted(), timedelta(0), max_in_flight=1)
    with pytest.raises(KeyboardInterrupt):
        stopped.acquire()
    assert in_line(client, keys) == 1
