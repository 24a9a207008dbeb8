"""The convolutional ReLU networks of Behrmann (2019), Table 3.1: strides instead of pooling, nothing else.

`wide_cifar` and `thin_cifar` are plain sequences of layers, so that their linearisation at a point is a chain
of matrices (`invex.analysis.singular_values`). `SideBySide` makes several one network, to train them at once.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

MAPS = {"WideCIFAR": (32, 64, 64, 32, 32, 64), "ThinCIFAR": (32, 32, 16, 16, 16, 32)}
STRIDES = (1, 2, 1, 1, 1, 2)
DENSE = 512
Shape = tuple[int, int, int]


def convolutional(
    maps: Sequence[int],
    *,
    shape: Shape = (3, 32, 32),
    classes: int = 10,
    dense: int = DENSE,
    groups: int = 1,
    generator: Generator | None = None,
) -> nn.Sequential:
    """3 x 3 convolutions and two dense layers, ReLU between them: images (n, channels, h, w) -> logits.

    Weights are drawn as Keras does by default (Glorot's uniform distribution, zero biases). Zeros are added
    on all sides, so that only a stride makes an image smaller. The source names neither; nor does it name
    dropout, of which there is none.

    Args:
        maps: feature maps of the convolutions, whose strides are `STRIDES`.
        shape: channels, height and width of an image.
        groups: networks side by side: channel counts are multiplied by it, and none sees another's.

    Raises:
        ValueError: not one number of maps for every stride.
    """
    if len(maps) != len(STRIDES):
        raise ValueError(f"{len(maps)} numbers of feature maps, and {len(STRIDES)} convolutions")
    layers: list[nn.Module] = []
    for (wide, out), stride in zip(pairwise((shape[0], *maps)), STRIDES, strict=True):
        layers += [nn.Conv2d(groups * wide, groups * out, 3, stride, 1, groups=groups), nn.ReLU()]
    side = [(size + 3) // 4 for size in shape[1:]]
    features = maps[-1] * side[0] * side[1]
    if groups == 1:
        layers += [nn.Flatten(), nn.Linear(features, dense), nn.ReLU(), nn.Linear(dense, classes)]
    else:
        layers += [nn.Conv2d(groups * maps[-1], groups * dense, tuple(side), groups=groups), nn.ReLU()]
        layers += [nn.Conv2d(groups * dense, groups * classes, 1, groups=groups), nn.Flatten()]
    network = nn.Sequential(*layers)
    _glorot_(network, generator)
    return network


def wide_cifar(generator: Generator | None = None) -> nn.Sequential:
    """WideCIFAR of Table 3.1: images (n, 3, 32, 32) -> logits (n, 10)."""
    return convolutional(MAPS["WideCIFAR"], generator=generator)


def thin_cifar(generator: Generator | None = None) -> nn.Sequential:
    """ThinCIFAR of Table 3.1: images (n, 3, 32, 32) -> logits (n, 10)."""
    return convolutional(MAPS["ThinCIFAR"], generator=generator)


@torch.no_grad()
def _glorot_(network: nn.Sequential, generator: Generator | None) -> None:
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            assert layer.bias is not None
            layer.bias.zero_()


class SideBySide(nn.Module):
    """Networks of one architecture as one, by grouped convolutions: (n, B c, h, w) -> logits (n, B, classes).

    Each gives the logits, and has the gradients, that it would have alone; a GPU takes hardly longer for a
    few of them than for one.

    Args:
        networks: made by `convolutional` with the same arguments; their parameters are copied.
    """

    def __init__(self, networks: Sequence[nn.Sequential], maps: Sequence[int], shape: Shape) -> None:
        super().__init__()
        *_, first, last = _affine(networks[0])
        self.count, self.classes = len(networks), len(last.weight)
        sizes = {"shape": shape, "classes": self.classes, "dense": len(first.weight)}
        alone = len(networks) == 1
        self.stack = networks[0] if alone else convolutional(maps, groups=len(networks), **sizes)
        self._networks = networks
        if not alone:
            self._copy(back=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, B, classes) of images (n, B c, h, w), network b on its own c channels."""
        logits: Tensor = self.stack(x)
        return logits.view(len(x), self.count, self.classes)

    def unload(self) -> list[nn.Sequential]:
        """The networks, with the parameters that they have here by now."""
        if self.count > 1:
            self._copy(back=True)
        return list(self._networks)

    @torch.no_grad()
    def _copy(self, back: bool) -> None:
        for at, layer in enumerate(_affine(self.stack)):
            for part, network in enumerate(self._networks):
                own = _affine(network)[at]
                for here, there in ((layer.weight, own.weight), (layer.bias, own.bias)):
                    rows = here.chunk(self.count)[part]
                    there.copy_(rows.reshape(there.shape)) if back else rows.copy_(there.reshape(rows.shape))


def _affine(network: nn.Sequential) -> list[nn.Module]:
    return [layer for layer in network if isinstance(layer, nn.Conv2d | nn.Linear)]
