"""The OpenAPI description of the views, told apart from them."""
