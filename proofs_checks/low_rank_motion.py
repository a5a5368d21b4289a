"""S2.5: with weight decay and mini-batches the weights keep moving.

Statement (Galanti, Siegel, Gupte, Poggio, arXiv 2206.05794, abstract of earlier versions)
    With lambda > 0 and B < N the iterates cannot converge to a stationary point that is not zero.

Proof (derived)
    W_(t+1) - W_t = -mu (G_t + 2 lambda W_t), G_t of rank B at most. No matrix of rank B is closer to 2 lambda W_t than
    its truncated singular value decomposition (Eckart, Young, Mirsky), so at every step
        ||W_(t+1) - W_t||_F / mu >= 2 lambda (sum_(i>B) sigma_i(W_t)^2)^(1/2).
    The weights come to rest only where their rank is B.

What is checked, on a small tanh network and 32 of the rows, which it learns by heart
    least-move: the inequality, at twenty steps after training to S, in every layer.
    no-convergence, convergence: the two-by-two table. The moves after T steps are those after T / 4 with decay and
    B < N, and at most half of them where one of the two is missing. (With ReLU even the full gradient keeps stepping
    across the kinks of its loss.) Without decay the moves fall like 1 / T, as the loss does; that is not claimed.

Controls
    full-gradient, counted as if it had rank B. Each cell of the table is a control of the others.
"""

import chaosnum as cn
from proofs_checks.low_rank_bed import SOURCE

SMALL = {"rows": 32, "width": 24, "depth": 2}  # of the networks


def few(load):
    """Some of the rows, labels renumbered."""
    import numpy as np

    X, labels, _ = load()
    drawn = np.random.default_rng(0).permutation(len(X))[: SMALL["rows"]]
    return cn.low_rank_mlp.rows(X[drawn], labels[drawn])


def small(rows, rng, systems):
    """A network for them, at the start."""
    widths = [rows[0].shape[1], *[SMALL["width"]] * SMALL["depth"], rows[2]]
    return cn.low_rank_mlp.initial(widths, systems, rng, unit="tanh")


def least_move_claim(load, model, settings):
    """||W_(t+1) - W_t|| / mu from below -> Claim; its scale is S."""

    def measure(forgetting, *, seed, batch, step, ridge, whole=False):
        import numpy as np

        rows, rng, worst = few(load), np.random.default_rng(seed), 0.0
        weights = small(rows, rng, 1)
        options = {"batch": None if whole else batch, "step": step, "ridge": ridge, "rng": rng, "unit": "tanh"}
        cn.low_rank_mlp.train(weights, *rows[:2], steps=cn.low_rank.updates(forgetting, step, ridge), **options)
        for _ in range(20):
            least = [cn.low_rank.least_move(w[0], ridge, batch) for w in weights]
            moved = cn.low_rank_mlp.train(weights, *rows[:2], steps=1, moves=1, **options)[0, :, 0]
            worst = max(worst, float(np.max(np.array(least) / moved)))
        return worst

    def whole_gradient(forgetting, **params):
        return measure(forgetting, whole=True, **params)

    return cn.Claim(
        "S2.5", "Every step moves W by 2 mu lambda (sum_(i>B) sigma_i^2)^(1/2) or more: it cannot come to rest.",
        SOURCE + " (no convergence); bound derived", "forgetting", origin="derived", name="least-move", model=model,
        measure=measure, quantity="least move / move", predicts=cn.Bound(1.0, within=20.0),
        scales={"quick": [3.2], "standard": [0.8, 3.2]}, replicas={"quick": 2, "standard": 4, "full": 32},
        params={"batch": (1, 4), **{key: settings[key] for key in ("step", "ridge")}},
        controls=(cn.Control("full-gradient", "All rows at once, counted as B.", measure=whole_gradient, scales=[6.4],
                             replicas=2),),
    )  # fmt: skip


CASES = ("no decay, mini-batches", "decay, full gradient", "no decay, full gradient")
MOVING = "decay, mini-batches"


def convergence_claims(load, model, settings, batch=4):
    """The two-by-two table of decay and mini-batches -> two Claims; the scale is S at the lambda of `settings`."""

    def measure(forgetting, *, seed, case, batch, step, ridge):
        """Mean move of the last fifth of the steps from T / 4 to T over that of the last fifth of the first T / 4."""
        import numpy as np

        rows, rng = few(load), np.random.default_rng(seed)
        weights, means = small(rows, rng, 2), []
        total = cn.low_rank.updates(forgetting, step, ridge)
        for steps in (total // 4, total - total // 4):
            moved = cn.low_rank_mlp.train(
                weights, *rows[:2], batch=batch if "mini" in case else None, step=step,
                ridge=0.0 if case.startswith("no") else ridge, steps=steps, rng=rng, unit="tanh", moves=steps // 5,
            )  # fmt: skip
            means.append(float(np.sqrt((moved**2).sum(axis=1)).mean()))
        return means[1] / means[0]

    def other(case):
        return lambda forgetting, **params: measure(forgetting, **params | {"case": case})

    common = {
        "scale": "forgetting", "model": model, "measure": measure, "quantity": "move / move at T/4",
        "replicas": {"quick": 4, "standard": 5, "full": 12},
    }  # fmt: skip
    fixed = {"batch": batch, **{key: settings[key] for key in ("step", "ridge")}}
    moving = cn.Claim(
        "S2.5", "With weight decay and mini-batches the weights do not come to rest.", name="no-convergence",
        source=SOURCE + ", abstract of earlier versions", origin="stated",
        predicts=cn.LimitCurve(1.0, margin=0.2, words="1"), params={"case": MOVING, **fixed},
        scales={"quick": [6.4], "standard": [6.4, 12.8]},
        controls=tuple(cn.Control(case.replace(", ", "-and-").replace(" ", "-"), f"{case.capitalize()}.",
                                  measure=other(case), replicas=10, scales=[3.2]) for case in CASES),
        **common,
    )  # fmt: skip
    resting = cn.Claim(
        "S2.5", "Without weight decay, or with the full gradient, the moves fall.", name="convergence",
        source="derived, in proofs_checks/low_rank_motion.py", origin="derived",
        predicts=cn.LimitCurve(upper=0.5, words="0.5"), params={"case": CASES, **fixed},
        scales={"quick": [3.2], "standard": [3.2, 6.4]},
        controls=(cn.Control("decay-and-mini-batches", "Weight decay and mini-batches.", measure=other(MOVING),
                             scales=[6.4], replicas=10),),
        **common,
    )  # fmt: skip
    return moving, resting


def claims(load, model, settings):
    """S2.5 on the rows that `load()` returns -> tuple of Claim; of `settings`, step and ridge are used."""
    return least_move_claim(load, model, settings), *convergence_claims(load, model, settings)
