"""Loop twins: the same quantities by the shortest code that can be read beside the paper.

Pure Python and NumPy/SciPy only: nothing here is shared with the package, not even a constant. The textbook forms of
the samplers are also the partners that must fail where the package promises more than they can give.
"""

import math

import numpy as np

MASK = 0xFFFFFFFF
M0, M1 = 0xD2511F53, 0xCD9E8D57
W0, W1 = 0x9E3779B9, 0xBB67AE85


def philox(counter, key, rounds=10):
    """Philox4x32 (Salmon et al. 2011) of a counter (4 words) and a key (2 words) -> tuple of 4 int."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(rounds):
        p0, p1 = M0 * x0, M1 * x2
        x0, x1, x2, x3 = (p1 >> 32) ^ x1 ^ k0, p1 & MASK, (p0 >> 32) ^ x3 ^ k1, p0 & MASK
        k0, k1 = (k0 + W0) & MASK, (k1 + W1) & MASK
    return x0, x1, x2, x3


def philox_inverse(words, key, rounds=10):
    """The counter whose Philox output is `words`: Philox is a bijection, so every output can be asked for."""
    y0, y1, y2, y3 = words
    for r in reversed(range(rounds)):
        k0, k1 = (key[0] + r * W0) & MASK, (key[1] + r * W1) & MASK
        x0, x2 = y3 * pow(M0, -1, 2**32) & MASK, y1 * pow(M1, -1, 2**32) & MASK
        y0, y1, y2, y3 = x0, y0 ^ k0 ^ (M1 * x2 >> 32), x2, y2 ^ k1 ^ (M0 * x0 >> 32)
    return y0, y1, y2, y3


def pack(replica, particle, step, component, stream):
    """The counter of an address."""
    return particle % 2**32, step, component + particle // 2**32 * 2**24, replica + stream * 2**28


def unpack(counter):
    """The address (replica, particle, step, component, stream) of a counter."""
    x0, x1, x2, x3 = counter
    return x3 % 2**28, x0 + x2 // 2**24 * 2**32, x1, x2 % 2**24, x3 // 2**28


def key(seed):
    """The two key words of a seed."""
    return seed & MASK, seed >> 32


def signed(high, low):
    """Two 32-bit words as one signed 64-bit integer."""
    k = (high << 32) + low
    return k - 2**64 if k >= 2**63 else k


def signed_uniform(high, low):
    """(k + 1/2) 2^-64, rounded once (Python divides integers with correct rounding)."""
    return (2 * signed(high, low) + 1) / 2**65


def uniforms(words):
    """v in [-1, 1] and the exponential W of a block of four words."""
    t = signed_uniform(*words[2:])
    return 2 * signed_uniform(*words[:2]), -math.log(t) if t > 0 else -math.log1p(t)


def sas(alpha, u, w):
    """Chambers, Mallows, Stuck (1976): U uniform on (-pi/2, pi/2), W exponential; textbook form."""
    bend = (np.cos((1 - alpha) * u) / w) ** ((1 - alpha) / alpha)
    return np.sin(alpha * u) / np.cos(u) ** (1 / alpha) * bend


def positive_stable(a, u, w):
    """Kanter (1975): U uniform on (0, pi), W exponential; Laplace transform exp(-s^a); textbook form."""
    return np.sin(a * u) / np.sin(u) ** (1 / a) * (np.sin((1 - a) * u) / w) ** ((1 - a) / a)


def sas_at(alpha, seed, *address):
    """The standard SaS draw of an address."""
    v, w = uniforms(philox(pack(*address), key(seed)))
    return math.copysign(sas(alpha, math.pi / 2 * (1 - abs(v)), w), v)


def positive_at(a, seed, *address):
    """The positive stable draw of an address."""
    v, w = uniforms(philox(pack(*address), key(seed)))
    return positive_stable(a, math.pi * (1 - abs(v)), w)


def increments(kind, alpha, p, n, *, seed, step, replica=0, refine=1, scale=1.0, first=0):
    """Noise increments by the definitions of Types I, II, III, one address after the other -> (p, n)."""
    out = np.zeros((p, n))
    for j in range(n):
        i = first + j
        for fine in range(step * refine, (step + 1) * refine):
            for c in range(p):
                if kind == "I":
                    x = sas_at(alpha, seed, replica, i, fine, 0, 0)
                elif kind == "II" or alpha == 2 or p == 1:
                    x = sas_at(alpha, seed, replica, i, fine, c, 0)
                else:
                    subordinator = positive_at(alpha / 2, seed, replica, i, fine, 0, 1)
                    x = math.sqrt(subordinator) * sas_at(2.0, seed, replica, i, fine, c, 0)
                out[c, j] += scale * x * (math.sqrt(0.5) if kind == "III-paper" else 1.0)
    return out


# ---------------------------------------------------------------- test beds: theta is (p, n), on beds K and L p = 1


def normal(mean, sd, p, n, *, seed, replica=0, first=0):
    """Initial values N(mean, sd^2) of the particles first, ..., first + n - 1, from their addresses -> (p, n)."""
    draw = [[sas_at(2.0, seed, replica, first + i, 0, c, 2) for i in range(n)] for c in range(p)]
    return mean + sd * math.sqrt(0.5) * np.array(draw)


def mean(values):
    """Mean, the sum rounded once."""
    return math.fsum(values) / len(values)


class Kuramoto:
    """d theta^i = K (m_s cos theta^i - m_c sin theta^i) dt + sigma dL^i."""

    def __init__(self, K):
        self.K = K

    def average(self, theta):
        return np.array([mean(np.cos(theta[0])), mean(np.sin(theta[0]))])

    def step(self, theta, average, noise, eta):
        m_c, m_s = average
        return theta + eta * self.K * (m_s * np.cos(theta) - m_c * np.sin(theta)) + noise


class Linear:
    """d theta^i = -lam theta^i dt - chi (theta^i - m) dt + sigma dL^i."""

    def __init__(self, lam, chi):
        self.lam, self.chi = lam, chi

    def average(self, theta):
        return np.array([mean(theta[0])])

    def step(self, theta, average, noise, eta):
        return theta - eta * self.lam * theta - eta * self.chi * (theta - average[0]) + noise


ACT = {"tanh": np.tanh, "sigmoid": lambda u: 1 / (1 + np.exp(-u)), "relu": lambda u: np.maximum(u, 0.0)}
ACT_SLOPE = {
    "tanh": lambda u: 1 / np.cosh(u) ** 2,
    "sigmoid": lambda u: 1 / (2 * np.cosh(u / 2)) ** 2,
    "relu": lambda u: np.where(u > 0, 1.0, 0.0),
}
LOSS = {"logistic": lambda f, y: np.log1p(np.exp(-y * f)), "square": lambda f, y: (f - y) ** 2 / 2}
LOSS_SLOPE = {"logistic": lambda f, y: -y / (1 + math.exp(y * f)), "square": lambda f, y: f - y}


class Network:
    """f_x = mean of act(<w, x> + b) over the units (w, b), risk the mean of l(f_x, y) over the rows x of the data."""

    def __init__(self, X, y, unit, loss):
        self.X, self.y, self.unit, self.loss = X, y, unit, loss

    def average(self, theta):
        return np.array([mean(ACT[self.unit](x @ theta[:-1] + theta[-1])) for x in self.X])

    def risk(self, theta):
        return mean([LOSS[self.loss](f, y) for f, y in zip(self.average(theta), self.y)])

    def step(self, theta, average, noise, eta):
        drift = np.zeros_like(theta)
        for x, y, f in zip(self.X, self.y, average):
            gradient = np.append(x, 1.0)[:, None] * ACT_SLOPE[self.unit](x @ theta[:-1] + theta[-1])
            drift -= LOSS_SLOPE[self.loss](f, y) * gradient / len(self.X)
        return theta + eta * drift + noise


# ---------------------------------------------------------------- classification: weights[l] is (fan in, units)


class Classifier:
    """f = act(... act(x theta^1) ...) v and mean cross-entropy, row by row; mean-field: f / n, v fixed, gradient n."""

    def __init__(self, unit, mean_field=False):
        self.act, self.slope, self.mean_field = ACT[unit], ACT_SLOPE[unit], mean_field

    def layers(self, weights, x):
        """Activations of all layers from the row itself on, those before the activation, and the outputs."""
        before, after = [], [x]
        for theta in weights[:-1]:
            before.append(after[-1] @ theta)
            after.append(self.act(before[-1]))
        return after, before, after[-1] @ weights[-1] / (len(weights[-1]) if self.mean_field else 1)

    def loss(self, weights, X, y):
        """Mean cross-entropy; of complex weights as well, for complex steps."""
        total = 0.0
        for x, label in zip(X, y):
            f = self.layers(weights, x)[2]
            f = f - f[f.real.argmax()]
            total += np.log(np.exp(f).sum()) - f[label]
        return total / len(X)

    def accuracy(self, weights, X, y):
        """Share of the rows whose first largest output is the label's."""
        return sum(int(self.layers(weights, x)[2].argmax() == label) for x, label in zip(X, y)) / len(X)

    def gradient(self, weights, X, y):
        """By the weights of the layers that are trained, the chain rule backwards."""
        out = [np.zeros_like(theta) for theta in weights]
        for x, label in zip(X, y):
            after, before, f = self.layers(weights, x)
            above = np.exp(f - f.max()) / np.exp(f - f.max()).sum()
            above[label] -= 1.0
            above /= len(X) * (len(weights[-1]) if self.mean_field else 1)
            for l in reversed(range(len(weights))):
                out[l] += np.outer(after[l], above)
                if l:
                    above = (weights[l] @ above) * self.slope(before[l - 1])
        return [len(weights[-1]) * out[0]] if self.mean_field else out

    def step(self, weights, X, y, eta, noise=()):
        """One step of gradient descent, the noise of the hidden layers added."""
        new = list(weights)
        for l, gradient in enumerate(self.gradient(weights, X, y)):
            new[l] = weights[l] - eta * gradient + (noise[l] if l < len(noise) else 0.0)
        return new


