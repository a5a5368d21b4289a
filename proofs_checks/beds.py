"""The three test beds with the parameters that the checks share."""

from functools import lru_cache

import chaosnum as cn

ALPHAS = (1.2, 1.5, 1.8, 2.0)
POINTS = 40  # images of the default data set: the network bed's cost is linear in them
POSITIVE = (0.0, float("inf"))
KURAMOTO_PARAMS = {"alpha": ALPHAS, "sigma": 1.0, "K": 1.0, "T": 1.0, "eta": 0.05}
KURAMOTO_DOMAIN = {"alpha": (1.0, 2.0), "sigma": POSITIVE, "K": POSITIVE, "T": POSITIVE, "eta": POSITIVE}
NETWORK = {"data": "digits", "unit": "tanh", "loss": "logistic"}
NETWORK_DOMAIN = {"unit": ("tanh", "sigmoid", "relu"), "loss": ("logistic", "square")}


@lru_cache(maxsize=8)
def kuramoto(K):
    """Bed K."""
    return cn.kuramoto.Kuramoto(K)


@lru_cache(maxsize=8)
def network(data, unit, loss, points=POINTS):
    """Bed N on a named data set (so many points of it) or a file."""
    X, y = cn.data.digits(points) if data == "digits" else cn.data.load(data)
    return cn.network.Network(X, y, unit=unit, loss=loss)


@lru_cache(maxsize=64)
def kuramoto_flow(alpha, sigma, K, T, eta):
    """(m_c, m_s) of the Euler-discretised limit at grid times -> ndarray, (steps + 1, 2)."""
    import numpy as np

    steps = cn.particles.Scheme(alpha, sigma, T, eta).steps
    law = cn.limit.gaussian_modes(kuramoto(K).mean, kuramoto(K).sd)
    flow = np.column_stack(cn.limit.kuramoto_euler_flow(alpha, sigma, K, eta, steps, law))
    flow.flags.writeable = False  # every cell gets the same array
    return flow


def ready(scale, **params):
    """Refuse, before anything runs, what no measure could use: a step that does not divide T, unreadable data."""
    eta = params.get("eta", scale)
    cn.particles.Scheme(params["alpha"], params["sigma"], params["T"], eta)
    if "lam" in params and eta * (params["lam"] + params["chi"]) >= 2.0:
        raise ValueError(f"eta must be below 2 / (lam + chi), or the Euler scheme diverges, got {eta!r}")
    if "n" in params:
        cn.check.at_least("n", params["n"], 2)
    if "data" in params:
        network(params["data"], params["unit"], params["loss"])


def doubling(first, last):
    """first, 2 first, 4 first, ..., last."""
    return [first * 2**j for j in range((last // first).bit_length())]
