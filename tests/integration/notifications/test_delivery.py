"""Messages against a real mail server and a real webhook receiver: what arrives, and what is said where it does not."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from servers import free_port, mail_server, silent_server, webhook

from shared.domain.notifications.messages import Message
from shared.domain.notifications.state import DeliveryFailure
from workers.notifications.delivery import MessageKind, Target, check, deliver

SUBJECT, BODY = (
    "passback: 12 jobs wait: Größe",
    "Needs a person:\n\n- 12 jobs <wait> & see\n  https://passback.example/\n",
)
pytestmark = pytest.mark.slow
MESSAGE = Message(SUBJECT, BODY)
FROM = "from=passback@district.example"


def sent(url: str, seconds: float = 30) -> DeliveryFailure | None:
    return deliver(Target("x 1", SecretStr(url)), MESSAGE, MessageKind.WARNING, timedelta(seconds=seconds))


def test_a_mail_arrives_as_it_was_written() -> None:
    """Plain text, with its subject and its characters, at every recipient."""
    with mail_server() as (box, port):
        failure = sent(f"mailto://127.0.0.1:{port}?{FROM}&to=it@district.example,ops@district.example")
    assert failure is None
    assert sorted(to for to, _ in box.mails) == [["it@district.example"], ["ops@district.example"]]
    mail = box.mails[0][1]
    assert mail["Subject"] == SUBJECT
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n").strip() == BODY.strip()  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_mail_server_with_a_password_takes_it_or_says_so() -> None:
    """The password of the URL is percent-encoded."""
    with mail_server(password="p@ss/word") as (box, port):
        url = f"mailto://user:{{}}@127.0.0.1:{port}?{FROM}&to=it@district.example"
        assert sent(url.format("p%40ss%2Fword")) is None
        assert sent(url.format("wrong")) is DeliveryFailure.CREDENTIALS_REFUSED
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    "order", ["it@district.example,gone@district.example", "gone@district.example,it@district.example"]
)
def test_a_wrong_recipient_keeps_no_other_from_the_message(order: str) -> None:
    """The failure says that somebody has it, so that it is not sent again."""
    with mail_server("gone@district.example") as (box, port):
        failure = sent(f"mailto://127.0.0.1:{port}?{FROM}&to={order}")
    assert failure is DeliveryFailure.RECIPIENT_REFUSED
    assert [to for to, _ in box.mails] == [["it@district.example"]]


def test_a_message_that_nobody_has_is_refused() -> None:
    """And is sent again."""
    with mail_server("gone@district.example") as (box, port):
        assert sent(f"mailto://127.0.0.1:{port}?{FROM}&to=gone@district.example") is DeliveryFailure.REFUSED
    assert box.mails == []


def test_a_webhook_gets_subject_body_and_kind() -> None:
    """As JSON."""
    with webhook() as (hook, port):
        assert sent(f"json://127.0.0.1:{port}/hook") is None
    (body,) = hook.bodies
    assert (body["title"], body["message"].strip(), body["type"]) == (SUBJECT, BODY.strip(), "warning")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, DeliveryFailure.CREDENTIALS_REFUSED),
        (403, DeliveryFailure.CREDENTIALS_REFUSED),
        (404, DeliveryFailure.REFUSED),
        (429, DeliveryFailure.REFUSED),
        (500, DeliveryFailure.REFUSED),
    ],
)
def test_what_a_webhook_answers_is_told_apart(status: int, expected: DeliveryFailure) -> None:
    """A wrong token from a server that has a problem."""
    with webhook(status) as (_, port):
        assert sent(f"json://user:secret@127.0.0.1:{port}/hook") is expected


@pytest.mark.parametrize("scheme", ["json", "mailto"])
def test_nobody_listens(scheme: str) -> None:
    """A port that is closed."""
    assert sent(f"{scheme}://127.0.0.1:{free_port()}?{FROM}&to=a@district.example") is DeliveryFailure.NOT_CONNECTED


@pytest.mark.parametrize("scheme", ["json", "mailto"])
def test_the_host_does_not_exist(scheme: str) -> None:
    """A name that is reserved for that."""
    assert sent(f"{scheme}://nowhere.invalid?{FROM}&to=a@district.example") is DeliveryFailure.HOST_UNKNOWN


@pytest.mark.parametrize("scheme", ["jsons", "mailtos"])
def test_a_server_without_encryption_gets_no_password(scheme: str) -> None:
    """It answers something that is no TLS."""
    with webhook() as (hook, port):
        url = f"{scheme}://user:secret@127.0.0.1:{port}?{FROM}&to=a@district.example&mode=ssl"
        assert sent(url) is DeliveryFailure.TLS_FAILED
    assert hook.bodies == []


@pytest.mark.parametrize("scheme", ["json", "mailto"])
@pytest.mark.parametrize("drips", [False, True])
def test_a_server_that_hangs_holds_nobody(scheme: str, drips: bool) -> None:
    """Also one that sends a byte now and then, which no timeout of a library ends."""
    with silent_server(drips=drips) as port:
        assert sent(f"{scheme}://127.0.0.1:{port}?{FROM}&to=a@district.example", 2) is DeliveryFailure.TIMED_OUT


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("json://127.0.0.1:1/hook", None),
        ("mailtos://user:secret@smtp.district.example?to=it@district.example", None),
        ("nothing://here", DeliveryFailure.URL_INVALID),
        ("slack://only/two", DeliveryFailure.URL_INVALID),
        ("json://", DeliveryFailure.URL_INVALID),
    ],
)
def test_a_url_is_checked_without_sending(url: str, expected: DeliveryFailure | None) -> None:
    """For `doctor`."""
    assert check(Target("x 1", SecretStr(url))) is expected