def batch(m, b, *, seed, step):
    """The rows of a step: an epoch's order is that of the rows' keys, cut into m // b batches."""
    epoch, place = divmod(step, m // b)
    words = [philox(pack(0, row, epoch, 0, 5), key(seed)) for row in range(m)]
    order = sorted(range(m), key=lambda row: words[row][:2])
    return order[place * b : (place + 1) * b]


def uniform_weights(shapes, *, seed, signs=False):
    """Initial weights, uniform on +-1/sqrt(fan in) by address; in the last layer their signs, if wanted."""
    out = []
    for l, (p, n) in enumerate(shapes):
        words = [[philox(pack(0, l * 2**32 + i, 0, c, 2), key(seed)) for i in range(n)] for c in range(p)]
        u = np.array([[2 * signed_uniform(*w[:2]) for w in row] for row in words])
        out.append(np.sign(u) if signs and l == len(shapes) - 1 else u / math.sqrt(p))
    return out


# ---------------------------------------------------------------- the scheme, and the gaps between two of its runs


def run(bed, theta, noise, eta):
    """Euler scheme driven by noise (steps, p, n) -> the states at grid times and their averages."""
    states = [theta]
    for xi in noise:
        states.append(bed.step(states[-1], bed.average(states[-1]), xi, eta))
    return np.array(states), np.array([bed.average(state) for state in states])


def propagation_gap(bed, theta, noise, eta, limit):
    """sup over grid times of the distance of every particle to its copy, which reads `limit` -> (n,)."""
    copy = [theta]
    for xi, average in zip(noise, limit):
        copy.append(bed.step(copy[-1], average, xi, eta))
    return np.linalg.norm(run(bed, theta, noise, eta)[0] - copy, axis=1).max(axis=0)


def euler_gap(bed, theta, noise, eta, refine):
    """sup over coarse grid times of the distance to the scheme with step eta / refine, driven by `noise` -> (n,)."""
    fine = run(bed, theta, noise, eta / refine)[0][::refine]
    coarse = run(bed, theta, np.array(noise).reshape(-1, refine, *theta.shape).sum(axis=1), eta)[0]
    return np.linalg.norm(fine - coarse, axis=1).max(axis=0)
