"""Activities are held to what workflows were promised."""

from __future__ import annotations

import pytest

from workflows.declarations import SignatureDrift, declare, implements


@declare
def weigh(parcel: str) -> int:
    """Weight in grams."""
    raise NotImplementedError


def test_a_binding_that_fits_keeps_the_stubs_name() -> None:
    @implements(weigh)
    def weigh_on_scales(parcel: str) -> int:
        return len(parcel)

    assert weigh_on_scales("abc") == 3
    definition = weigh_on_scales.__temporal_activity_definition  # type: ignore[attr-defined]
    assert definition.name == "weigh"


def test_another_input_is_drift() -> None:
    with pytest.raises(SignatureDrift, match="promises"):

        @implements(weigh)
        def weigh_bytes(parcel: bytes) -> int:
            return len(parcel)


def test_another_output_is_drift() -> None:
    with pytest.raises(SignatureDrift):

        @implements(weigh)
        def weigh_roughly(parcel: str) -> float:
            return float(len(parcel))


def test_an_undocumented_declaration_is_refused() -> None:
    with pytest.raises(TypeError, match="docstring"):

        @declare
        def silent() -> None:
            raise NotImplementedError
