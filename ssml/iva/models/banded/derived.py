"""The compiled `bands` as functions that torch can differentiate; references are in `views`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def usable(x: Tensor) -> bool:
    """Whether what is compiled can be used: on a CPU, and not to be exported."""
    return x.device.type == "cpu" and not torch.compiler.is_exporting()


def array(x: Tensor) -> np.ndarray:
    """A view, or a copy if it must be one."""
    return x.detach().contiguous().numpy()


class See(torch.autograd.Function):
    """`see(power, low, size, count, floor)`: as `views.see`; power (N, K, F, T)."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, power: Tensor, low: int, size: int, count: int, floor: float
    ) -> tuple[Tensor, Tensor]:
        from . import bands

        N, K, _, T = power.shape
        seen, scale = power.new_empty(N, K, count, T, 2 * size + 1), power.new_empty(N, K)
        tiny = torch.finfo(power.dtype).tiny ** 0.5
        bands.see(array(power), low, size, floor, tiny, array(seen), array(scale))
        ctx.save_for_backward(power, scale)
        ctx.given = low, size, floor, tiny
        return seen.log_(), scale

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, given: Tensor, back_scale: Tensor
    ) -> tuple[Tensor | None, ...]:
        from . import adjoints

        power, scale = ctx.saved_tensors
        back = torch.empty_like(power, memory_format=torch.contiguous_format)
        arrays = (array(x) for x in (scale, given, back_scale, back))
        adjoints.of_see(array(power), *ctx.given, *arrays)
        return back, None, None, None, None


class Weigh(torch.autograd.Function):
    """`weigh(power, scale, seen, net, own, share, frame, ...)`: as `views.weigh`."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        power: Tensor,
        scale: Tensor,
        seen: Tensor,
        net: Tensor,
        own: Tensor,
        share: Tensor,
        frame: Tensor,
        low: int,
        floor: float,
        least: float,
    ) -> Tensor:
        from . import bands

        ratio = torch.empty_like(power, memory_format=torch.contiguous_format)
        size = net.shape[-1] - 2
        arrays = [array(x) for x in (seen, net, own, share, frame)]
        bands.ratios(*arrays, low, size, ratio.numpy())
        chance = ratio.sigmoid_()
        out = torch.empty_like(chance)
        bands.weigh(array(power), array(scale), floor, least, chance.numpy(), out.numpy())
        ctx.save_for_backward(power, scale, seen, net, own, share, frame, chance)
        ctx.given = low, size, floor, least
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from . import adjoints

        power, scale, seen, net, own, share, frame, chance = ctx.saved_tensors
        low, size, floor, least = ctx.given
        ratio, back_power = torch.empty_like(chance), torch.empty_like(chance)
        back_scale = torch.empty_like(scale)
        adjoints.of_weigh(
            *(array(power), array(scale), floor, least, chance.numpy(), array(given)),
            *(ratio.numpy(), back_power.numpy(), back_scale.numpy()),
        )
        inputs = (seen, net, own, share, frame)
        backs = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in inputs]
        arrays = [array(x) for x in inputs]
        adjoints.of_ratios(*arrays, low, size, ratio.numpy(), *(x.numpy() for x in backs))
        return back_power, back_scale, *backs, None, None, None


def convolve(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Each channel of x (N, B, T, C) with its kernel (C, 1, 3, 3), frames `dilation` apart."""
    given = x.permute(0, 3, 1, 2)  # in place channels last, which is fastest
    found = nn.functional.conv2d(
        given, weight, padding=(1, dilation), dilation=(1, dilation), groups=len(weight)
    )
    return found.permute(0, 2, 3, 1)


class Depthwise(torch.autograd.Function):
    """`convolve(x, weight, dilation)`: torch's own derivative takes ten times as long on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:  # type: ignore
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return convolve(x, weight, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore
        from . import adjoints

        x, weight = ctx.saved_tensors
        given = given.contiguous()
        found = x.new_empty(3, 3, x.shape[-1])
        adjoints.of_taps(array(x), array(given), ctx.dilation, found.numpy())
        back = convolve(given, weight.flip(-2, -1), ctx.dilation)
        return back, found.permute(2, 0, 1)[:, None], None
