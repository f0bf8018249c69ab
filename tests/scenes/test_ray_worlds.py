"""Ray Data reads the same shards that random access reads."""

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]


def test_ray_data_reads_a_worlds_shards(toy_world):
    import ray.data

    from segfrontier.scenes.codec import decode_image

    pool = toy_world.pool()
    assert len(pool.files) > 1
    rows = ray.data.read_parquet(list(pool.files), columns=["scene", "height", "width", "image"]).take_all()
    assert sorted(row["scene"] for row in rows) == sorted(pool.scenes())
    for row in rows:
        assert (decode_image(row["image"]) == pool.image(row["scene"])).all()
        assert (row["height"], row["width"]) == pool.size(row["scene"])
