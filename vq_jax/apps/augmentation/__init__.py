"""Whether images of a tokenizer or a prior help to train a classifier."""
