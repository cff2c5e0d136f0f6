"""The look: what is drawn on a face after the network. On the host (NumPy, OpenCV) and on a device (PyTorch, Triton)."""
