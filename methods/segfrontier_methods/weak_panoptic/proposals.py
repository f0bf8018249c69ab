"""Segment proposals in the manner of MCG, the paper's other source of masks: regions that boundaries enclose, grouped.

A boundary map, of colours over several scales or learned, gives a hierarchy of regions; several flat cuts of it are
taken, coarse to fine, and in each up to four neighbouring regions are grouped to a proposal. MCG's random forest, which
learned from masks how to rank proposals, is left out as in the paper: what counts is the IoU with the box alone. The
paper leaves open between what: here between the proposal's bounding box and the box. A mask's own IoU with the box
would be highest for whatever fills the box to its corners, the box itself first of all, while an object that was boxed
tightly has just the box's extent, however little of it it fills. Of equal extents the proposal with more pixels in the
box wins, then the coarser cut, then fewer regions: the holes of an object are its own.

The hierarchy is Higra's watershed by area where that is installed (`pip install 'segfrontier[proposals]'`), and else
one of small basins that are merged where the boundary between them is weakest. Both give cuts to the same code; which
one it was is a setting, so that no result depends on what happens to be installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from segfrontier.errors import BadInput
from segfrontier.lab import LATER
from segfrontier.models.offers import SCHEME
from segfrontier_methods.weak_panoptic.grabcut import Box, Crop, Guard, Patch
from segfrontier_methods.weak_panoptic.learned_edges import learned_edges

Regions = NDArray[np.int64]
"""(H, W) numbers of regions, from 0 without gaps."""
Hierarchy = Literal["plain", "higra"]
GRADIENT = "gradient"
_BESIDE = (
    ((slice(None), slice(-1)), (slice(None), slice(1, None))),
    ((slice(-1), slice(None)), (slice(1, None), slice(None))),
)
"""Of an image, pixels and their right and lower neighbours."""
_MOST_REGIONS = 62  # a group is the bits of one integer


class Segments(NamedTuple):
    """The proposals of one flat cut; a group is a row of its members."""

    regions_HW: Regions
    members_GR: NDArray[np.bool_]
    boxes_G4: NDArray[np.int64]

    def mask(self, group: int) -> NDArray[np.bool_]:
        """(H, W) pixels of one group."""
        mask: NDArray[np.bool_] = self.members_GR[group][self.regions_HW]
        return mask

    def pixels(self, where: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(G,) pixels of each group inside a mask (H, W)."""
        counts = np.bincount(self.regions_HW[where], minlength=self.members_GR.shape[1])
        return self.members_GR @ counts


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """`counts`: the most regions of each flat cut; `together`: the most in a group; `scales`: of the boundary map.

    `edges`: boundaries are changes of colour (`gradient`), or learned: the origin of their weights.
    """

    crop: Crop = field(default_factory=Crop)
    guard: Guard = field(default_factory=Guard)
    hierarchy: Hierarchy = "plain"
    counts: tuple[int, ...] = (4, 8, 16, 32)
    together: int = 4
    scales: tuple[float, ...] = (1.0, 2.0, 4.0)
    edges: str = field(default=GRADIENT, metadata=LATER)

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 2 or max(self.counts) > _MOST_REGIONS or not 1 <= self.together <= 4:
            raise BadInput(
                f"proposals come from cuts of 2 to {_MOST_REGIONS} regions, of which 1 to 4 are grouped; found "
                f"{self.counts} and {self.together}"
            )
        if not self.scales or min(self.scales) <= 0:
            raise BadInput(f"a boundary map has scales above 0; found {self.scales}")
        if self.hierarchy not in ("plain", "higra"):
            raise BadInput(f"a hierarchy is plain or higra; found {self.hierarchy!r}")
        if self.edges != GRADIENT and not self.edges.startswith(SCHEME):
            raise BadInput(f"edges are {GRADIENT}, or the origin of learned ones, {SCHEME}...; found {self.edges!r}")

    def patch(self, image: NDArray[np.uint8], box: Box) -> Patch:
        """What the proposal of the box's extent says of it, as far as it is believed."""
        part = self.crop.around(box, image.shape[:2])
        chosen = self.chosen(self.crop.look(image, part), self.crop.inside(box, part))
        return self.guard.guarded(self.crop.back(chosen, box, part), box.size)

    def best_iou(self, image: NDArray[np.uint8], box: Box, truth: NDArray[np.bool_]) -> float:
        """How good the best of all proposals would be for an object, of which `truth` is the mask in its box.

        Of proposals that go beyond the box their part in it counts, as it does where one is chosen.
        """
        part = self.crop.around(box, image.shape[:2])
        pixels, inner = self.crop.look(image, part), self.crop.inside(box, part)
        boxed, true = np.zeros((2, *pixels.shape[:2]), np.bool_)
        place = slice(inner.y0, inner.y1), slice(inner.x0, inner.x1)
        boxed[place] = True
        true[place] = cv2.resize(truth.astype(np.float32), inner.size[::-1], interpolation=cv2.INTER_LINEAR) >= 0.5
        best = 0.0
        for segments in self.segments(pixels):
            shared = segments.pixels(true)
            best = max(best, float((shared / np.maximum(segments.pixels(boxed) + true.sum() - shared, 1)).max()))
        return best

    def segments(self, pixels: NDArray[np.uint8]) -> Iterator[Segments]:
        """All proposals of an image, cut by cut."""
        learned = self.edges != GRADIENT
        edges = learned_edges(pixels, self.edges) if learned else boundary_map(pixels, scales=self.scales)
        cuts = higra_cuts if self.hierarchy == "higra" else plain_cuts
        for regions in cuts(edges, self.counts):
            yield grouped(regions, together=self.together)

    def chosen(self, pixels: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
        """The mask (H, W) of the proposal whose extent is the box's, in an image at the size at which it is cut."""
        where = np.zeros(pixels.shape[:2], np.bool_)
        where[box.y0 : box.y1, box.x0 : box.x1] = True
        best, mask = (-1.0, -1, 0), where
        for cut, segments in enumerate(self.segments(pixels)):
            near, inside = box_iou(segments.boxes_G4, box), segments.pixels(where)
            few = segments.members_GR.sum(axis=1)
            first = np.lexsort((few, -inside, -near))[0]
            rank = (float(near[first]), int(inside[first]), -cut)
            if rank > best:
                best, mask = rank, segments.mask(int(first))
        return mask


def require_hierarchy(hierarchy: Hierarchy) -> None:
    """Raise before any work where what makes the regions is not installed."""
    if hierarchy == "higra" and find_spec("higra") is None:
        raise BadInput(
            "the hierarchy `higra` needs the package higra, which is not installed. "
            "`pip install 'segfrontier[proposals]'`, or take the hierarchy `plain`."
        )


def boundary_map(pixels: NDArray[np.uint8], *, scales: Sequence[float]) -> NDArray[np.float32]:
    """(H, W) strength of a change of colour, in Lab, the mean over Gaussian scales."""
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
    found = np.zeros(pixels.shape[:2], np.float32)
    for scale in scales:
        smooth = cv2.GaussianBlur(lab, (0, 0), scale)
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, ksize=3) for dx in (1, 0))
        found += np.sqrt((across**2 + down**2).sum(axis=2)) * np.float32(scale)
    return found / np.float32(len(scales))


