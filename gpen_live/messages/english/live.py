"""The live pipeline: its threads, its parts, and what becomes of frames under load."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_MAKE_ROOM = "Close other programs that use it, then try again."
_SMALLER = "Close other programs that use it, or choose a smaller network."

SENTENCES = {
    "effort.detect_every": Sentence("Faces are detected in one frame of {every} and tracked in between."),
    "effort.enhance_every": Sentence("The network runs on one frame of {every}; its result is carried along in between."),
    "effort.largest_face": Sentence("Only the largest face is enhanced."),
    "effort.largest_faces": Sentence("Only the {count} largest faces are enhanced."),
    "effort.lighter": Sentence("{lighter} stands in for {model}."),
    "effort.no_makeup": Sentence("Make-up is left out."),
    "effort.no_shape": Sentence("The shape of faces is left as it is."),
    "effort.refresh_every": Sentence("Beauty looks at a face in one frame of {every}; what it saw is carried along in between."),
    "live.beauty_failed": Sentence("Loading beauty failed ({reason})."),
    "live.beauty_missing": Sentence("Beauty can't be drawn on {device}."),
    "live.beauty_unloaded": Sentence("{cause.what} Faces are enhanced without beauty.", "{cause.remedy}"),
    "live.budget": Sentence("Quality is reduced to stay within {budget_ms:g} ms. {given_up.what}"),
    "live.camera_lost": Sentence("{cause.what} The last frame stays on until it is back; trying again.", "{cause.remedy}"),
    "live.engine_failed": Sentence("The engine failed ({reason})."),
    "live.engine_given_up": Sentence("The engine thread keeps failing."),
    "live.enhancement_off": Sentence("Enhancement is off."),
    "live.face_coming": Sentence("A face is coming into view."),
    "live.failed": Sentence("{name} failed unexpectedly ({reason})."),
    "live.idle": Sentence("Idle: nobody is watching."),
    "live.model_loading": Sentence("The model is loading."),
    "live.no_face": Sentence("No face in view."),
    "live.no_frame": Sentence("There is no picture yet.", "Try again in a moment."),
    "live.output_lost": Sentence("{cause.what} Everything else goes on; trying again.", "{cause.remedy}"),
    "live.overlay_failed": Sentence("The overlay for viewers failed ({reason})."),
    "live.pin_failed": Sentence("Staging a frame for the device failed ({reason})."),
    "live.preview_failed": Sentence("The preview failed ({reason})."),
    "live.raw_failed": Sentence("A raw frame could not be prepared ({reason})."),
    "live.raw_goes_out": Sentence("{cause.what} The raw picture goes out.", "{cause.remedy}"),
    "live.restarted": Sentence("The {name} failed ({reason}) and was restarted."),
    "live.slow_path": Sentence("The fast frame path does not run on {device} ({reason}), so a slower one is used."),
    "live.stage_failed": Sentence("Drawing {name} failed ({reason}).", "It is tried again every few seconds."),
    "live.stuck": Sentence("The network is taking unusually long.", "If this happens often, choose a smaller one."),
    "live.switched_off": Sentence("The {name} failed again ({reason}) and was switched off."),
    "live.unopened": Sentence("{name} could not be opened."),
    "model.device_lost": Sentence(
        "The graphics device stopped working, so {model} takes over on the processor.", "Restart GPEN Live to use it again."
    ),
    "model.fitting": Sentence(
        "Fitting {model} to this graphics card, which happens only once: {share:.0%}. The raw picture goes out meanwhile."
    ),
    "model.loading": Sentence("Loading {model}."),
    "model.memory_full": Sentence("The processor's memory is too full for {model}.", _SMALLER),
    "model.memory_full_device": Sentence("The graphics device's memory is too full for {model}.", _SMALLER),
    "model.no_stand_in": Sentence("{lighter} can't stand in for {model} under load. {cause.what}", "{cause.remedy}"),
    "model.on_processor": Sentence("{cause.what} It continues on the processor.", _MAKE_ROOM),
    "model.smaller": Sentence("{cause.what} {smaller} takes its place.", _MAKE_ROOM),
    "model.still_lost": Sentence("The graphics device is lost until GPEN Live is restarted, so {model} runs on the processor."),
}
