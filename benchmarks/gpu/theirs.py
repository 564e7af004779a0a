"""The original's architecture in PyTorch: bfloat16 autocast, channels last."""

from gpu import models


class Theirs:
    """Measures one thing after another, each with a model of its own."""

    def __init__(self, *, tiny: bool):
        try:
            import torch
        except ImportError as error:
            raise RuntimeError("PyTorch is not installed here") from error
        if not torch.cuda.is_available() and not tiny:
            raise RuntimeError(f"PyTorch {torch.__version__} finds no CUDA here")
        torch.backends.cudnn.benchmark = True
        self._torch = torch
        self._device = "cpu" if tiny else "cuda"
        self._flops_of = {}  # counted in eager mode, and the same when compiled
        self._sizes = models.TINY if tiny else models.SIZES

    def measure(self, what: str, batch_size: int, mode: str) -> dict:
        """Speed, flops and memory of "vae", "gan", "encode" or "decode".

        Args:
            mode: "eager", or "compiled" by torch.compile.
        """
        torch = self._torch
        cuda = self._device == "cuda"
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        once = self._callable(what, batch_size, compiled=mode == "compiled")

        def call():
            with torch.autocast(self._device, torch.bfloat16):
                once()
            if cuda:
                torch.cuda.synchronize()

        found = {"device": self._name(), **models.timed(call, batch_size)}
        if cuda:
            peak = torch.cuda.max_memory_allocated() / 2**20
            found["process_peak_mib"] = round(peak)
        if mode == "eager":
            kept = models.attempt("flops", lambda: {"tflop": self._flops(call)})
            self._flops_of[what, batch_size] = kept
        found.update(self._flops_of.get((what, batch_size), {}))
        return {"torch": torch.__version__, **found}

    def _callable(self, what: str, batch_size: int, *, compiled: bool):
        from peers import torch_vqgan

        torch = self._torch
        model = self._placed(torch_vqgan.Autoencoder(torch_vqgan.Sizes(**self._sizes)))
        critic = self._placed(torch_vqgan.discriminator())
        if compiled:
            # The adaptive weight walks the graph twice before it is freed.
            torch._functorch.config.donated_buffer = False
            model.compile()
            critic.compile()
        images = torch.from_numpy(models.images(self._sizes, batch_size))
        images = images.to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        images = images.contiguous(memory_format=torch.channels_last)
        if what == "vae":
            step = torch_vqgan.VaeStep(model)
            return lambda: step(images)
        if what == "gan":
            step = torch_vqgan.GanStep(model, critic)
            return lambda: step(images)
        return self._inference(model, images, what, compiled=compiled)

    def _inference(self, model, images, what: str, *, compiled: bool):
        """Calls without gradients; `model.compile()` is of its `forward` alone."""
        torch = self._torch
        with torch.no_grad(), torch.autocast(self._device, torch.bfloat16):
            z_e = model.encoder(images)
        grid = (z_e.shape[0], *z_e.shape[2:])

        def decode():
            z_q = model.codebook(indices).unflatten(0, grid).permute(0, 3, 1, 2)
            return model.decoder(z_q)

        indices = torch.arange(grid[0] * grid[1] * grid[2], device=self._device)
        indices = indices % self._sizes["codebook_size"]
        function = {"encode": lambda: model.encode(images), "decode": decode}[what]
        if compiled:
            function = torch.compile(function)
        return torch.no_grad()(function)

    def _placed(self, module):
        return module.to(self._device, memory_format=self._torch.channels_last)

    def _name(self) -> str:
        if self._device == "cpu":
            return "cpu"
        return self._torch.cuda.get_device_name()

    def _flops(self, call) -> float:
        """TFLOP of a call: its products and convolutions."""
        from torch.utils.flop_counter import FlopCounterMode

        counter = FlopCounterMode(display=False)
        with counter:
            call()
        return counter.get_total_flops() / 1e12
