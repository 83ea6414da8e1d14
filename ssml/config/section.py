"""What the sections of params.yaml have in common: strict keys, and the types of their values."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Range = Annotated[tuple[float, float], Field(description="[low, high]")]
PositiveRange = Annotated[tuple[Positive, Positive], Field(description="[low, high]")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @model_validator(mode="after")
    def ranges_ascend(self):
        for key, value in self:
            match value:
                case (int() | float() as low, int() | float() as high) if low > high:
                    raise ValueError(f"{key}: low {low} is above high {high}")
                case _:
                    pass
        return self
