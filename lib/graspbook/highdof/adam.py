"""Adam's steps on one tensor. Torch's own class first loads its compiler, which takes seconds."""

import torch

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8


class Adam:
    """Adam (arXiv:1412.6980, algorithm 1) with the defaults, and the rounding, of torch.

    x: the tensor, which the steps change in place.
    """

    def __init__(self, x: torch.Tensor) -> None:
        self.x, self.count = x, 0
        self.mean, self.square = torch.zeros_like(x), torch.zeros_like(x)

    def step(self, gradient: torch.Tensor, rate: float) -> None:
        """One step downhill.

        gradient: of the energy in x.
        rate: the learning rate of this step.
        """
        self.count += 1
        self.mean.lerp_(gradient, 1 - _FIRST)
        self.square.mul_(_SECOND).addcmul_(gradient, gradient, value=1 - _SECOND)
        root = (self.square.sqrt() / (1 - _SECOND**self.count) ** 0.5).add_(_TINY)
        with torch.no_grad():
            self.x.addcdiv_(self.mean, root, value=-rate / (1 - _FIRST**self.count))
