"""diffusers' VQModel with VQGAN's sizes, as its documentation has it trained."""

import torch
from diffusers import VQModel
from peers import torch_vqgan


class Autoencoder(torch.nn.Module):
    """`VQModel` as `torch_vqgan.VaeStep` calls it.

    Attention is at the lowest resolution, and in the middle: the only places that it
    has for it. Here that is the resolution of `sizes`, too.
    """

    def __init__(self, sizes: torch_vqgan.Sizes):
        super().__init__()
        lowest = sizes.resolution >> (len(sizes.multipliers) - 1)
        if sizes.attention_resolution != lowest:
            raise ValueError(
                f"attention_resolution={sizes.attention_resolution} must be {lowest}, "
                "the lowest one: VQModel has attention nowhere else."
            )
        plain, last = len(sizes.multipliers) - 1, 1
        self.model = VQModel(
            down_block_types=("DownEncoderBlock2D",) * plain
            + ("AttnDownEncoderBlock2D",) * last,
            up_block_types=("AttnUpDecoderBlock2D",) * last
            + ("UpDecoderBlock2D",) * plain,
            block_out_channels=tuple(sizes.base_dim * m for m in sizes.multipliers),
            layers_per_block=sizes.num_res_blocks,
            latent_channels=sizes.code_dim,
            num_vq_embeddings=sizes.codebook_size,
            norm_num_groups=32,
        )

    def forward(self, images):
        """Reconstructions, and the loss of the codebook."""
        return self.model(images, return_dict=False)
