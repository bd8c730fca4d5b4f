"""Max-pooling with a learned scale per channel: x is (N, C, H, W), the windows are (K, L) and do not overlap."""

import numpy as np


class ScaledMaxPool:
    def __init__(self, channels, window, seed=0):
        self.scale = np.random.default_rng(seed).standard_normal(channels)
        self.window = window

    def forward(self, x):
        K, L = self.window
        N, C, H, W = x.shape
        blocks = x.reshape(N, C, H // K, K, W // L, L)
        self.blocks = blocks
        self.top = blocks.max(axis=(3, 5))
        return self.top * self.scale[:, None, None]

    def backward(self, dout):
        self.dscale = (dout * self.top).sum(axis=(0, 2, 3))
        dtop = dout * self.scale[:, None, None]
        mask = self.blocks == self.top[:, :, :, None, :, None]
        dblocks = mask * dtop[:, :, :, None, :, None]
        N, C, rows, K, columns, L = dblocks.shape
        return dblocks.reshape(N, C, rows * K, columns * L)
