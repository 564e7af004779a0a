"""The sections that experiments are made of, one file each, data only."""
