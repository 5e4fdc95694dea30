"""What all of tidemark.yaml is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Settings are values: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


TableName = Annotated[
    str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$", description="3 to 255 letters, digits, `_`, `.` or `-`")
]
"""A legal DynamoDB table name (DynamoDB Developer Guide, Naming rules)."""

WHOLE = "item"
"""The one field of a row without `fields`, where fields are plain."""