# ------------------------------------------------------------------------------------------------------- flat cuts


def higra_cuts(edges: NDArray[np.float32], counts: Sequence[int]) -> Iterator[Regions]:
    """Cuts of Higra's watershed hierarchy by area, into as many regions as possible up to each count."""
    require_hierarchy("higra")
    import higra as hg

    graph = hg.get_4_adjacency_graph(edges.shape)
    tree, altitudes = hg.watershed_hierarchy_by_area(graph, hg.weight_graph(graph, edges, hg.WeightFunction.mean))
    for count in counts:
        cut = hg.labelisation_horizontal_cut_from_num_regions(tree, altitudes, count, "at_most")
        yield without_gaps(np.asarray(cut, np.int64))


def plain_cuts(edges: NDArray[np.float32], counts: Sequence[int]) -> Iterator[Regions]:
    """Cuts of basins around the boundary map's minima, merged pair by pair; see `merges`."""
    basins = basins_of(edges)
    pairs = merges(basins, edges)
    for count in counts:
        owner = np.arange(len(pairs) + 1)
        for kept, gone in pairs[: max(len(owner) - count, 0)]:
            owner[owner == gone] = kept
        yield without_gaps(owner[basins])


def basins_of(edges: NDArray[np.float32]) -> Regions:
    """The watershed of a boundary map from its minima over 7 x 7 pixels: a minimum spanning forest rooted in them.

    Boundaries are ranked first, equal ones in their order, so that the forest is the same on every machine.
    """
    lowest = (edges == cv2.erode(edges, np.ones((7, 7), np.uint8))).astype(np.uint8)
    _, seeds = cv2.connectedComponents(lowest, connectivity=8)
    pixels = np.arange(edges.size).reshape(edges.shape)
    here, there = (np.concatenate([pixels[pair[end]].ravel() for pair in _BESIDE]) for end in (0, 1))
    height = edges.ravel()[here] + edges.ravel()[there]
    rank = np.empty(len(here), np.float64)
    rank[np.argsort(height, kind="stable")] = np.arange(len(here))
    rooted = seeds.ravel().nonzero()[0]  # each to a node of its minimum, and all of those to each other: the root
    nodes = edges.size + int(seeds.max()) + 1
    ends = edges.size + np.arange(1, int(seeds.max()) + 1)
    rows = np.concatenate([here, rooted, np.full(len(ends), edges.size)])
    columns = np.concatenate([there, edges.size + seeds.ravel()[rooted], ends])
    weights = np.concatenate([rank + 3, np.full(len(rooted), 2.0), np.ones(len(ends))])
    tree = minimum_spanning_tree(coo_array((weights, (rows, columns)), shape=(nodes, nodes)).tocsr()).tocoo()
    kept = tree.data > 1
    forest = coo_array((tree.data[kept], (tree.row[kept], tree.col[kept])), shape=(nodes, nodes))
    return without_gaps(connected_components(forest, directed=False)[1][: edges.size].reshape(edges.shape))


