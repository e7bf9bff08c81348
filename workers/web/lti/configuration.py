"""How passback describes itself to Canvas: as a JSON configuration, and in a dynamic registration.

Source: Canvas, "LTI developer key configuration" and "LTI registration" (canvas-lms `doc/api/registration.md`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

CANVAS = "https://canvas.instructure.com/lti/"
TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
MESSAGE_TYPE = "LtiResourceLinkRequest"
TITLE = "passback"
DESCRIPTION = "Shows for each grade whether it is in PowerSchool, and why not."
# Only people who may change grades see the link. The launch checks the roles all the same.
GRADERS = "manage_grades"

CUSTOM_FIELDS: Mapping[str, str] = {
    "course_id": "$Canvas.course.id",
    "user_id": "$Canvas.user.id",
    "enrollment_state": "$Canvas.enrollment.enrollmentState",
    "section_ids": "$Canvas.course.sectionIds",
    "account_id": "$Canvas.account.id",
    "root_account_id": "$Canvas.rootAccount.id",
    "root_account_uuid": "$vnd.Canvas.root_account.uuid",
    "api_domain": "$Canvas.api.domain",
    "is_root_admin": "$Canvas.user.isRootAccountAdmin",
    "masquerading_user_id": "$Canvas.masqueradingUser.id",
    "message_token": "$com.instructure.PostMessageToken",
    "high_contrast": "$Canvas.user.prefersHighContrast",
    "assignment_id": "$Canvas.assignment.id",
}
"""What Canvas is asked to say in each launch. Names and addresses of people are not part of it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A row: where Canvas shows passback, under which name, and the page that it opens."""

    name: str
    path: str
    text: str
    options: Mapping[str, object]


PLACEMENTS = (
    Placement("course_navigation", "/lti/course", "PowerSchool sync", {"display_type": "full_width_in_context"}),
    Placement("account_navigation", "/lti/account", "PowerSchool sync", {"display_type": "full_width_in_context"}),
    Placement("post_grades", "/lti/post-grades", "PowerSchool", {"launch_width": 800, "launch_height": 600}),
    Placement("assignment_menu", "/lti/assignment", "PowerSchool sync", {"launch_width": 800, "launch_height": 600}),
)

PLACEMENTS_BY_PATH = {placement.path: placement.name for placement in PLACEMENTS}
"""The pages on which a launch can land, and the placement in Canvas for which each is made."""


def json_configuration(public_url: str) -> dict[str, object]:
    """Return the JSON that an administrator pastes into Canvas."""
    return {
        "title": TITLE,
        "description": DESCRIPTION,
        "oidc_initiation_url": f"{public_url}/lti/login",
        "target_link_uri": f"{public_url}/lti/course",
        "scopes": [],
        "public_jwk_url": f"{public_url}/lti/jwks",
        "custom_fields": dict(CUSTOM_FIELDS),
        "extensions": [
            {
                "platform": "canvas.instructure.com",
                "domain": urlsplit(public_url).netloc,
                "tool_id": TITLE,
                "privacy_level": "anonymous",
                "settings": {
                    "text": "PowerSchool sync",
                    "icon_url": f"{public_url}/static/icon.svg",
                    "placements": [_placement_json(public_url, placement) for placement in PLACEMENTS],
                },
            }
        ],
    }


def _placement_json(public_url: str, placement: Placement) -> dict[str, object]:
    shown: dict[str, object] = {
        "placement": placement.name,
        "enabled": True,
        "message_type": MESSAGE_TYPE,
        "target_link_uri": f"{public_url}{placement.path}",
        "text": placement.text,
        "visibility": "admins",
        **placement.options,
    }
    if placement.name == "account_navigation":
        return {**shown, "root_account_only": True}
    return {**shown, "default": "enabled", "required_permissions": GRADERS}


def registration_request(public_url: str) -> dict[str, object]:
    """Return the body of a dynamic registration."""
    return {
        "application_type": "web",
        "grant_types": ["client_credentials", "implicit"],
        "response_types": ["id_token"],
        "initiate_login_uri": f"{public_url}/lti/login",
        "redirect_uris": [f"{public_url}/lti/launch"],
        "client_name": TITLE,
        "jwks_uri": f"{public_url}/lti/jwks",
        "logo_uri": f"{public_url}/static/icon.svg",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "",
        TOOL_CONFIGURATION: {
            "domain": urlsplit(public_url).netloc,
            "target_link_uri": f"{public_url}/lti/course",
            "description": DESCRIPTION,
            "claims": ["sub", "iss"],
            "custom_parameters": dict(CUSTOM_FIELDS),
            f"{CANVAS}privacy_level": "anonymous",
            f"{CANVAS}tool_id": TITLE,
            f"{CANVAS}vendor": TITLE,
            "messages": [_message(public_url, placement) for placement in PLACEMENTS],
        },
    }


def _message(public_url: str, placement: Placement) -> dict[str, object]:
    message: dict[str, object] = {
        "type": MESSAGE_TYPE,
        "target_link_uri": f"{public_url}{placement.path}",
        "label": placement.text,
        "placements": [placement.name],
        f"{CANVAS}visibility": "admins",
        **{f"{CANVAS}{name}": value for name, value in placement.options.items()},
    }
    is_of_course = placement.name == "course_navigation"
    return {**message, f"{CANVAS}course_navigation/default_enabled": True} if is_of_course else message
