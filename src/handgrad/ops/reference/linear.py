"""Products of matrices."""

from handgrad.ops.interface import Array
from handgrad.ops.reference.arrays import ArrayOps


class LinearOps(ArrayOps):
    """The affine map of rows, and its gradients."""

    def linear(self, x: Array, weight: Array, bias: Array | None) -> Array:
        y = x @ weight.T  # (..., in) @ (in, out) → (..., out)
        if bias is not None:
            y += bias
        return y

    def linear_dx(self, dy: Array, weight: Array) -> Array:
        return dy @ weight  # (..., out) @ (out, in) → (..., in)

    def linear_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None]) -> None:
        rows = self.xp.reshape(dy, (-1, dy.shape[-1]))  # (..., out) → (M, out)
        weight, bias = out
        weight[...] = rows.T @ self.xp.reshape(x, (-1, x.shape[-1]))  # (out, M) @ (M, in) → (out, in)
        if bias is not None:
            bias[...] = self.xp.sum(rows, axis=0)  # (M, out) → (out,)
