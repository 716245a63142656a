"""What follows from the declarations of a flow without running it; the lint and the renderings are made of it."""
