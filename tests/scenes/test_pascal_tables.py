"""VOC's classes in the benchmark's order and colours."""

from segfrontier.scenes.pascal import PASCAL_CONTEXT, VOC
from segfrontier.scenes.published import PUBLISHED


def test_labels_and_colours_are_the_benchmarks():
    assert (len(VOC), len(PASCAL_CONTEXT)) == (21, 60)
    known = {"aeroplane": (128, 0, 0), "person": (192, 128, 128), "tvmonitor": (0, 64, 128), "background": (0, 0, 0)}
    assert {name: tuple(VOC.palette[VOC.index(name)].tolist()) for name in known} == known
    assert VOC.index("person") == 15 and VOC.stuff == (0,) and VOC.void_ids == (255,)
    assert set(VOC.names) - set(PASCAL_CONTEXT.names) == {"diningtable"} | {"sofa"} - set(PASCAL_CONTEXT.names)


def test_the_papers_shares_come_out_of_the_published_numbers():
    """FACTS.md 4a: 211, 529, 1,322, 2,645 of VOC; 371 and 743 of Cityscapes; 624 and 1,249 of Context."""
    counts = {name: PUBLISHED[name].scenes["target", "train"] for name in ("voc", "cityscapes-half", "pascal-context")}
    assert [int(r * counts["voc"]) for r in (1 / 50, 1 / 20, 1 / 8, 1 / 4)] == [211, 529, 1322, 2645]
    assert [int(r * counts["cityscapes-half"]) for r in (1 / 8, 1 / 4)] == [371, 743]
    assert [int(r * counts["pascal-context"]) for r in (1 / 8, 1 / 4)] == [624, 1249]
