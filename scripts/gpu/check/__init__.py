"""The machinery of scripts/gpu-check: what is run, how it is run, how it is judged."""
