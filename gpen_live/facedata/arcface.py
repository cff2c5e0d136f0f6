"""What a face recognition network of ArcFace's kind (Deng et al., CVPR 2019) takes: 112 x 112 pixels, aligned in its own way."""

from __future__ import annotations

import numpy as np

SIDE = 112
ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where eyes, nose and mouth lie in SIDE x SIDE pixels."""
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
"""Of RGB in [0, 1]; ImageNet's."""
