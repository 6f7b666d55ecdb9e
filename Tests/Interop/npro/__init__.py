"""An implementation of NPRO made from its description alone, to find what Apus and its own tests agree on wrongly."""
