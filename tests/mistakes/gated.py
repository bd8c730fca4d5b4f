"""The slips in the LSTM and the GRU: rows of name, old, new, words for the cause, and tensors that are then wrong."""

from __future__ import annotations

__all__ = ["GRU", "LSTM"]

EVERY = "x h_0[0] h_0[1] weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"
DC, DC_NEXT = "dc = dc + dh * o * (1 - tanh_c**2)", "dc = dc * f"
DZ_I, DZ_F, DZ_G, DZ_O = (
    "dz_i = dc * g * i * (1 - i)",
    "dz_f = dc * c[t] * f * (1 - f)",
    "dz_g = dc * i * (1 - g**2)",
    "dz_o = dh * tanh_c * o * (1 - o)",
)
ADD, BACK, BLOCKS = "dh = dh + doutput[t]", "dh = dz[t] @ W_hh", "[dz_i, dz_f, dz_g, dz_o]"
LSTM = [
    ("dc_next is not added", DC, "dc = dh * o * (1 - tanh_c**2)", "`dc` has accumulated before|path through `dc`", EVERY),
    ("dh does not reach the cell", DC, "pass", r"path through|does not reach|is missing", EVERY),
    ("the output gate is missing on the way to c", DC, "dc = dc + dh * (1 - tanh_c**2)", r"`o\b.* is missing", EVERY),
    ("tanh' of c is missing", DC, "dc = dc + dh * o", r"tanh.* is missing|`1 - tanh_c\*\*2`", EVERY),
    ("1 - c^2 for tanh' of c", DC, "dc = dc + dh * o * (1 - c[t + 1] ** 2)", r"`tanh_c|tanh.* belongs in place of", EVERY),
    ("the forget gate is missing on the way back", DC_NEXT, "pass", r"`f\b.* is missing", EVERY),
    ("the input gate in place of the forget gate", DC_NEXT, "dc = dc * i", r"`f` belongs in place of `i`", EVERY),
    ("1 - f on the way back", DC_NEXT, "dc = dc * (1 - f)", r"`f` belongs in place of `1 - f`", EVERY),
    ("df with c_t", DZ_F, "dz_f = dc * c[t + 1] * f * (1 - f)", r"`c\[t\]` .*belongs in place of `c\[t \+ 1\]`", EVERY),
    ("di with i in place of g", DZ_I, "dz_i = dc * i * i * (1 - i)", r"`g` belongs in place of `i`", EVERY),
    ("sigma' of i is missing", DZ_I, "dz_i = dc * g", r"`i \* \(1 - i\)|derivative of .* is missing", EVERY),
    ("tanh' for the input gate", DZ_I, "dz_i = dc * g * (1 - i**2)", r"derivative of .* belongs in place of|`i \* \(1 - i\)", EVERY),
    ("sigma' for the candidate g", DZ_G, "dz_g = dc * i * g * (1 - g)", r"another factor: the derivative of `np.tanh\(z_g\)`", EVERY),
    ("dg without the input gate", DZ_G, "dz_g = dc * (1 - g**2)", r"derivative of `i \* g` .*is missing", EVERY),
    ("do from dc", DZ_O, "dz_o = dc * tanh_c * o * (1 - o)", r"`dh` belongs in place of `dc`", EVERY),
    ("do with c in place of tanh(c)", DZ_O, "dz_o = dh * c[t + 1] * o * (1 - o)", r"`tanh_c` belongs in place of `c\[t \+ 1\]`|tanh", EVERY),
    ("gates in the order i, g, f, o", BLOCKS, "[dz_i, dz_g, dz_f, dz_o]", "`dz_g` and `dz_f` are exchanged", EVERY),
    ("doutput at the last step only", ADD, "dh = dh + doutput[t] * (t == T - 1)", r"`doutput\[t\]` belongs in place of", EVERY),
    ("the gradient of the next step is not added", ADD, "dh = doutput[t]", "`dh` has accumulated before|path through `dh`", EVERY),
    ("dc_n is ignored", "(dc,) = dstates", "(dc,) = dstates[0], 0 * dstates[1]", r"does not depend on the upstream gradient", EVERY),
    ("dc_0 is returned as dh_0", "(dh[None], dc[None])", "(dc[None], dh[None])", "exchanged|swapped|gradient of", "h_0[0] h_0[1]"),
    ("dW_hh with h_t", "rows(h[:-1])", "rows(h[1:])", r"`h\[t\]` .*of all steps belongs in place of `rows\(h\[1:\]\)`|[Aa]nother part of `h` belongs in place of `h\[1:\]`", "weight_hh_l0"),
]  # fmt: skip

