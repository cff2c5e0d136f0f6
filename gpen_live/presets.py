"""Named looks: those that come with the app, and the user's own as small files."""
