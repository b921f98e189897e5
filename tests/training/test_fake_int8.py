import torch
from torch import nn

from models.hourglass import Hourglass
from models.variant import get
from training import fake_int8


def test_what_a_convolution_reads_has_256_values_at_most_and_its_gradient_passes():
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(network[0].weight)
    fake_int8.attach(network)
    x = torch.linspace(-1, 3, 10_000).view(1, 1, 100, 100).requires_grad_()
    y = network(x)
    assert 250 < len(y.unique()) <= 256
    assert (y - x).abs().max() < 4 / 255
    y.sum().backward()
    assert (x.grad == 1).float().mean() > 0.99


def test_every_convolution_reads_rounded_values_and_what_is_no_relus_is_written_so_too():
    network, told = Hourglass(get("live")), []
    fake_int8.attach(network)

    def tell(_module, _inputs, output):
        told.append(len(output.unique()))

    trunk = network.trunk
    hard = [
        trunk.mask,
        trunk.context_gate,
        trunk.join4.project,
        trunk.stage4.narrow,
        trunk.stage4.gate.excite,
    ]
    hard += [module for block in trunk.stage16 for module in (block.widen, block.depthwise, block.narrow)]
    for module in hard:
        module.register_forward_hook(tell)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda _module, inputs: told.append(len(inputs[0].unique())))
    network(torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64))
    convolutions = sum(isinstance(m, nn.Conv2d) for m in network.modules())
    assert len(told) == convolutions + len(hard)
    assert max(told) <= 256
