"""The reference: codebooks, densities and samples of human text."""
