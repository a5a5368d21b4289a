"""The SaS law at any number of digits, by three formulas that share nothing with the package's (Zolotarev's integral).

* `near`: the power series in x^2, convergent for alpha > 1;
* `far`: the series in x^-alpha, convergent for alpha < 1;
* `fourier`: the integral of the characteristic function along a ray of the complex plane, for every alpha.

Each returns (P(X > x), density) as mpmath numbers, at x > 0. Terms grow before they fall, so working precision is
raised by the digits of the largest term.
"""

import mpmath as mp


def near(alpha, x, digits=50):
    """By powers of x, for alpha > 1."""
    return _series(digits, lambda: _near_terms(mp.mpf(alpha), mp.mpf(x)), lambda tail: mp.mpf(1) / 2 - tail)


def far(alpha, x, digits=50):
    """By powers of x^-alpha, for alpha < 1."""
    return _series(digits, lambda: _far_terms(mp.mpf(alpha), mp.mpf(x)), lambda tail: tail)


def _near_terms(alpha, x):
    k = 0
    while True:
        term = (-1) ** k * mp.gamma((2 * k + 1) / alpha) / mp.factorial(2 * k) * x ** (2 * k) / (mp.pi * alpha)
        yield term * x / (2 * k + 1), term, abs(term)
        k += 1


def _far_terms(alpha, x):
    k = 1
    while True:
        size = mp.gamma(k * alpha) / mp.factorial(k) * x ** (-k * alpha) / mp.pi
        term = (-1) ** (k + 1) * mp.sin(mp.pi * k * alpha / 2) * size
        yield term, term * k * alpha / x, size * (1 + k * alpha / x)
        k += 1


def _series(digits, terms, finish):
    working = 2 * digits
    while True:
        with mp.workdps(working):
            tail = density = largest = mp.mpf(0)
            for first, second, size in terms():
                tail, density, largest = tail + first, density + second, max(largest, size)
                if size < mp.mpf(10) ** -working * min(1, largest):
                    break
            found = finish(tail), density
            small = min(abs(value) for value in found)
            lost = mp.log10(largest / small) if small else working
            if working - lost > digits:
                return found
            working = int(2 * working + lost)


def fourier(alpha, x, digits=50):
    """By the characteristic function.

    int_0^inf exp(i k x - k^alpha) dk along k = r e^(i psi), psi = min(pi/2, pi/(4 alpha)), amid the sector in which the
    integrand decays; with dk/k for dk it gives the tail, the pole at 0 contributing the angle psi. Trapezoidal rule in
    log r: the sector's half-width is at least pi/8, so the error is below exp(-2 pi^2/(8 step)). Tails down to 1e-20.
    """
    with mp.workdps(digits + 30):
        alpha, x = mp.mpf(alpha), mp.mpf(x)
        psi = min(mp.pi / 2, mp.pi / (4 * alpha))
        turn, power = mp.expj(psi), mp.expj(alpha * psi)
        step = mp.mpf(1) / (digits + 20)
        tail = density = mp.mpf(0)
        s = -step * int((digits + 25) * mp.log(10) / min(alpha, 1) / step) - step * int(max(0, mp.log(x)) / step)
        while True:
            r = mp.exp(s)
            value = mp.exp(1j * r * turn * x - r**alpha * power)
            tail, density = tail + value.imag, density + (value * turn).real * r
            if abs(value) * (1 + r) < mp.mpf(10) ** -(digits + 25):
                break
            s += step
        return (mp.pi / 2 - psi - step * tail) / mp.pi, step * density / mp.pi
