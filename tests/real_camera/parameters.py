"""With which parameters the drivers are loaded in both guests."""

from __future__ import annotations

CAMERA = {"n_devs": "1", "node_types": "0x1", "vid_cap_nr": "0"}
"""vivid's parameters: one camera, /dev/video0."""

LOOPBACKS = {
    "devices": "3",
    "video_nr": "10,11,12",
    "card_label": '"GPEN Live,Film camera,Open loopback"',
    "exclusive_caps": "1,1,0",
    "max_buffers": "4",
}
"""v4l2loopback's: the app's virtual camera, one that serves as a camera, and one that can always be asked to be an output."""


def spelled(values: dict[str, str], prefix: str = "") -> str:
    """Module parameters as on a command line; `prefix` ("vivid.") for the kernel's own."""
    return " ".join(f"{prefix}{name}={value}" for name, value in values.items())
