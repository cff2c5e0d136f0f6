"""Devices, and networks running on them."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_REINSTALL = "Reinstall GPEN Live with all it requires."
_DOCTOR = "Use --device cpu or --device auto; `gpen-live doctor` says what is missing."
_CPU = "Use --device cpu."

SENTENCES = {
    "device.absent": Sentence("There is no {device}; this machine has {there}.", "Choose one of these."),
    "device.first_operation": Sentence("The device {device} failed a first operation ({reason}).", _CPU),
    "device.no_apple_gpu": Sentence(
        "This machine has no Apple GPU that PyTorch can use (mps).", "Use --device cpu or --device auto."
    ),
    "device.no_nvidia_gpu": Sentence("This PyTorch finds no NVIDIA GPU (cuda) on this machine.", _DOCTOR),
    "device.no_pytorch": Sentence("PyTorch, which {device} needs, does not load ({reason}).", _DOCTOR),
    "device.passed_over": Sentence("{cause.what} The processor is used instead."),
    "device.unknown": Sentence("There is no device called {name}.", "Choose one of {allowed}."),
    "device.wrong_results": Sentence("The device {device} computes wrong results.", _CPU),
    "network.coarse": Sentence(
        "{runtime} in {precision} is too coarse on this card (its picture differs by {mean:.2f} levels of 255 on average, "
        "{most:.1f} at most), so it is not used."
    ),
    "network.fails_on_card": Sentence("{runtime} in {precision} fails on this card ({reason})."),
    "network.fails_on_processor": Sentence("{runtime} in {precision} fails on this processor ({reason})."),
    "network.failed": Sentence("The network {name} failed ({reason})."),
    "network.not_finite": Sentence("The network {name} gave a picture with values that are not numbers."),
    "network.other_pictures": Sentence(
        "{runtime} in {precision} gives other pictures than float32 on this processor, so it is not used."
    ),
    "network.shape": Sentence("The network {name} gave a picture of shape {shape}."),
    "network.without_eight_bits": Sentence("The network runs without 8 bits. {cause.what}", "{cause.remedy}"),
    "network.wrong_device": Sentence("8 bits are for processors: on {device} {name} computes in {precision}."),
    "runtime.no_openvino": Sentence(
        "OpenVINO does not load ({reason}), so the network runs in PyTorch, which is slower.", _REINSTALL
    ),
}
