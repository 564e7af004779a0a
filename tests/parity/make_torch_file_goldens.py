"""Writes goldens/torch_*.pth with PyTorch 2: the same tensors in its two formats."""

import collections
import pathlib

import torch

from vq_jax.testing.goldens import named_weight

GOLDENS = pathlib.Path(__file__).parent / "goldens"


def tensors():
    whole = torch.from_numpy(named_weight("whole", (4, 6)))
    return collections.OrderedDict(
        whole=whole,
        part=whole[1:3, ::2],  # shares its memory
        turned=whole.T,
        parameter=torch.nn.Parameter(torch.from_numpy(named_weight("p", (3,)))),
        half=torch.from_numpy(named_weight("h", (2, 2))).half(),
        number=torch.tensor(7),
        empty=torch.zeros(0, 3),
    )


if __name__ == "__main__":
    for name, new in (("zip", True), ("legacy", False)):
        path = GOLDENS / f"torch_{name}.pth"
        torch.save({"state": tensors()}, path, _use_new_zipfile_serialization=new)
