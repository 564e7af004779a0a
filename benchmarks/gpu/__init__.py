"""What `on_gpu.py` measures, in processes that it starts."""
