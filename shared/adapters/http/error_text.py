"""Error texts of Canvas and PowerSchool without what must not be logged: names, titles, scores, addresses.

A foreign text may have any length and form. It is cut first; whatever reads it afterwards takes time in proportion.

An error text quotes what it rejects: names, titles, scores. No pattern finds those in every spelling, so the words that
are kept are listed instead: those that the systems use by themselves. Common given names (will, grant, mark, may) are
left out on purpose, although some texts have them. Sources: PowerSchool xte, v1 and schema error bodies; the
PowerTeacher Pro titles of the "SIS Error Code Dictionary"; canvas-lms REST errors and `lib/sis` importer messages;
`KNOWN_ERRORS` of `sis_row_errors`.
"""

import re
from collections.abc import Iterator

from shared.adapters.http.wire import Json

_TEXTS = """
    Invalid field specified: is not valid column for table. invalid_client invalid_request invalid_token
    The access token has expired. Plugin is missing required accessLevelV1Api READ permission. EDIT WRITE FullAccess
    ViewOnly. At least one column lacks sufficient permission. NoAccess InvalidArgument. No access to field.
    User does not teach section with access EDIT. Validation Failed. Student.id does not have an
    AssignmentStudentAssociation. Assignment has grades associated. Resubmit. Assignment Update is Missing Record.
    Unable to find com.pearson.powerschool.xte.model.AssignmentSection with id. Unable to Create Assignment.
    Assignment cannot be created. Cannot create. Forbidden Rate Limit Exceeded. Too many requests. Wait seconds minutes.
    Actual Score Grade Scale ID. Assignment is Locked. Locked Term. Due Date Error. Score Entry Point Required. Score
    Type. Total Point Value. Student ID. Teacher Category ID. Assignment Already Exists. Duplicate. Query not found.
    The request body is not valid JSON. The request body cannot be read at. Invalid value for parameter. Required
    parameter is missing or not a list of numbers. Invalid pagesize. Invalid query expression. Querying not supported
    against clob or blob field types. Are not allowed on table. Score points are below zero. Score must be a number
    between minimum and maximum. Is above the maximum. Is below. Is too long. Is too short. Is out of range. Characters.
    All values but the due date must be the same in all sections. A section is listed twice. Scores exist: must be true
    or false. Outside the reporting term. Closed. Inactive. Deleted. Expired. Exempt. Missing. Late. Collected.
    Incomplete. Absent. Comment. Publish option. Weight. Null. Empty. Blank. Server Error. Internal. Unavailable.
    Timeout. Maintenance. Service. System. Unknown. Unexpected. Unauthorized. Unauthenticated. Forbidden. Denied.

    Invalid access token. Insufficient scopes on access token. Scope. User not authorized to perform that action. The
    specified resource does not exist. An error occurred. A SIS integration is not configured and the bulk SIS Grade
    Export feature is not enabled. Grade data is not available for non-published courses. SIS imports can only be
    executed on root accounts. SIS imports are not enabled for this account. Sub-account. Too many assignment_ids
    requested, limit. Invalid grade. Cannot set in the parent assignment for checkpoints. Missing attachment. Invalid
    import type parameter. Cannot be used with batch mode. Because the course. Was deleted. Already taken.
    not_enabled unpublished_course internal_server_error error_code bad_request not_found rate_limit_exceeded
    unprocessable_entity insufficient_scopes error_report_id.

    Neither course nor section existed for user enrollment (Section ID, User ID). An enrollment referenced a
    non-existent section. Section references course which doesn't exist. User didn't exist for user enrollment. Cannot
    restore course because the associated account is deleted. Bad date format for. Attempted enrolling of deleted user
    in course. Removed user. No name given for row. Parent account didn't exist for. No type given for change_sis_id. No
    old_id or old_integration_id given. No new_id or new_integration_id given. Improper status for. Improper role.
    Invalid type. An old_id referenced a non-existent and was not changed. A term did not pass validation (term, error).
    No course_id or section_id given for an enrollment. No user_id given. No login_id given. An existing Canvas user
    with the SIS ID has already claimed user's requested login information, skipping. Email address e-mail is already
    claimed; ignoring. In use. Unique_id. Attempt. Listed and that are unrelated. Does not belong. Related. No such
    account. Account not found. Diffing not performed because file size difference exceeded threshold. Couldn't generate
    diff. Invalid UTF-8. Can't be blank. Is required. Failed saving. Failed adding. Malformed CSV. Duplicate row.
    Sticky. Stuck. Stickiness. Uncompressed size limit exceeded. Archive. Header. Columns. Line. Short name, long name.
    Start_date end_date. Must be before. Must be after. Cross-listed. Enrollments. Terms. Accounts. Users. Logins.
    xlist. Template. Blueprint. Same. Different. Changes. Changed. Ignored. Skipped. Warning. Import. Batch. Data set.
    Root. Encoding. Unsupported. Supported. Multiple. Other. Another. Found. Given. Provide a valid sub assignment tag.
    Ask about it. Please try again. Reading. Writing. Canvas. PowerSchool. The teacher's. Of a new. Only. Than. Does.
    Sections. Students. Categories. Group. Code. Key. Value. Title. Description. Object. Array. String. Integer.
"""

