"""The way of a delivery, from the route that the sidecar posts to, to the broker."""
