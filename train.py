"""python train.py --config=configs/X.py[:smoke] --workdir=DIR [--config.a.b=value]"""

import sys

from vq_jax.cli.train import main

if __name__ == "__main__":
    main(sys.argv)