# Columns and keys of the systems, as they name them in `field`, `resource` and `code`.
_FIELDS = """
    abbreviation actualscoreentered actualscoregradescaledcid actualscorekind altalphagrade altnumericgrade
    altscoregradescaledcid assignment assignmentcategoryassoc assignmentcategoryassocid assignmentcategoryassociations
    assignmentid assignmentscore assignmentscorecomment assignmentscoreid assignmentsection assignmentsectionid
    assignmentsectionids assignmentsections assignmentstudentassociations categorytype cc color commentvalue course
    courses createdbyplugin dateenrolled dateleft dcid defaultdaysbeforedue defaultextracreditpoints
    defaultpublishoption defaultpublishstate defaultscoreentrypoints defaultscoretype defaulttotalvalue defaultweight
    description displayposition districtteachercategory districtteachercategoryid duedate emailaddress emailaddressid
    emailaddresspriorityorder email addr enroll status extracreditpoints firstday first last end start date name
    hasretake hasstandards isabsent isactive iscollected iscountedinfinalgrade isdefaultpublishscores isexempt
    isincomplete isinfinalgrades islate islocked ismissing isprimary isprimaryemailaddress isscorespublish
    isscoringneeded isusermodifiable isyearrec lastday log maxretakeallowed number personemailaddressassoc personid
    person points portion publishdaysbeforedue publisheddate publishedscoretypeid publishonspecificdate publishoption
    record relatedgradescaleitemdcid roleid school schoolid schools schoolstaff scoreentrydate scoreentrypoints
    scoregradescaledcid scorelettergrade scorenumericgrade scorepercent scorepoints scores scoretype sectionid
    sectionsdcid sectionteacher standardcalcdirection standardrollupmethod standardrollupmetric standardscoringmethod
    student studentid studentsdcid studentsdcids teacher teachercategory teachercategoryid teacherid teachermodified
    teachernumber teachercatsectexcludeassoc term termid terms totalpointvalue users usersdcid weight whencreated
    whenmodified whocreated whomodified yearid year plugin query gradebook roster rosters provisioning state
    posted post submission submissions override overrides due at possible points_possible grading late_policy_status
    diffing data set identifier drop remaster threshold user_remove_status change extension
"""

