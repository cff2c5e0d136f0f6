"""All numbers that the look is tuned by, read by the host's and the device's implementation alike.

Lengths are fractions of the crop's side (.01 is 2.56 pixels of 256); levels run from 0 to 255.
"""

from __future__ import annotations

from typing import Final

FADE_S: Final = 0.15
"""How long a control takes over its range."""

MAP: Final = 128
"""Side of the maps in which the skin is worked on: the side of the retouch network's layers."""
WIDE: Final = 32
"""Side of the maps for what is wider than a cheek, and of the grid that carries masks and shape."""
FIELD: Final = 64
"""Side of the canonical masks and of the light."""

MARGIN: Final = 0.04
"""Around the mesh, up to which anything is drawn."""

LUMA: Final = (0.114, 0.587, 0.299)
"""Luma of blue, green and red (BT.601)."""

# Skin
SURE: Final = (0.2, 0.7)
"""The matte between which a place counts as none and all skin for the skin's controls."""
SMOOTH_SIGMA: Final = 0.02
"""Width of the mean that `smooth` moves towards: what is finer than about 24 pixels of 256 is damped."""
SHINY: Final = 40.0
"""Levels that are added to the mean by which contrast is measured: that of shine, which is the same on every skin."""
SMOOTH_ODD: Final = 45.0
"""Levels, on mid grey, by which what differs from the skin around is none of it: a rim, a strand of hair."""
SMOOTH_MOST: Final = 1.0
SMOOTH_KEPT: Final = 0.28
"""Contrast (deviation over mean) that is form rather than texture: folds and edges above it stay."""
SURELY_SKIN: Final = (0.85, 1.0)
"""Between these shares of skin a place counts for the mean colour that is kept."""
EVEN_SIGMA: Final = 0.16
EVEN_MOST: Final = 0.65
EVEN_LIMITS: Final = (0.85, 1.18)
LAYER_LOG: Final = 0.7
"""Change of log luminance for which the layers `under_eye` and `shine` are 1."""
SPOT_SURE: Final = (0.05, 0.25)
"""The layer's value between which a spot begins to heal and heals in full."""
HEAL_RIM: Final = 0.012
"""Width of the mean around a spot that is healed from; more of it where there is no skin so near."""
HEAL_FAR: Final = 0.04
HEAL_SLOPE: Final = 0.4
"""How much of the slope between the two is carried on into the spot."""
HEAL_AROUND: Final = 0.1
"""Around the spots, from how far away skin is asked."""
HEAL_LEAST: Final = 0.004
"""Square of the trace below which a spot heals in part."""
HEAL_FIT: Final = 0.016
"""Over what distance a spot's strength is measured."""
UNDER_EYE_MOST: Final = 1.0
UNDER_EYE_SMOOTH: Final = 0.6
SHINE_MOST: Final = 0.6

# Masks on the canonical face, and how they are carried to a face
GUIDES: Final = 96
"""How many landmarks carry."""
CARRY_REACH: Final = 0.15
"""How far a landmark's shift carries what lies around it."""
CARRY_CALM: Final = 0.02
"""How much of the landmarks' own noise is smoothed away (the kernel's ridge)."""
CARRY_STEPS: Final = 3
"""Steps of the fixed point by which a shift at a landmark's canonical place is turned into one at its place in the picture."""
NORMAL_SIGMA: Final = 0.045
FACE_INSET: Final = 0.02
"""Within the face's outline by this, the light does without the matte: on eyes, lips and beard too."""
FOREHEAD: Final = 0.05
"""The mesh ends that far below the hairline."""
REACH: Final = (0.8, 0.96)
"""Downwards the effects end between these heights: before the crop does."""

# Light
LAMP_ON_DARK: Final = 0.5
"""Share of the lamps' gain on black, rising to all of it on mid grey."""
BRIGHTEN_MOST: Final = 0.26
BRIGHTEN_GREY: Final = 0.25
"""The half-Lambert light at which the lamp in front does nothing: the more, the more it models the face."""
BRIGHTEN_FROM: Final = (0.0, -0.25, 0.97)
LIGHT_MOST: Final = 0.42
LIGHT_FROM: Final = (0.86, -0.28, 0.42)
"""Where the lamp is for a light of 1; x to the right, y down, z to the viewer."""
LIGHT_BACK: Final = 0.3
"""How much darker the side away from the lamp becomes, as a share of LIGHT_MOST."""
LIGHT_GREY: Final = 0.55
"""The half-Lambert light at which a lamp at the side neither brightens nor darkens."""
WARM_MOST: Final = 0.11
"""Change of log red over log blue, each way from green, in gamma-coded levels."""

# Shape: canonical displacements for a control of 1
SLIM_MOST: Final = 0.02
JAW_MOST: Final = 0.02
NOSE_MOST: Final = 0.012
EYE_MOST: Final = 0.16
EYE_REACH: Final = 0.11

# Make-up
VIVID: Final = 0.34
"""Colourfulness of skin from which on make-up has all of its colour."""
PALEST: Final = 0.2
BLUSH_PALE: Final = 1.0
"""Span of log colour from which on blush is as dense as it gets: greyish pigments take less."""
BLUSH_OUT: Final = 0.02
BLUSH_DOWN: Final = -0.014
BLUSH_RISE: Final = 0.55
"""Radians by which it rises towards the temple."""
BLUSH_LENGTH: Final = 0.066
BLUSH_WIDTH: Final = 0.037
BLUSH_MOST: Final = 0.18
"""Optical density (natural log, in gamma-coded levels) of the colour's complement at the centre."""
BLUSH_DARK: Final = 0.7
"""How much more pigment dark skin takes for the same effect."""

