"""The bench that a method works at: buy, train, label, score.

Methods import from here. `Lab` is the seam; `LocalLab` runs stages in this process, `RayLab` (in `lab._ray`, the only
place besides the study's executor that imports Ray) on a cluster. What a cell is, and which cells a study has, is not
for this room.
"""

from segfrontier.basics.installed import installed as installed
from segfrontier.lab import _libraries as _libraries
from segfrontier.lab.augment import Augment as Augment
from segfrontier.lab.handles import Model as Model
from segfrontier.lab.judged import Judged as Judged
from segfrontier.lab.judged import judge as judge
from segfrontier.lab.lab import Lab as Lab
from segfrontier.lab.local import LocalLab as LocalLab
from segfrontier.lab.looking import Looking as Looking
from segfrontier.lab.measures import Measures as Measures
from segfrontier.lab.methods import Method as Method
from segfrontier.lab.methods import make_method as make_method
from segfrontier.lab.objective import Batch as Batch
from segfrontier.lab.objective import Blueprint as Blueprint
from segfrontier.lab.objective import Ema as Ema
from segfrontier.lab.objective import Loss as Loss
from segfrontier.lab.objective import Moment as Moment
from segfrontier.lab.objective import Nets as Nets
from segfrontier.lab.objective import Network as Network
from segfrontier.lab.objective import Objective as Objective
from segfrontier.lab.opening import LabSettings as LabSettings
from segfrontier.lab.opening import open_lab as open_lab
from segfrontier.lab.optimisers import Adam as Adam
from segfrontier.lab.optimisers import Schedule as Schedule
from segfrontier.lab.optimisers import Sgd as Sgd
from segfrontier.lab.passes.gauges import Gauge as Gauge
from segfrontier.lab.passes.inference import Predictor as Predictor
from segfrontier.lab.passes.inference import Predictors as Predictors
from segfrontier.lab.passes.rules import Argmax as Argmax
from segfrontier.lab.passes.rules import Rule as Rule
from segfrontier.lab.passes.rules import keep_known as keep_known
from segfrontier.lab.passes.rules import known_map as known_map
from segfrontier.lab.passes.scores import Scores as Scores
from segfrontier.lab.passes.sketches import Sketch as Sketch
from segfrontier.lab.passes.tasks import SEMANTIC as SEMANTIC
from segfrontier.lab.passes.tasks import Instances as Instances
from segfrontier.lab.passes.tasks import MultiLabel as MultiLabel
from segfrontier.lab.passes.tasks import Panoptic as Panoptic
from segfrontier.lab.passes.tasks import Task as Task
from segfrontier.lab.recipe import Recipe as Recipe
from segfrontier.lab.streams import Known as Known
from segfrontier.lab.streams import Part as Part
from segfrontier.lab.streams import Stream as Stream
from segfrontier.lab.streams import stable_seed as stable_seed
from segfrontier.lab.training.loop import Bench as Bench
from segfrontier.lab.training.loop import Plan as Plan
from segfrontier.lab.watching import Watcher as Watcher
from segfrontier.market import Boxes as Boxes
from segfrontier.market import Coarse as Coarse
from segfrontier.market import Fine as Fine
from segfrontier.market import Points as Points
from segfrontier.market import Tags as Tags
from segfrontier.market.tiling import PAPER_002 as PAPER_002
from segfrontier.market.tiling import WHOLE_IMAGE as WHOLE_IMAGE
from segfrontier.market.tiling import Tiling as Tiling
from segfrontier.scenes.known import Detections as Detections
from segfrontier.scenes.known import SceneLabels as SceneLabels
from segfrontier.scenes.labels import LabelSet as LabelSet
from segfrontier.scenes.world import Pool as Pool
from segfrontier.store.keys import LATER as LATER
