"""What trained models are used for, on images of any size."""
