"""Inner loops compiled by numba; imported only inside the functions that run them."""
