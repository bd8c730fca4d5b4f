"""Run other gradient checkers on `wrong_rnn.py`: `python tests/documents/other_checkers.py`.

Each function wraps the same two NumPy functions for its library, if the library is installed.
"""

import numpy as np
from wrong_rnn import at, rnn_backward, rnn_forward

POINT = list(at().values())


def torch_gradcheck():
    import torch

    class RNN(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            h, ctx.cache = rnn_forward(*(t.detach().numpy() for t in tensors))
            return torch.from_numpy(h)

        @staticmethod
        def backward(ctx, dh):
            return tuple(torch.from_numpy(np.asarray(d)) for d in rnn_backward(dh.numpy(), ctx.cache))

    torch.autograd.gradcheck(RNN.apply, [torch.from_numpy(a).requires_grad_() for a in POINT])


def jax_check_grads():
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    shape = jax.ShapeDtypeStruct(rnn_forward(*POINT)[0].shape, np.float64)
    shapes = [jax.ShapeDtypeStruct(a.shape, np.float64) for a in POINT]

    @jax.custom_vjp
    def rnn(*arrays):
        return jax.pure_callback(lambda *a: rnn_forward(*map(np.asarray, a))[0], shape, *arrays)

    def backward(arrays, dh):
        def call(dh, *a):
            return rnn_backward(np.asarray(dh), rnn_forward(*map(np.asarray, a))[1])

        return tuple(jax.pure_callback(call, tuple(shapes), dh, *arrays))

    rnn.defvjp(lambda *arrays: (rnn(*arrays), arrays), backward)
    check_grads(rnn, POINT, order=1, modes=["rev"])


def autograd_check_grads():
    from autograd.extend import defvjp_argnums, primitive
    from autograd.test_util import check_grads

    rnn = primitive(lambda *arrays: rnn_forward(*arrays)[0])

    def vjps(argnums, h, arrays, options):
        cache = rnn_forward(*arrays)[1]
        return lambda dh: [rnn_backward(dh, cache)[k] for k in argnums]

    defvjp_argnums(rnn, vjps)
    for argnum in range(len(POINT)):
        check_grads(lambda a, k=argnum: rnn(*POINT[:k], a, *POINT[k + 1 :]), modes=["rev"], order=1)(POINT[argnum])


def scipy_check_grad():
    from scipy.optimize import check_grad

    sizes = np.cumsum([a.size for a in POINT])[:-1]

    def arrays(vector):
        return [part.reshape(a.shape) for part, a in zip(np.split(vector, sizes), POINT, strict=True)]

    def loss(vector):
        return rnn_forward(*arrays(vector))[0].sum()

    def gradient(vector):
        h, cache = rnn_forward(*arrays(vector))
        return np.concatenate([np.ravel(d) for d in rnn_backward(np.ones_like(h), cache)])

    return check_grad(loss, gradient, np.concatenate([a.ravel() for a in POINT]))


def mygrad():
    import mygrad

    found = sorted(name for name in dir(mygrad) if "check" in name or "numerical" in name)
    return f"ships no gradient checker (public names with 'check' or 'numerical' in them: {found})"


CHECKERS = {
    "torch.autograd.gradcheck": torch_gradcheck,
    "jax.test_util.check_grads": jax_check_grads,
    "autograd.test_util.check_grads": autograd_check_grads,
    "scipy.optimize.check_grad": scipy_check_grad,
    "mygrad": mygrad,
}

if __name__ == "__main__":
    for title, check in CHECKERS.items():
        print(f"=== {title}")
        try:
            print(check())
        except Exception as error:  # no module, or the checker's verdict
            print(f"{type(error).__name__}: {error}")
