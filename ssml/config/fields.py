"""What all sections share: the types of their values, and how a section is checked."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import core_schema

from ssml.files import own

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Range = tuple[float, float]  # [low, high]
PositiveRange = tuple[Positive, Positive]  # [low, high]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=False,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="after")
    def ranges_ascend(self):
        for key, value in self:
            match value:  # not lists: their order is free
                case (int() | float() as low, int() | float() as high) if (
                    isinstance(value, tuple) and low > high
                ):
                    raise ValueError(f"{key}: low {low} is above high {high}")
                case _:
                    pass
        return self


@dataclass(frozen=True)
class Choice:
    """Of a string: one of `names`, or `module:name`, a user's own."""

    names: tuple[str, ...]
    key: str = ""

    def check(self, value: Any) -> str:
        if value not in self.names and not own.is_own(value):
            known = ", ".join(self.names)
            raise ValueError(f"{self.key}no {value!r} among {known}; an own one is module:name")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"enum": [*self.names, "module:name"]}