_POSSESSIVE = re.compile(r"'s\Z", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?\d?", re.IGNORECASE)
_PARTS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
_SEPARATORS = re.compile(r"[._-]+")
MAX_WORD_CHARS = 80


def _terms(text: str) -> frozenset[str]:
    found = {word.lower() for word in _WORD.findall(text)}
    parts = {part.lower() for word in _WORD.findall(text) for part in _PARTS.findall(word)}
    return frozenset(word for word in found | parts if len(word) > 1 or word == "a")


VOCABULARY = _terms(_TEXTS) | _terms(_FIELDS) | {"utf-8"}


def is_known(word: str) -> bool:
    """Say whether the systems use the word by themselves: as it is, or every part of `Student.id`, `change_sis_id`."""
    if len(word) > MAX_WORD_CHARS or not word.isascii():
        return False
    base = _POSSESSIVE.sub("", word)
    if base.lower() in VOCABULARY:
        return True
    pieces = [piece for piece in _SEPARATORS.split(base) if piece]
    return bool(pieces) and all(piece.lower() in VOCABULARY or _is_joined(piece) for piece in pieces)


def _is_joined(piece: str) -> bool:
    """Say whether the piece is several known words in camel case: `AssignmentSection`."""
    parts = _PARTS.findall(piece)
    return len(parts) > 1 and "".join(parts) == piece and all(part.lower() in VOCABULARY for part in parts)


MAX_REDACTED_CHARS = 200
# How much of an error body is read. No known refusal says its meaning later.
MAX_ERROR_TEXT_CHARS = 2_000
_MAX_VALUES = 1_000
_MAX_DEPTH = 12
HIDDEN = "…"
_MESSAGE_KEYS = (
    "message",
    "errorMessage",
    "error",
    "error_description",
    "errors",
    "code",
    "field",
    "resource",
    "title",
)
_QUOTED = re.compile(r"(?<!\w)'[^']*'|\"[^\"]*\"|\u201c[^\u201c\u201d]*\u201d|\u2018[^\u2018\u2019]*\u2019")
# A run of letters, digits and what joins them; blanks; anything else, one by one.
_TOKEN = re.compile(r"[\w.@'-]+|\s+|[^\w\s]")
_PUNCTUATION = frozenset(".,;:!?()[]<>=/-")
# "user 7", "Section ID: 85009", "id [9104]": numbers there are ids; any other may be a score.
_BEFORE_IDS = frozenset(("id", "ids", "dcid", "user", "section", "course", "term", "account"))
_ID = re.compile(r"[A-Za-z]{0,2}\d{1,20}(?:-\d{1,20}){0,3}", re.ASCII)


def cut(text: str, max_chars: int = MAX_ERROR_TEXT_CHARS) -> str:
    """Return the text, or its whole words within so many characters."""
    if len(text) <= max_chars:
        return text
    start = text[:max_chars].rsplit(maxsplit=1)
    return start[0] if len(start) > 1 else ""


def redact(text: str) -> str:
    """Return one line of at most 200 characters: known words, field names and ids; `…` for everything else."""
    shown: list[str] = []
    before_id = False
    for token in _TOKEN.findall(_QUOTED.sub(f" {HIDDEN} ", cut(text).replace("\u2019s", "'s"))):
        if token.isspace():
            shown.append(" ")
            continue
        word = token.strip(".'-")
        if not word:
            shown.append(token[0] if token[0] in _PUNCTUATION else "")
            continue
        if token in _PUNCTUATION:
            shown.append(token)
            continue
        if is_known(word) or (before_id and _ID.fullmatch(word)):
            before_id = word.lower().rpartition("_")[2].rpartition(".")[2] in _BEFORE_IDS and "login" not in word
            shown.append(f"{word}{'.' if token.endswith('.') else ''}")
        else:
            before_id = False
            shown.append(HIDDEN)
    return _joined(shown)


def _joined(shown: list[str]) -> str:
    """Join the pieces; what is between two hidden words is hidden with them."""
    joined: list[str] = []
    last = -1
    for piece in shown:
        if piece == HIDDEN:
            if last >= 0:
                del joined[last:]
            last = len(joined)
        elif piece.strip() and piece not in _PUNCTUATION:
            last = -1
        joined.append(piece)
    line = " ".join("".join(joined).split())
    return line if len(line) <= MAX_REDACTED_CHARS else line[: MAX_REDACTED_CHARS - 1] + HIDDEN


def error_messages(body: Json) -> list[str]:
    """Return the texts of an error body, not redacted, in their order, whichever of the known shapes it has.

    They are cut after `MAX_ERROR_TEXT_CHARS` characters in all; what is nested too deep is left out.
    """
    remaining, texts = MAX_ERROR_TEXT_CHARS, []
    for text in _texts(body, _MAX_DEPTH, [None] * _MAX_VALUES):
        texts.append(cut(text, remaining))
        remaining -= len(texts[-1])
        if remaining <= 0 or len(texts[-1]) < len(text):
            break
    return [text for text in texts if text]


def _texts(body: Json, depth: int, budget: list[None]) -> Iterator[str]:
    """Yield the texts of a body. Each value takes one item of the budget; what is left when it is empty is skipped."""
    if not budget or depth == 0:
        return
    budget.pop()
    match body:
        case str():
            yield body
        case list():
            for item in body:
                if not budget:
                    return
                yield from _texts(item, depth - 1, budget)
        case dict():
            for key in filter(body.__contains__, _MESSAGE_KEYS):
                value = body[key]
                # Canvas keys the errors of a form by its field, so below `errors` every key is read.
                if key == "errors" and isinstance(value, dict) and not any(known in value for known in _MESSAGE_KEYS):
                    value = list(value.values())
                yield from _texts(value, depth - 1, budget)
