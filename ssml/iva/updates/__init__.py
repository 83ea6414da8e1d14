"""UPDATES: rules `G -> A` that turn the outputs' weighted covariances into one transform.

`G[..., f, m, :, :] = mean_t U[m,f,t] Y[:,f,t] Y[:,f,t]^H` is (..., F, K, K, K); the transform `A`
(..., F, K, K) updates `Y <- A Y`, `W <- A W`. A rule has no state, is differentiable, and never
raises the cost that `U` majorises.
"""

from collections.abc import Callable

from torch import Tensor

from .ip import ip
from .ip2 import ip2
from .iss import iss, iss_6_sweeps

Rule = Callable[[Tensor], Tensor]

UPDATES: dict[str, Rule] = {"iss": iss, "iss-6-sweeps": iss_6_sweeps, "ip": ip, "ip2": ip2}
