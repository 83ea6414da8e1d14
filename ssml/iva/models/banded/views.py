"""What a band network sees of the sources' powers, and the weights made of what it answers.

On a CPU this is compiled, see `bands` and `derived`, which agree with it to rounding.
"""

import torch
from torch import Tensor, nn

PAIR = 2  # bins whose activity is seen as one


def see(power: Tensor, low: int, size: int, count: int, floor: float) -> tuple[Tensor, Tensor]:
    """What a band sees (N, K, count, T, 2 size + 1), and the mean power (N, K) of the bins seen.

    power (N, K, F, T). Of each frame: `size` log-powers against the mean; of each pair of bins the
    log-activity against the strongest rival, then that among all sources, at levels of unit mean;
    the log-power of the frame.
    """
    tiny = torch.finfo(power.dtype).tiny ** 0.5
    heard = power[..., low : low + count * size, :]
    scale = heard.mean((-2, -1)) + tiny
    own = heard / scale[..., None, None] + floor
    frame = heard.mean(-2) / scale[..., None] + 10 * floor
    level = heard / (heard.mean(-1, keepdim=True) + tiny)
    level = level.unflatten(-2, (-1, PAIR)).mean(-2) + 1e-3
    against = 2 * level / (level + rivals(level)[0])
    among = level / level.mean(1, keepdim=True)
    parts = [x.unflatten(-2, (count, -1)).mT for x in (own, against, among)]
    level = frame[:, :, None, :, None].expand(-1, -1, count, -1, -1)
    return torch.cat([*parts, level], -1).log(), scale


def weigh(
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
    """Weights as `power` (N, K, F, T), from what `see` gave and `net` (N, K, count, T, size + 2).

    `net` holds the log-variance ratio of each bin of a band, and what is added to the shares `own`
    and `share` (count size) that its log-power and its activity have in it; `frame` (F) is that of
    the frame's level.
    """
    count, size = net.shape[2], net.shape[-1] - 2
    level = seen[:, :, 0, :, -1]
    of_own, of_share = (
        x.unflatten(0, (count, 1, size)) + net[..., size + i, None]
        for i, x in enumerate((own, share))
    )
    pairs = seen[..., size : size + size // PAIR].repeat_interleave(PAIR, -1)
    g = net[..., :size] + of_own * seen[..., :size] + of_share * pairs
    g = nn.functional.pad(g.mT.flatten(-3, -2), (0, 0, low, len(frame) - low - count * size))
    g = g + frame[:, None] * level[..., None, :]
    u = torch.sigmoid(-g).clamp_min(least)
    return u / ((u * power).mean(-1, keepdim=True) + floor * scale[..., None, None])


def rivals(x: Tensor) -> tuple[Tensor, Tensor]:
    """The largest and the mean of the other sources, both as x (N, K, ...)."""
    most = [
        torch.stack([x[:, j] for j in range(x.shape[1]) if j != k]).amax(0)
        for k in range(x.shape[1])
    ]
    return torch.stack(most, 1), (x.sum(1, keepdim=True) - x) / (x.shape[1] - 1)


def belonging(activity: Tensor) -> Tensor:
    """How a band's activity goes with its own source's, and at most with a rival's, over time.

    Activity (N, K, bands, T) -> correlations (N, K, bands, 2); a source's is that of all bands.
    """
    tiny = torch.finfo(activity.dtype).eps
    x = activity - activity.mean(-1, keepdim=True)
    x = x / (x.square().sum(-1, keepdim=True) + tiny).sqrt()
    whole = activity.mean(-2)
    whole = whole - whole.mean(-1, keepdim=True)
    whole = whole / (whole.square().sum(-1, keepdim=True) + tiny).sqrt()
    cross = x @ whole.mT[:, None]  # (N, K, bands, K)
    eye = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)[:, None]
    own, rival = cross.masked_fill(~eye, 0).sum(-1), cross.masked_fill(eye, -1).amax(-1)
    return torch.stack([own, rival], -1)
