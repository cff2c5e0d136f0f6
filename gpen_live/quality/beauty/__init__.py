"""How good the beauty stage is: texture, blemishes, what lies outside the skin, flicker, identity, fairness, occluders, lines."""
