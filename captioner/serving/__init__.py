"""A local server that captions photographs: page, JSON API, and what keeps both in bounds."""
