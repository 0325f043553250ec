"""The HTTP front: routes, schemas, authentication, problem details."""