def merges(regions: Regions, edges: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs (kept, gone) of neighbours in the order in which they merge, until one is left or none touch.

    First goes the pair with the least mean boundary times the square root of the smaller one's area, so that specks
    vanish before objects do.
    """
    count = int(regions.max()) + 1
    strength, length = np.zeros((2, count, count))
    for first, second, edge in _borders(regions, edges):
        np.add.at(strength, (first, second), edge)
        np.add.at(length, (first, second), 1)
    strength, length = strength + strength.T, length + length.T
    area = np.bincount(regions.ravel(), minlength=count).astype(np.float64)
    cost = np.full((count, count), np.inf)
    found = []
    _price(cost, strength, length, area, slice(None))
    for _ in range(count - 1):
        kept, gone = sorted(divmod(int(cost.argmin()), count))
        if not np.isfinite(cost[kept, gone]):
            break
        for table in (strength, length):
            table[kept] += table[gone]
            table[:, kept] = table[kept]
            table[kept, kept] = table[gone] = table[:, gone] = 0
        area[kept] += area[gone]
        cost[gone] = cost[:, gone] = np.inf
        _price(cost, strength, length, area, kept)
        cost[:, kept] = cost[kept]
        found.append((kept, gone))
    return found


def _price(
    cost: NDArray[np.float64], strength: NDArray[np.float64], length: NDArray[np.float64], area: NDArray[np.float64],
    row: int | slice,
) -> None:  # fmt: skip
    """Fill a row of the costs of merging, or all of them; infinite where two do not touch."""
    smaller = np.minimum(area[row, None] if isinstance(row, slice) else area[row], area)
    mean = np.divide(strength[row], length[row], out=np.full_like(length[row], np.inf), where=length[row] > 0)
    cost[row] = mean * np.sqrt(smaller)


def _borders(
    regions: Regions, edges: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Of neighbouring pixels in two regions: both numbers, and the boundary between them."""
    for here, there in _BESIDE:
        apart = regions[here] != regions[there]
        yield regions[here][apart], regions[there][apart], ((edges[here] + edges[there]) / 2)[apart]


def without_gaps(numbers: NDArray[np.int64]) -> Regions:
    """The same regions, numbered from 0 without gaps in the order of their numbers."""
    return np.unique(numbers, return_inverse=True)[1].reshape(numbers.shape).astype(np.int64)


# ------------------------------------------------------------------------------------------------------- groups


def grouped(regions: Regions, *, together: int) -> Segments:
    """All groups of up to so many regions that hang together, with their bounding boxes."""
    count = int(regions.max()) + 1
    members = connected_groups(neighbours(regions, count), most=together)
    places = find_objects((regions + 1).astype(np.int32))
    boxes = np.array([(x.start, y.start, x.stop, y.stop) for y, x in places], np.int64)
    low = np.where(members[..., None], boxes[:, :2], np.iinfo(np.int64).max).min(axis=1)
    high = np.where(members[..., None], boxes[:, 2:], -1).max(axis=1)
    return Segments(regions, members, np.concatenate([low, high], axis=1))


def neighbours(regions: Regions, count: int) -> NDArray[np.bool_]:
    """(R, R) whether two regions share a side of a pixel."""
    touch = np.zeros((count, count), np.bool_)
    for first, second, _ in _borders(regions, np.zeros(regions.shape, np.float32)):
        touch[first, second] = touch[second, first] = True
    return touch


def connected_groups(touch: NDArray[np.bool_], *, most: int) -> NDArray[np.bool_]:
    """(G, R) all connected sets of 1 to `most` regions, smaller sets first."""
    bits = np.left_shift(np.int64(1), np.arange(len(touch), dtype=np.int64))
    around = (touch * bits).sum(axis=1)
    sets, beside, found = bits, around, [bits]
    for _ in range(most - 1):
        of, added = ((beside[:, None] & ~sets[:, None] & bits) != 0).nonzero()
        sets, first = np.unique(sets[of] | bits[added], return_index=True)
        beside = (beside[of] | around[added])[first]
        found.append(sets)
    return (np.concatenate(found)[:, None] & bits) != 0


def box_iou(boxes_G4: NDArray[np.int64], box: Box) -> NDArray[np.float64]:
    """(G,) IoU of half-open boxes with one."""
    low, high = np.maximum(boxes_G4[:, :2], box[:2]), np.minimum(boxes_G4[:, 2:], box[2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    return shared / ((boxes_G4[:, 2:] - boxes_G4[:, :2]).prod(axis=1) + box.area - shared)
