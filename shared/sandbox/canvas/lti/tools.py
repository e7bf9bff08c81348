"""Installed tools: from a JSON configuration, or from a dynamic registration.

Source: canvas-lms app/models/lti/ims/registration.rb (what a registration must have; placements that Canvas does not
know are dropped, scopes that it does not know are refused), doc/api/lti_dev_key_config.md.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

CANVAS: Final = "https://canvas.instructure.com/lti/"
TOOL_CONFIGURATION: Final = "https://purl.imsglobal.org/spec/lti-tool-configuration"
RESOURCE_LINK_REQUEST: Final = "LtiResourceLinkRequest"

# Source: canvas-lms app/models/lti/resource_placement.rb, PLACEMENTS.
PLACEMENTS: Final = frozenset({
    "account_navigation", "ActivityAssetProcessor", "analytics_hub", "assignment_edit", "assignment_group_menu",
    "assignment_index_menu", "assignment_menu", "assignment_selection", "assignment_view", "collaboration",
    "conference_selection", "course_assignments_menu", "course_home_sub_navigation", "course_navigation",
    "course_settings_sub_navigation", "discussion_topic_index_menu", "discussion_topic_menu", "editor_button",
    "file_index_menu", "file_menu", "global_navigation", "homework_submission", "link_selection",
    "migration_selection", "module_group_menu", "module_index_menu", "module_index_menu_modal", "module_menu",
    "module_menu_modal", "post_grades", "quiz_index_menu", "quiz_menu", "resource_selection", "similarity_detection",
    "student_context_card", "submission_type_selection", "tool_configuration", "top_navigation", "user_navigation",
    "wiki_index_menu", "wiki_page_menu",
})  # fmt: skip
# Source: canvas-lms lib/token_scopes.rb, LTI_SCOPES: those of 1EdTech.
SCOPES: Final = frozenset(
    f"https://purl.imsglobal.org/spec/{name}"
    for name in (
        "lti-ags/scope/lineitem",
        "lti-ags/scope/lineitem.readonly",
        "lti-ags/scope/result.readonly",
        "lti-ags/scope/score",
        "lti-nrps/scope/contextmembership.readonly",
    )
)

PrivacyLevel = Literal["public", "name_only", "email_only", "anonymous"]
Visibility = Literal["admins", "members", "public"]


class Placement(BaseModel):
    """Where a tool is offered, and what is launched from there."""

    placement: str
    text: str = ""
    target_link_uri: str = ""
    message_type: str = RESOURCE_LINK_REQUEST
    visibility: Visibility | None = None
    required_permissions: str = ""
    enabled: bool = True
    custom_fields: dict[str, str] = Field(default_factory=dict)
    launch_width: int | None = None
    launch_height: int | None = None


class Tool(BaseModel):
    """An installed tool. `redirect_uris` are those of its developer key."""

    id: int = 0
    client_id: str = ""
    deployment_id: str = ""
    title: str = Field(min_length=1)
    oidc_initiation_url: str = Field(pattern="^https?://")
    target_link_uri: str = Field(pattern="^https?://")
    redirect_uris: list[str] = Field(min_length=1)
    custom_fields: dict[str, str] = Field(default_factory=dict)
    privacy_level: PrivacyLevel = "anonymous"
    placements: list[Placement] = Field(default_factory=list)

    @field_validator("placements")
    @classmethod
    def _drop_unknown_placements(cls, placements: list[Placement]) -> list[Placement]:
        return [placement for placement in placements if placement.placement in PLACEMENTS]

    def placed(self, name: str) -> Placement | None:
        """Return the tool's placement of this name, None where it has none or where it is off."""
        return next((each for each in self.placements if each.placement == name and each.enabled), None)


class JsonConfiguration(BaseModel):
    """The JSON that an administrator pastes, or whose URL they enter."""

    title: str
    description: str
    oidc_initiation_url: str
    target_link_uri: str
    scopes: list[str] = Field(default_factory=list)
    public_jwk: dict[str, Any] | None = None
    public_jwk_url: str | None = None
    custom_fields: dict[str, str] = Field(default_factory=dict)
    extensions: list[dict[str, Any]] = Field(default_factory=list)

    def tool(self, redirect_uris: list[str]) -> Tool:
        """Return the tool. Raises `ValueError`, or pydantic's, which is one, for what Canvas refuses."""
        if not (self.public_jwk or self.public_jwk_url):
            raise ValueError("tool configuration must have public jwk or public jwk url")
        require_known_scopes(self.scopes)
        canvas = next((each for each in self.extensions if each.get("platform") == "canvas.instructure.com"), {})
        settings: dict[str, Any] = canvas.get("settings", {})
        return Tool(
            title=self.title,
            oidc_initiation_url=self.oidc_initiation_url,
            target_link_uri=self.target_link_uri,
            redirect_uris=redirect_uris,
            custom_fields=self.custom_fields,
            privacy_level=canvas.get("privacy_level", "anonymous"),
            placements=[Placement.model_validate(each) for each in settings.get("placements", [])],
        )


class Registration(BaseModel):
    """The body of a dynamic registration."""

    model_config = ConfigDict(extra="ignore")

    application_type: Literal["web"]
    grant_types: list[str]
    response_types: list[str]
    redirect_uris: list[str] = Field(min_length=1)
    initiate_login_uri: str = Field(pattern="^https?://")
    client_name: str = Field(min_length=1)
    jwks_uri: str = Field(pattern="^https?://")
    token_endpoint_auth_method: Literal["private_key_jwt"]
    scope: str = ""
    logo_uri: str | None = None
    configuration: dict[str, Any] = Field(alias=TOOL_CONFIGURATION)

    def tool(self) -> Tool:
        """Return the tool. Raises `ValueError`, or pydantic's, which is one, for what Canvas refuses."""
        for name, given, required in (
            ("grant_types", self.grant_types, {"client_credentials", "implicit"}),
            ("response_types", self.response_types, {"id_token"}),
        ):
            if not required.issubset(given):
                raise ValueError(f"{name}: Must include {', '.join(sorted(required))}")
        require_known_scopes(self.scope.split())
        return Tool(
            title=self.client_name,
            oidc_initiation_url=self.initiate_login_uri,
            target_link_uri=self.configuration["target_link_uri"],
            redirect_uris=self.redirect_uris,
            custom_fields=self.configuration.get("custom_parameters", {}),
            privacy_level=self.configuration.get(f"{CANVAS}privacy_level", "anonymous"),
            placements=[
                _placement(name, message)
                for message in self.configuration.get("messages", [])
                for name in message.get("placements") or ["link_selection"]
            ],
        )


def require_known_scopes(scopes: list[str]) -> None:
    """Raise `ValueError` for scopes that Canvas does not know."""
    if unknown := set(scopes) - SCOPES:
        raise ValueError(f"scopes: Invalid scopes: {', '.join(sorted(unknown))}")


def _placement(name: str, message: dict[str, Any]) -> Placement:
    visibility = message.get(f"{CANVAS}visibility")
    return Placement(
        placement=name.removeprefix(CANVAS),
        text=message.get("label", ""),
        target_link_uri=message.get("target_link_uri", ""),
        message_type=message["type"],
        visibility=visibility if visibility in ("admins", "members", "public") else None,
        custom_fields=message.get("custom_parameters", {}),
        launch_width=message.get(f"{CANVAS}launch_width"),
        launch_height=message.get(f"{CANVAS}launch_height"),
    )
