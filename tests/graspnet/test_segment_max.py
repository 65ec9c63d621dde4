import pytest
import torch

from graspbook.graspnet.segment_max import segment_max


# With few elements a row all of them are in the graph, with many those that hold a maximum.
@pytest.mark.parametrize("elements", [6, 40])
def test_the_maximum_of_a_segment_is_shared_by_those_that_hold_it(elements):
    generator = torch.Generator().manual_seed(0)
    owner = torch.randint(3, (elements,), generator=generator).sort().values
    values = (
        torch.randint(-2, 4, (elements, 5), generator=generator).double().requires_grad_()
    )  # with many ties
    base = torch.tensor([0.0, 0, 2, 3, 0]).double().expand(4, -1).clone().requires_grad_()
    rows = [
        torch.cat([base[row, None], values[owner == row]]) for row in range(4)
    ]  # none owns to the last
    expected = torch.stack([row.amax(dim=0) for row in rows])
    found = segment_max(values.__getitem__, owner, base, block=7)
    assert torch.equal(found, expected)
    with torch.no_grad():
        assert torch.equal(segment_max(values.__getitem__, owner, base, block=7), expected)
    weights = torch.randn(4, 5, generator=generator, dtype=torch.double)
    own, other = (torch.autograd.grad(out, [values, base], weights) for out in (found, expected))
    held = expected > 0  # at zero, the gradient of a rectified maximum is nothing
    torch.testing.assert_close(own[0], torch.where(held[owner], other[0], 0))
    torch.testing.assert_close(own[1], other[1] * held)
