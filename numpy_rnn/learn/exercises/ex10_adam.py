"""Exercise 10. Adam: steps that do not depend on the size of the gradient

    (A1)  m <- beta1 m + (1 - beta1) g
    (A2)  v <- beta2 v + (1 - beta2) g^2
    (A3)  theta <- theta - lr m_hat / (sqrt(v_hat) + eps), m_hat = m / (1 - beta1^k) and v_hat = v / (1 - beta2^k)

k = 1, 2, ... counts the steps; m and v are zero before the first one. All operations are elementwise. See
docs/backprop.md#adam. Write adam. It returns new arrays and leaves its arguments as they are.
"""

import numpy as np


def adam(theta, g, m, v, k, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    """theta, g, m and v have the same shape; return the new theta, m and v"""
    # answer
    # hint: Five lines: m, v, m_hat, v_hat, theta. What is kept for the next step is m and v, without hats.
    # hint: beta1^k is beta1**k with the step k, so the correction fades: after many steps m_hat is nearly m.
    m = beta1 * m + (1 - beta1) * g  # (A1)
    v = beta2 * v + (1 - beta2) * g**2  # (A2)
    m_hat = m / (1 - beta1**k)  # (A3)
    v_hat = v / (1 - beta2**k)  # (A3)
    theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)  # (A3)
    # end
    return theta, m, v


# check
def cases(rng):
    for shape, k, size in ((3, 2), 1, 1), ((4,), 5, 1), ((2, 2), 100, 10), ((3,), 2, 1e-7):
        theta, g, m = size * rng.standard_normal((3, *shape))
        yield "adam", (theta, g, 0.1 * m * (k > 1), 0.01 * m**2 * (k > 1), k)


SLIPS = [
    ("m / (1 - beta1**k)", "m", "m starts from zero, so it is too small at first: divide by 1 - beta1^k (A3)."),
    ("v / (1 - beta2**k)", "v", "v starts from zero, so it is too small at first: divide by 1 - beta2^k (A3)."),
    ("beta1**k", "beta1", "The correction depends on the step: 1 - beta1**k, not 1 - beta1 (A3)."),
    ("(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat + eps)", "eps is added to the root, not under it (A3)."),
    ("(np.sqrt(v_hat) + eps)", "(v_hat + eps)", "The root is missing: divide by sqrt(v_hat) + eps (A3)."),
    ("g**2", "g", "v is the average of the squares of g (A2)."),
    ("theta - lr", "theta + lr", "The sign is wrong: go against the gradient (A3)."),
    ("(1 - beta1) * g", "g", "The new gradient has the weight 1 - beta1 (A1)."),
    ("m_hat = m /", "m = m_hat = m /", "Return m itself. m_hat is for this step only (A3)."),
]
