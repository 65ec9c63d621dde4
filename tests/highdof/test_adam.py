import torch

from graspbook.highdof.adam import Adam


def test_steps_are_those_of_torch():
    start = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    own, other = start.clone(), start.clone().requires_grad_()
    adam, torchs = Adam(own), torch.optim.Adam([other], 0.05)
    for step in range(20):
        rate = 0.05 * (1 - step / 20)
        adam.step(4 * (own - 1) ** 3, rate)
        torchs.param_groups[0]["lr"] = rate
        torchs.zero_grad()
        ((other - 1) ** 4).sum().backward()
        torchs.step()
    torch.testing.assert_close(own, other.detach(), rtol=1e-5, atol=1e-6)


def test_it_finds_a_minimum():
    x = torch.tensor([3.0, -2.0])
    adam = Adam(x)
    for step in range(300):
        adam.step(2 * (x - 1), 0.1 * (1 - step / 300))
    torch.testing.assert_close(x, torch.ones(2), atol=1e-3, rtol=0)
