"""Embedders by the configuration's key `embedder`: static models and encoders of `transformers`.

None of them runs code that comes with a model.
"""
