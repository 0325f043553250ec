"""A codec endpoint for Temporal's UI: shows operators what inputs and results say.

    operators   who may ask, and how they prove it
    app         the endpoint itself, and its page to sign in

The contract is Temporal's for remote data encoders: POST /decode and /encode with
`{"payloads": […]}` as protobuf's JSON (docs.temporal.io, "Codec Server").
"""