EVERY_GRU = "x h_0 weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"
DZ, DA_N, DA_R, DA_Z = (
    "dz = dh * (h[t] - n)",
    "da_n = dh * (1 - z) * (1 - n**2)",
    "da_r = da_n * u_n * r * (1 - r)",
    "da_z = dz * z * (1 - z)",
)
DU, DH = "du[t] = np.concatenate([da_r, da_z, da_n * r], axis=1)", "dh = du[t] @ W_hh + dh * z"
DB_HH = "db_hh[...] = du.sum(axis=(0, 1))"
GRU = [
    ("the gradient of the next step is not added", ADD, "dh = doutput[t]", "`dh` has accumulated before|path through `dh`", EVERY_GRU),
    ("the direct path is forgotten", DH, "dh = du[t] @ W_hh", r"`dh \* z`|path", EVERY_GRU),
    ("1 - z on the direct path", DH, "dh = du[t] @ W_hh + dh * (1 - z)", r"`z` belongs in place of `1 - z`", EVERY_GRU),
    ("the path through W_hh is forgotten", DH, "dh = dh * z", r"du\[t\] @ W_hh|path|W_hh\b.* is missing", EVERY_GRU),
    ("da in place of du on the way back", DH, "dh = da[t] @ W_hh + dh * z", r"`du\[t\]` belongs in place of `da\[t\]`", EVERY_GRU),
    ("W_hh.T on the way back, over each block", DH, "dh = sum(d @ W.T for d, W in zip(np.split(du[t], 3, axis=1), np.split(W_hh, 3), strict=True)) + dh * z", "transposed|W_hh", EVERY_GRU),
    ("dz with the wrong sign", DZ, "dz = dh * (n - h[t])", r"sign|`h\[t\] - n`", EVERY_GRU),
    ("dz with h_t", DZ, "dz = dh * (h[t + 1] - n)", "the factor 1 / `z` is missing", EVERY_GRU),
    ("dz without the candidate", DZ, "dz = dh * h[t]", "path through `1 - z` .*is missing", EVERY_GRU),
    ("dn with z", DA_N, "da_n = dh * z * (1 - n**2)", "1 minus it belongs here: `z`", EVERY_GRU),
    ("tanh' of n is missing", DA_N, "da_n = dh * (1 - z)", r"derivative of .* is missing|1 - n\*\*2", EVERY_GRU),
    ("sigma' for the candidate n", DA_N, "da_n = dh * (1 - z) * n * (1 - n)", r"derivative of .* belongs in place of|1 - n\*\*2", EVERY_GRU),
    ("dr without W_hh h", DA_R, "da_r = da_n * r * (1 - r)", r"derivative of `r \* u_n` .*is missing", EVERY_GRU),
    ("dr with h, as in the paper", DA_R, "da_r = da_n * h[t] * r * (1 - r)", r"`u_n` belongs in place of `h\[t\]`", EVERY_GRU),
    ("sigma' of r is missing", DA_R, "da_r = da_n * u_n", r"derivative of .* is missing|r \* \(1 - r\)", EVERY_GRU),
    ("sigma' of z is squared", DA_Z, "da_z = dz * (z * (1 - z)) ** 2", r"derivative of .*|`2` does not belong", EVERY_GRU),
    ("the reset gate is missing in du", DU, "du[t] = da[t]", r"`r` is missing|da_n \* r|factor `r`", EVERY_GRU),
    ("blocks of r and z exchanged in du", DU, "du[t] = np.concatenate([da_z, da_r, da_n * r], axis=1)", "`da_z` and `da_r` are exchanged", EVERY_GRU),
    ("db_hh equal to db_ih", DB_HH, "pass", r"`du`|`r`|db_hh", "bias_hh_l0"),
    ("dW_hh from da", "rows(du).T @ rows(h[:-1])", "rows(da).T @ rows(h[:-1])", r"`du` belongs in place of `da`", "weight_hh_l0"),
    ("dW_ih from du", "rows(da), dW_ih", "rows(du), dW_ih", r"`(rows\()?da\)?` belongs in place of `(rows\()?du", "x weight_ih_l0 bias_ih_l0"),
    ("dh_n is ignored", "states, dh_n", "states, 0 * dh_n", "does not depend on the upstream gradient dh_n,", EVERY_GRU),
]  # fmt: skip
