import sys

import pytest

from benchmarks import capsules, measuring
from benchmarks.reference import capsules as textbook
from benchmarks.training.networks import TUNED, new_gan

SMALL = {"num_input": 6, "input_dim": 8, "num_capsule": 3, "dim_capsule": 16, "routings": 3}


def test_the_layers_are_those_of_the_networks():
    sizes = {name: capsules.sizes_of(build()) for name, build in capsules.NETWORKS.items()}
    routed = {"num_input": 1152, "input_dim": 8, "num_capsule": 10, "dim_capsule": 16}
    assert sizes["CapsNet, MNIST"] == routed | {"routings": 3}
    assert sizes["CapsNet, CIFAR-10"]["num_input"] == 2048
    ones = [one for name, one in sizes.items() if name.startswith("discriminator")]
    assert [one["num_capsule"] for one in ones] == [1, 1, 1]
    gan = new_gan(TUNED["mnist"], "capsule")
    primary = gan.discriminator.get_layer("primary_capsules").output.shape
    assert sizes["discriminator, MNIST, tuned"]["num_input"] == primary[1]


def test_it_runs_quickly():
    result = capsules.run(quick=True)
    (layer,), (routed,) = (result[part].values() for part in ("layers", "routings"))
    for found, ways in ((layer, ["einsum", "map_fn"]), (routed, ["einsum"])):
        assert list(found["differences"]) == ways
        differences = [each for way in found["differences"].values() for each in way.values()]
        assert max(differences) <= capsules.TOLERANCE
        assert list(found["ways"]) == ["layer", *ways]
        assert found["ways"]["layer"]["times_layer"] == {"median": 1.0, "min": 1.0, "max": 1.0}
        for way in found["ways"].values():
            assert 0 < way["milliseconds"]["min"] <= way["milliseconds"]["median"]


@pytest.mark.parametrize("broken", ["_squash", "dynamic_routing"])
def test_nothing_is_timed_where_values_differ(broken, monkeypatch):
    wrong = {"_squash": lambda vectors: vectors, "dynamic_routing": lambda v, routings: v[:, :, 0]}
    monkeypatch.setattr(textbook, broken, wrong[broken])
    monkeypatch.setattr(capsules, "time_in_turn", lambda *arguments: pytest.fail("timed"))
    way = {"_squash": "map_fn", "dynamic_routing": "einsum"}[broken]
    with pytest.raises(measuring.DisagreementError, match=f"The layer and {way} must agree"):
        capsules.measure(SMALL, 4, 1, quick=True)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_measured_in_a_process_of_its_own():
    sizes = SMALL | {"num_input": 1152, "num_capsule": 10}
    layer, map_fn = (
        measuring.in_own_process(capsules.memory, way, sizes, 32) for way in ("layer", "map_fn")
    )
    predictions = 4 * 32 * 1152 * 10 * 16
    assert 0 < layer < map_fn
    assert map_fn > predictions