# Outlines: softness is the deviation of the Gaussian that a hard mask is blurred with
EDGE: Final = 0.004
FEATURE_GROW: Final = 0.012
"""The skin's effects stay that far from the outlines of eyes, brows and lips."""

COVER_FROM: Final = 0.028
"""From so far away on the matte is sure of the skin around them."""
COVER_SIGMA: Final = 0.035
"""How far around eyes, brows and lips skin is looked for."""
COVER_SEEN: Final = (0.5, 0.8)
"""How much of what should be skin is, between which something lies before the face and nothing does."""

# Eyes; luma from 0 to 1
EYE_OPEN: Final = (0.1, 0.2)
"""Height over width of the opening between which an eye counts as closed and as open."""
IRIS_EDGE: Final = (1.0, 1.25)
"""The white begins between these multiples of the iris' radius."""
WHITE_LESS: Final = (0.7, 1.0)
"""Colourfulness as a share of the skin's, between which the white ends: what is as colourful as skin is skin."""
SKIN_COLOURFUL: Final = 0.15
"""Colourfulness that skin counts as having at least."""
WHITE_LIGHTER: Final = 0.3
WHITE_PALER: Final = 0.5
IRIS_DISC: Final = (0.85, 1.1)
"""The iris ends between these multiples of its radius."""
IRIS_GAIN: Final = (-0.35, 0.5)
"""Change of a place in the iris at most, as a share."""
IRIS_CONTRAST: Final = 0.45
IRIS_LIFT: Final = 0.12
CATCH_FROM: Final = (0.2, 0.45)
"""Luma above the iris' mean between which it becomes a catch-light."""
CATCH_MOST: Final = 0.35

# Teeth
MOUTH_OPEN: Final = (0.03, 0.09)
TOOTH_LEVEL: Final = (0.45, 0.8)
"""Luma over the skin's."""
TOOTH_RED: Final = (-0.2, -0.06)
"""Log of red over green, less the skin's: teeth are less red than skin, gums and tongue are not."""
TOOTH_YELLOW: Final = 0.8
TOOTH_LIGHTER: Final = 0.2
SCLERA_UNSEEN: Final = 1.2
"""The white's luma over the skin's while no eye has been seen open."""
SCLERA_S: Final = 1.0
"""How long the running luma of the sclera remembers."""

# Lips
LIP_EDGE: Final = 0.0055
LIP_COVER: Final = 0.8
"""Opacity of lipstick at most."""
LIP_OWN: Final = 0.5
"""The lips' own share in how light the lipstick is; the rest is the pigment's in the light that falls on the skin."""
LIP_ALBEDO: Final = 0.3
LIP_MATT: Final = 0.8
"""Exponent of the lips' own lightness detail below matt lipstick."""
LIP_GLOSSY: Final = 1.25
"""The same below glossy lipstick."""
GLOSS_STREAK: Final = 0.6
"""How bright the streak along the lips is beside their own highlights."""
GLOSS_DETAIL: Final = (1.1, 1.9)
"""Lightness over the lips' mean between which a place is a highlight of theirs."""
LIP_GLOSS: Final = 0.3
LIP_COLOUR: Final = 0.6
"""Distance in log ratios of colour from the running colour of the lips at which lipstick fades (a Gaussian's width)."""
LIP_SEEN: Final = (0.15, 0.4)
"""Share of the skin around lips that is seen, between which they are covered and are not: the upper lip's is in shadow."""
LIP_DOUBT: Final = (0.72, 0.92)
"""Share of the skin around lips that is seen, between which there is doubt whether they are covered, and none."""
LIP_BLUR: Final = 0.008
LIP_APART: Final = (0.05, 0.12)
"""Distance of lips and skin in the same ratios, between which the one is told from the other."""
LIP_ALONG: Final = (0.08, 0.4)
"""On the way from the skin's colour to the lips', where lipstick begins and is all there."""
LIP_BARE: Final = (0.4, 0.7)
"""How much skin is seen around lips with a beard and without."""
LIP_BEARD: Final = 4.0
"""How many times as long it takes to believe in less skin around the lips."""
LIP_FOUND: Final = 0.2
"""Share of the lips that must be seen for their colour to be learned from."""
LIP_S: Final = 1.5
"""How long the running colour remembers."""

# Brows and liner
BROW_EDGE: Final = 0.009
BROW_FILL: Final = 0.28
BROW_HAIR: Final = 0.6
BROW_LEVEL: Final = 1.1
"""Luma over the skin's below which it is hair."""
BROW_MOST: Final = 0.6
"""How much of hair there is at most."""
BROW_DENSITY: Final = (1.1, 1.0, 0.85)
LINER_EDGE: Final = 0.0035
LINER_WIDTH: Final = (0.002, 0.009)
"""From the inner to the outer corner."""
LINER_WING: Final = 0.012
LINER_RISE: Final = 0.6
"""How far the wing rises, as a share of its length."""
LINER_DENSITY: Final = 1.3

# The mesh
FOUND: Final = (0.3, 0.7)
"""The mesh's score between which the look fades in."""
