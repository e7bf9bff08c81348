"""The claims of a launch. Only their shape is read here; `validation.py` and `access.py` say what they mean.

Source: IMS LTI 1.3 Core, section 5, and canvas-lms `lib/lti/messages/jwt_message.rb`.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
PLACEMENT = "https://www.instructure.com/placement"


def _text(value: object) -> str:
    """Return a value of a custom field; empty where Canvas had none and sent the variable's name."""
    if isinstance(value, bool):
        return str(value).lower()
    found = str(value).strip() if isinstance(value, str | int) else ""
    return "" if found.startswith("$") else found


Text = Annotated[str, BeforeValidator(_text)]


class _Claim(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Custom(_Claim):
    """The custom fields for which the registration asks. All can be missing: an administrator may remove them."""

    course_id: Text = ""
    user_id: Text = ""
    enrollment_state: Text = ""
    section_ids: Text = ""
    account_id: Text = ""
    root_account_id: Text = ""
    root_account_uuid: Text = ""
    api_domain: Text = ""
    is_root_admin: Text = ""
    masquerading_user_id: Text = ""
    message_token: Text = ""
    high_contrast: Text = ""
    assignment_id: Text = ""


class _Identified(_Claim):
    id: Text = ""


class _Platform(_Claim):
    guid: Text = ""


class _Presentation(_Claim):
    return_url: Text = ""


class Claims(_Claim):
    """The claims that passback reads. Names and addresses of people are not among them."""

    iss: str
    aud: str | list[str]
    azp: str | None = None
    exp: float
    iat: float
    nbf: float | None = None
    nonce: str
    version: object = Field(None, alias=f"{LTI}version")
    message_type: object = Field(None, alias=f"{LTI}message_type")
    deployment_id: Text = Field("", alias=f"{LTI}deployment_id")
    target: Text = Field("", alias=f"{LTI}target_link_uri")
    resource_link: _Identified = Field(_Identified(), alias=f"{LTI}resource_link")
    context: _Identified = Field(_Identified(), alias=f"{LTI}context")
    tool_platform: _Platform = Field(_Platform(), alias=f"{LTI}tool_platform")
    presentation: _Presentation = Field(_Presentation(), alias=f"{LTI}launch_presentation")
    roles: list[str] = Field([], alias=f"{LTI}roles")
    custom: Custom = Field(Custom(), alias=f"{LTI}custom")
    placement: Text = Field("", alias=PLACEMENT)

    @property
    def audiences(self) -> tuple[str, ...]:
        """Return for whom the launch is."""
        return (self.aud,) if isinstance(self.aud, str) else tuple(self.aud)
